//! HTTP client of an API: one request, repeated where that helps and harms nothing.
//!
//! [`Client::ask`] repeats temporary failures with doubling pauses: 429 (the server can set the pause), 5xx, and
//! dropped connections. Others are reported at once: a rejected key stays rejected, and repeating it could lock
//! the account. [`Client::send_once`] never repeats: a second launch would be a second machine. Redirects are not
//! followed: the key is for the configured address.

use std::cell::Cell;
use std::time::{Duration, Instant, SystemTime};
use std::{io, thread};

use ureq::http::{HeaderMap, Response, header};
use ureq::tls::{RootCerts, TlsConfig};
use ureq::{Agent, Body};

use super::endpoint::Endpoint;
use super::key::Key;
use super::service::{Rejection, Service};
use crate::error::{Error, io_reason};
use crate::instances::provider::{Code, Refused, Verb};
use crate::terminal::printable;

/// Time limit for lookup and connection.
const CONNECT: Duration = Duration::from_secs(5);
/// Time limit of one attempt.
const ATTEMPT: Duration = Duration::from_secs(10);
/// Number of attempts.
const ATTEMPTS_MAX: u32 = 5;
/// Pause before the second attempt; doubles each time.
const PAUSE: Duration = Duration::from_millis(500);
/// Largest answer, in bytes.
const ANSWER_MAX: u64 = 16 << 20;
/// Start of the standard library's error for a failed lookup, which has no kind.
const UNRESOLVED: &str = "failed to lookup address information: ";
/// Bytes read of an error answer.
const REFUSAL_MAX: u64 = 64 << 10;

/// Client for one account.
#[derive(Debug)]
pub struct Client {
    service: &'static Service,
    agent: Agent,
    endpoint: Endpoint,
    key: Key,
    pause: Duration,
    spacing: Duration,
    last: Cell<Option<Instant>>,
}

/// A request.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// Method, with JSON to post.
    pub method: Method<'a>,
    /// Path below the API's address.
    pub path: &'a str,
    /// Verb of the provider that the request serves; refusals are worded for it.
    pub verb: Verb,
}

/// Method of a request.
#[derive(Debug, Clone, Copy)]
pub enum Method<'a> {
    /// Asks.
    Get,
    /// Orders, with this JSON.
    Post(&'a [u8]),
    /// Deletes.
    Delete,
}

/// Failure of an attempt.
#[derive(Debug)]
struct Trouble {
    refused: Refused,
    /// A repetition can succeed.
    passing: bool,
    /// The server may have carried out the request.
    open: bool,
}

impl Trouble {
    /// A repetition would fail too, and the server did nothing.
    fn lasting(refused: impl Into<Refused>) -> Self {
        Self { refused: refused.into(), passing: false, open: false }
    }

    /// A repetition can succeed, and the server may have done something.
    fn passing(refused: impl Into<Refused>) -> Self {
        Self { refused: refused.into(), passing: true, open: true }
    }
}

impl Client {
    /// Returns a client that sends `key` to `endpoint` of `service`.
    pub fn new(service: &'static Service, endpoint: Endpoint, key: Key) -> Self {
        let mut config = Agent::config_builder()
            .timeout_resolve(Some(CONNECT))
            .timeout_connect(Some(CONNECT))
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            // Dropped connections must not be reused.
            .max_idle_connections(0)
            .user_agent(concat!("soong/", env!("CARGO_PKG_VERSION")))
            .tls_config(TlsConfig::builder().root_certs(RootCerts::PlatformVerifier).build());
        if !endpoint.is_encrypted() {
            // A proxy must not read unencrypted requests to this machine.
            config = config.proxy(None);
        }
        let agent = config.build().new_agent();
        Self { service, agent, endpoint, key, pause: PAUSE, spacing: service.spacing, last: Cell::new(None) }
    }

