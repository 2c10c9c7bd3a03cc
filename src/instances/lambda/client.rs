//! HTTP client of the API: one request, repeated where that can help.
//!
//! Temporary failures are repeated with doubling pauses: 429 (the server can set the pause), 5xx, and dropped
//! connections. Others are reported at once: a rejected key stays rejected, and repeating it could lock the
//! account. Redirects are not followed: the key is for the configured address.

use std::time::{Duration, Instant, SystemTime};
use std::{io, thread};

use ureq::http::{HeaderMap, Response, header};
use ureq::tls::{RootCerts, TlsConfig};
use ureq::{Agent, Body};

use super::answer;
use super::endpoint::Endpoint;
use super::key::Key;
use crate::error::{Error, Result, io_reason};
use crate::instances::provider::answer::Listed;
use crate::terminal::printable;

/// Time limit for lookup and connection.
const CONNECT: Duration = Duration::from_secs(5);
/// Time limit of one attempt.
const ATTEMPT: Duration = Duration::from_secs(10);
/// Number of attempts.
const ATTEMPTS_MAX: u32 = 5;
/// Pause before the second attempt; doubles each time.
const PAUSE: Duration = Duration::from_millis(500);
/// Pause after a 429 that names none: the published limit is one request per second.
const RATE: Duration = Duration::from_secs(1);
/// Largest answer, in bytes.
const ANSWER_MAX: u64 = 16 << 20;
/// Start of the standard library's error for a failed lookup, which has no kind.
const UNRESOLVED: &str = "failed to lookup address information: ";
/// Bytes read of an error answer.
const REFUSAL_MAX: u64 = 64 << 10;

/// Client for one account.
#[derive(Debug)]
pub struct Client {
    agent: Agent,
    url: String,
    key: Key,
    pause: Duration,
}

/// Failure of an attempt.
#[derive(Debug)]
enum Trouble {
    /// A repetition would fail too.
    Lasting(Error),
    /// A repetition can succeed, after the server's pause if it names one.
    Passing(Error, Option<Duration>),
}

impl Client {
    /// Returns a client that sends `key` to `endpoint`.
    pub fn new(endpoint: &Endpoint, key: Key) -> Self {
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
        Self { agent: config.build().new_agent(), url: endpoint.instances(), key, pause: PAUSE }
    }

    /// Returns the account's instances; repeats until `deadline` at the latest.
    pub fn instances(&self, deadline: Instant) -> Result<Vec<Listed>> {
        let mut attempt = 1;
        loop {
            let (error, wait) = match self.attempt(deadline) {
                Ok(instances) => return Ok(instances),
                Err(Trouble::Lasting(error)) => return Err(error),
                Err(Trouble::Passing(error, wait)) => (error, wait),
            };
            let pause = wait.unwrap_or_else(|| backoff(self.pause, attempt));
            if attempt == ATTEMPTS_MAX || Instant::now() + pause >= deadline {
                return Err(match wait {
                    Some(wait) => error.with_hint(format!("try again in {} s", wait.as_secs().max(1))),
                    None => error,
                });
            }
            // soong ends this program when its caller gives up.
            thread::sleep(pause);
            attempt += 1;
        }
    }

    fn attempt(&self, deadline: Instant) -> std::result::Result<Vec<Listed>, Trouble> {
        let left = deadline.saturating_duration_since(Instant::now()).min(ATTEMPT);
        let request = self
            .agent
            .get(&self.url)
            .config()
            .timeout_global(Some(left))
            .build()
            .header(header::ACCEPT, "application/json")
            .header(header::AUTHORIZATION, format!("Bearer {}", self.key.secret.expose()));
        let mut response = request.call().map_err(|error| self.trouble(error))?;
        let status = response.status();
        if status.is_success() {
            let body = body(&mut response, ANSWER_MAX).map_err(|error| self.trouble(error))?;
            return answer::instances(&body).map_err(Trouble::Lasting);
        }
        if status.is_redirection() {
            return Err(Trouble::Lasting(redirected(response.headers())));
        }
        // An unreadable body adds nothing to the status.
        let body = body(&mut response, REFUSAL_MAX).unwrap_or_default();
        let error = answer::refusal(status.as_u16(), &self.redacted(&body), self.key.origin);
        match status.as_u16() {
            429 => {
                let wait = retry_after(response.headers(), SystemTime::now()).unwrap_or(RATE);
                Err(Trouble::Passing(error, Some(wait)))
            }
            500.. => Err(Trouble::Passing(error, retry_after(response.headers(), SystemTime::now()))),
            _ => Err(Trouble::Lasting(error)),
        }
    }

    /// Removes the key from the server's text, in case the server repeats it.
    fn redacted(&self, body: &[u8]) -> Vec<u8> {
        String::from_utf8_lossy(body).replace(self.key.secret.expose(), "…").into_bytes()
    }

    fn trouble(&self, error: ureq::Error) -> Trouble {
        let host = self.url.split('/').nth(2).unwrap_or_default();
        let host = printable(host);
        let unreachable = |reason: &str| {
            Error::failed(format!("cannot reach {host}: {reason}"))
                .with_hint("check your network, or try again later")
        };
        match error {
            ureq::Error::Timeout(_) => Trouble::Passing(unreachable("no answer in time"), None),
            ureq::Error::HostNotFound => Trouble::Lasting(unreachable("unknown host name")),
            ureq::Error::Io(error) if error.kind() == io::ErrorKind::InvalidData => {
                Trouble::Lasting(untrusted(&host, &error.to_string()))
            }
            ureq::Error::Io(error) => match error.to_string().strip_prefix(UNRESOLVED) {
                // Without a network, the user wants to know at once.
                Some(reason) => Trouble::Lasting(unreachable(&printable(reason))),
                None => Trouble::Passing(unreachable(&printable(&io_reason(&error))), None),
            },
            ureq::Error::Rustls(error) => Trouble::Lasting(untrusted(&host, &error.to_string())),
            ureq::Error::Tls(error) => Trouble::Lasting(untrusted(&host, error)),
            ureq::Error::BodyExceedsLimit(_) => {
                Trouble::Lasting(Error::failed(format!("{host} sent more than {} MiB", ANSWER_MAX >> 20)))
            }
            ureq::Error::ConnectionFailed | ureq::Error::Protocol(_) => {
                Trouble::Passing(unreachable("no HTTP answer"), None)
            }
            other => Trouble::Lasting(unreachable(&printable(&other.to_string()))),
        }
    }
}

fn body(response: &mut Response<Body>, limit: u64) -> std::result::Result<Vec<u8>, ureq::Error> {
    response.body_mut().with_config().limit(limit).read_to_vec()
}

fn untrusted(host: &str, reason: &str) -> Error {
    Error::failed(format!("cannot trust {host}: {}", printable(reason)))
        .with_hint("check this machine's certificates; on Debian and Ubuntu: apt install ca-certificates")
}

fn redirected(headers: &HeaderMap) -> Error {
    let target = headers.get(header::LOCATION).and_then(|target| target.to_str().ok()).unwrap_or("nowhere");
    let target: String = target.chars().take(200).collect();
    Error::failed(format!("Lambda Cloud redirects to {}", printable(&target)))
        .with_hint("soong does not send the API key there; if the API has moved, set lambda.base-url")
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