    /// Returns the answer to a request that can be repeated; repeats until `deadline` at the latest.
    pub fn ask(&self, request: &Request<'_>, deadline: Instant) -> Result<Vec<u8>, Refused> {
        let mut attempt = 1;
        loop {
            let trouble = match self.attempt(request, ATTEMPT, deadline) {
                Ok(body) => return Ok(body),
                Err(trouble) => trouble,
            };
            let pause = trouble.refused.retry_after.unwrap_or_else(|| backoff(self.pause, attempt));
            if !trouble.passing || attempt == ATTEMPTS_MAX || Instant::now() + pause >= deadline {
                return Err(trouble.refused);
            }
            // soong ends this program when its caller gives up.
            thread::sleep(pause);
            attempt += 1;
        }
    }

    /// Returns the answer to a request that is sent once. A failure that leaves it open whether the server
    /// carried it out is [`Code::UnknownOutcome`].
    pub fn send_once(&self, request: &Request<'_>, deadline: Instant) -> Result<Vec<u8>, Refused> {
        self.attempt(request, deadline.saturating_duration_since(Instant::now()), deadline).map_err(
            |trouble| {
                let code = if trouble.open { Code::UnknownOutcome } else { trouble.refused.code };
                Refused { code, ..trouble.refused }
            },
        )
    }

    fn attempt(&self, request: &Request<'_>, time: Duration, deadline: Instant) -> Result<Vec<u8>, Trouble> {
        self.keep_distance();
        let result = self.exchange(request, deadline.saturating_duration_since(Instant::now()).min(time));
        self.last.set(Some(Instant::now()));
        result
    }

    fn exchange(&self, request: &Request<'_>, left: Duration) -> Result<Vec<u8>, Trouble> {
        let mut response = self.send(request, left).map_err(|error| self.trouble(error))?;
        let status = response.status();
        if status.is_success() {
            return body(&mut response, ANSWER_MAX).map_err(|error| {
                // The server has carried it out, whatever went wrong with its answer.
                Trouble { open: true, ..self.trouble(error) }
            });
        }
        if status.is_redirection() {
            return Err(Trouble::lasting(redirected(self.service, response.headers())));
        }
        // An unreadable body adds nothing to the status.
        let body = body(&mut response, REFUSAL_MAX).unwrap_or_default();
        let body = self.redacted(&body);
        let (service, status, origin) = (self.service, status.as_u16(), self.key.origin);
        let refused =
            (self.service.refusal)(&Rejection { service, status, body: &body, origin, verb: request.verb });
        let wait = retry_after(response.headers(), SystemTime::now());
        Err(match status {
            // The provider's words say that nothing was carried out.
            _ if refused.code == Code::NoCapacity => Trouble::lasting(refused),
            429 => {
                let refused = Refused { retry_after: Some(wait.unwrap_or(self.service.spacing)), ..refused };
                Trouble { passing: true, ..Trouble::lasting(refused) }
            }
            500.. => Trouble::passing(Refused { retry_after: wait, ..refused }),
            408 => Trouble::passing(refused),
            _ => Trouble::lasting(refused),
        })
    }

    fn send(&self, request: &Request<'_>, time: Duration) -> Result<Response<Body>, ureq::Error> {
        let url = self.endpoint.resource(request.path);
        let key = format!("Bearer {}", self.key.secret.expose());
        let json = "application/json";
        let builder = match request.method {
            Method::Get => self.agent.get(url),
            Method::Delete => self.agent.delete(url),
            Method::Post(body) => {
                let builder = self.agent.post(url).config().timeout_global(Some(time)).build();
                let builder = builder.header(header::ACCEPT, json).header(header::CONTENT_TYPE, json);
                return builder.header(header::AUTHORIZATION, key).send(body);
            }
        };
        let builder = builder.config().timeout_global(Some(time)).build();
        builder.header(header::ACCEPT, json).header(header::AUTHORIZATION, key).call()
    }

    /// Waits until the published rate of requests allows another one. Counts from the last answer, as the server
    /// may have seen its request late.
    fn keep_distance(&self) {
        if let Some(last) = self.last.get() {
            thread::sleep((last + self.spacing).saturating_duration_since(Instant::now()));
        }
    }

    /// Removes the key from the server's text, in case the server repeats it.
    fn redacted(&self, body: &[u8]) -> Vec<u8> {
        String::from_utf8_lossy(body).replace(self.key.secret.expose(), "…").into_bytes()
    }

    fn trouble(&self, error: ureq::Error) -> Trouble {
        let host = printable(self.endpoint.host());
        let unreachable = |reason: &str| {
            Error::failed(format!("cannot reach {host}: {reason}"))
                .with_hint("check your network, or try again later")
        };
        match error {
            ureq::Error::Timeout(ureq::Timeout::Resolve | ureq::Timeout::Connect) => {
                Trouble { passing: true, ..Trouble::lasting(unreachable("no answer in time")) }
            }
            ureq::Error::Timeout(_) => Trouble::passing(unreachable("no answer in time")),
            ureq::Error::HostNotFound => Trouble::lasting(unreachable("unknown host name")),
            ureq::Error::Io(error) if error.kind() == io::ErrorKind::InvalidData => {
                distrust(&host, &error.to_string())
            }
            ureq::Error::Io(error) => match error.to_string().strip_prefix(UNRESOLVED) {
                // Without a network, the user wants to know at once.
                Some(reason) => Trouble::lasting(unreachable(&printable(reason))),
                None => Trouble {
                    open: !is_before_sending(error.kind()),
                    ..Trouble::passing(unreachable(&printable(&io_reason(&error))))
                },
            },
            ureq::Error::Rustls(error) => distrust(&host, &error.to_string()),
            ureq::Error::Tls(error) => distrust(&host, error),
            ureq::Error::BodyExceedsLimit(_) => {
                Trouble::lasting(Error::failed(format!("{host} sent more than {} MiB", ANSWER_MAX >> 20)))
            }
            ureq::Error::ConnectionFailed => {
                Trouble { open: false, ..Trouble::passing(unreachable("no HTTP answer")) }
            }
            ureq::Error::Protocol(_) => Trouble::passing(unreachable("no HTTP answer")),
            other => Trouble { open: true, ..Trouble::lasting(unreachable(&printable(&other.to_string()))) },
        }
    }
}

/// Returns true for errors of `connect`, after which nothing has been sent.
fn is_before_sending(kind: io::ErrorKind) -> bool {
    use io::ErrorKind::{AddrNotAvailable, ConnectionRefused, HostUnreachable, NetworkUnreachable};
    matches!(kind, AddrNotAvailable | ConnectionRefused | HostUnreachable | NetworkUnreachable)
}

fn body(response: &mut Response<Body>, limit: u64) -> Result<Vec<u8>, ureq::Error> {
    response.body_mut().with_config().limit(limit).read_to_vec()
}

/// Failure of encryption. A bad certificate ends the connection before anything is sent; other faults can
/// come later.
fn distrust(host: &str, reason: &str) -> Trouble {
    let error = Error::failed(format!("cannot trust {host}: {}", printable(reason)))
        .with_hint("check this machine's certificates; on Debian and Ubuntu: apt install ca-certificates");
    Trouble { open: !reason.contains("certificate"), ..Trouble::lasting(error) }
}

fn redirected(service: &Service, headers: &HeaderMap) -> Error {
    let target = headers.get(header::LOCATION).and_then(|target| target.to_str().ok()).unwrap_or("nowhere");
    let target: String = target.chars().take(200).collect();
    Error::failed(format!("{} redirects to {}", service.title, printable(&target))).with_hint(format!(
        "soong does not send the API key there; if the API has moved, set {}.base-url",
        service.table
    ))
}

/// Parses `Retry-After`: seconds or a date (RFC 9110, section 10.2.3).
fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse::<u32>() {
        return Some(Duration::from_secs(seconds.into()));
    }
    let date = httpdate::parse_http_date(text).ok()?;
    Some(date.duration_since(now).unwrap_or_default())
}

/// Returns the pause after `attempt`, counted from 1: doubles each time, ±20 %.
fn backoff(first: Duration, attempt: u32) -> Duration {
    let doubled = first * 2u32.pow(attempt.saturating_sub(1));
    doubled.mul_f64(0.8 + 0.4 * fastrand::f64())
}

#[cfg(test)]
mod tests;
