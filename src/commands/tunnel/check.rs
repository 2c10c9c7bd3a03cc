//! Asking the services of a tunnel, through the tunnel, whether they answer.
//!
//! Three things can be wrong with a request to `localhost`, and each has its own cure: the link is
//! down, nothing listens on the instance, or what listens there says nothing. The tunnel takes a connection
//! before it knows whether the instance will, so only what comes back tells them apart. Requests go to the
//! tunnel's own listeners, so that they meet everything that clients meet.

pub(crate) mod extra;

use std::io::{self, Read, Write};
use std::slice;
use std::thread::{self, Scope, ScopedJoinHandle};
use std::time::Duration;

use serde::Serialize;
use serde_json::Value;

use crate::config::forwarding::{Forwarding, Listen};
use crate::daemon::{self, http};
use crate::error::{Error, Result, io_reason};
use crate::runtime::check_connection;
use crate::runtime::control::{self, Supervisor};
use crate::runtime::directory::Directory;
use crate::runtime::extra::Extra;
use crate::runtime::state::{Forward, Phase, State};
use crate::system::deadline_stream::{DeadlineStream, is_late};
use crate::terminal::printable;

/// How long one service may take to say something.
const PATIENCE: Duration = Duration::from_secs(3);
/// How long to look whether a connection is closed although nothing was sent.
const SECOND_LOOK: Duration = Duration::from_millis(700);
/// The reason for a connection that ends at once although the server connects to the service.
const CLOSES: &str = "closes connections at once";
/// The most that is read of an answer, in bytes.
const RESPONSE_MAX: usize = 64 << 10;
/// The longest name of a model, in characters.
const MODEL_MAX: usize = 200;
/// The service whose model is asked for.
const MODEL_SERVICE: &str = "sglang";

/// What became of asking one service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The name of the service, or a forward beyond the services as it is written.
    pub service: String,
    /// What is listened on for it.
    pub local: Listen,
    /// Both, safe to show.
    #[serde(skip)]
    pub shown: String,
    /// How it is.
    #[serde(rename = "state")]
    pub condition: Condition,
    /// The status code of its HTTP answer.
    pub http_status: Option<u16>,
    /// The model that it serves. Any text.
    pub model: Option<String>,
    /// Why it is not well. Any text.
    pub reason: Option<String>,
}

/// How a service is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Condition {
    /// It answers over HTTP, and with anything but a failure of its own.
    Answering,
    /// Something listens that does not speak HTTP.
    Open,
    /// The link is up, and the service does not answer.
    NotAnswering,
    /// Nothing can be said of it, because the link is down.
    LinkDown,
}

impl Finding {
    fn new(forward: &Forward, condition: Condition) -> Self {
        let shown = format!("localhost:{} {}", forward.local, printable(&forward.service));
        let (service, local) = (forward.service.clone(), Listen::Port(forward.local));
        Self { service, local, shown, condition, http_status: None, model: None, reason: None }
    }

    /// Whether requests to the service are answered.
    pub fn is_well(&self) -> bool {
        matches!(self.condition, Condition::Answering | Condition::Open)
    }

    /// The finding in words, safe to show.
    pub fn text(&self) -> String {
        let status = self.http_status.map(|status| format!("HTTP {status}"));
        let model = self.model.as_ref().map(|model| format!("model {}", printable(model)));
        let reason = self.reason.as_ref().map(|reason| printable(reason).into_owned());
        let details: Vec<String> = [status, model, reason].into_iter().flatten().collect();
        let what = match self.condition {
            Condition::Answering => "answering",
            Condition::Open => "open",
            Condition::NotAnswering => "not answering",
            Condition::LinkDown => "link down",
        };
        if details.is_empty() { what.to_owned() } else { format!("{what}: {}", details.join(", ")) }
    }
}

/// Asks all services of the tunnel in `directory`, side by side. One finding for each forward of
/// `state`, the services first.
pub fn examine(directory: &Directory, state: &State) -> Result<Vec<Finding>> {
    examine_these(directory, state, &state.forwards, &state.extra)
}

/// Asks one service.
pub fn examine_one(directory: &Directory, state: &State, forward: &Forward) -> Result<Finding> {
    let mut findings = examine_these(directory, state, slice::from_ref(forward), &[])?;
    findings.pop().ok_or_else(|| Error::failed("cannot ask the service"))
}

fn examine_these(
    directory: &Directory,
    state: &State,
    forwards: &[Forward],
    extras: &[Extra],
) -> Result<Vec<Finding>> {
    if let Some(reason) = fault_of_tunnel(directory, state) {
        let findings = forwards.iter().map(|forward| Finding::new(forward, Condition::LinkDown));
        let findings =
            findings.chain(extras.iter().map(|extra| extra::finding(extra, Condition::LinkDown, None)));
        return Ok(findings.map(|finding| under(Some(&reason), finding)).collect());
    }
    let findings = thread::scope(|scope| {
        let mut asked = Vec::new();
        for forward in forwards {
            asked.push(begin(scope, move || ask(directory, forward))?);
        }
        for extra in extras {
            asked.push(begin(scope, move || extra::ask(directory, extra))?);
        }
        let down = (!is_link_alive(directory)).then_some("the instance is silent");
        let findings = asked.into_iter().filter_map(|asked| asked.join().ok());
        Ok(findings.map(|finding| under(down, finding)).collect())
    });
    findings.map_err(|source| Error::cannot("ask the services", source))
}

/// Begins to ask beside whatever else is done.
fn begin<'scope>(
    scope: &'scope Scope<'scope, '_>,
    ask: impl FnOnce() -> Finding + Send + 'scope,
) -> io::Result<ScopedJoinHandle<'scope, Finding>> {
    thread::Builder::new().spawn_scoped(scope, ask)
}

/// A service that has answered proves the link; of any other nothing is known without one.
fn under(down: Option<&str>, finding: Finding) -> Finding {
    match down {
        Some(reason) if finding.http_status.is_none() => {
            let reason = Some(reason.to_owned());
            Finding { condition: Condition::LinkDown, reason, model: None, ..finding }
        }
        _ => finding,
    }
}

/// Returns why the tunnel carries nothing, as far as its supervisor knows or shows.
fn fault_of_tunnel(directory: &Directory, state: &State) -> Option<String> {
    let why = || state.last_error.clone().unwrap_or_default();
    match state.phase {
        Phase::Up => {
            (!Supervisor::responds(directory, PATIENCE)).then(|| "the supervisor does not respond".to_owned())
        }
        Phase::Starting => Some("the tunnel is starting".to_owned()),
        Phase::Reconnecting => Some(format!("reconnecting: {}", why())),
        Phase::Failed => Some(why()),
    }
}

/// Asks the link whether its far end answers, by way of the forward that the supervisor's own checks use.
fn is_link_alive(directory: &Directory) -> bool {
    DeadlineStream::open(&directory.probe_socket(), PATIENCE)
        .and_then(|mut probe| probe.read(&mut [0]))
        .is_ok()
}

/// What comes back from a service.
#[derive(Debug)]
enum Reply {
    /// Bytes.
    Said(Vec<u8>),
    /// The end of the connection.
    Closed,
    /// Nothing in time.
    Silence,
    /// No connection, and why.
    Unreachable(String),
}

fn ask(directory: &Directory, forward: &Forward) -> Finding {
    let listen = &Listen::Port(forward.local);
    let obstacle = || obstacle(directory, &Forwarding::Local(listen.clone(), forward.target()));
    for path in paths(&forward.service) {
        let finding = match request(listen, path, forward.service == MODEL_SERVICE) {
            Reply::Said(bytes) => heard(&bytes, forward),
            Reply::Unreachable(reason) => unwell(forward, &reason),
            Reply::Silence => unwell(
                forward,
                &obstacle().unwrap_or_else(|| "accepts connections but does not answer".into()),
            ),
            Reply::Closed if matches!(listen_to(listen, &[], 1, SECOND_LOOK), Reply::Closed) => {
                unwell(forward, &obstacle().unwrap_or_else(|| CLOSES.into()))
            }
            Reply::Closed => no_http(forward),
        };
        if finding.http_status != Some(404) || finding.service != MODEL_SERVICE {
            return finding;
        }
    }
    Finding { http_status: Some(404), ..Finding::new(forward, Condition::Answering) }
}

/// Where to ask a service, most telling first.
fn paths(service: &str) -> &'static [&'static str] {
    match service {
        MODEL_SERVICE => &["/v1/models", "/get_model_info"],
        daemon::SERVICE => &["/health"],
        _ => &["/"],
    }
}

/// Returns why connections of `forwarding` get nowhere, as far as the supervisor knows; `None` if the server
/// connects to its target.
fn obstacle(directory: &Directory, forwarding: &Forwarding) -> Option<String> {
    let asked = Supervisor::connect(directory).ok()?.change(control::WHY, forwarding);
    let Err(Error::Failed { message, .. }) = asked else { return None };
    let reason = message.strip_prefix("connect failed: ").unwrap_or(&message);
    Some(match reason {
        control::NO_ROOM => reason.to_owned(),
        "Connection refused" => "refused on the instance".to_owned(),
        _ => format!("the instance cannot connect: {reason}"),
    })
}

fn unwell(forward: &Forward, reason: &str) -> Finding {
    Finding { reason: Some(reason.to_owned()), ..Finding::new(forward, Condition::NotAnswering) }
}

fn no_http(forward: &Forward) -> Finding {
    Finding { reason: Some("not HTTP".to_owned()), ..Finding::new(forward, Condition::Open) }
}

/// What the bytes mean that a service has sent.
fn heard(bytes: &[u8], forward: &Forward) -> Finding {
    let Some(status) = status(bytes) else { return no_http(forward) };
    let condition = if status < 500 { Condition::Answering } else { Condition::NotAnswering };
    let model = if forward.service == MODEL_SERVICE { model(bytes) } else { None };
    Finding { http_status: Some(status), model, ..Finding::new(forward, condition) }
}

/// The status code of an HTTP answer, be it cut off.
fn status(bytes: &[u8]) -> Option<u16> {
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut response = httparse::Response::new(&mut headers);
    match response.parse(bytes) {
        // More headers than there is room for: the first line was understood.
        Ok(_) | Err(httparse::Error::TooManyHeaders) => response.code,
        Err(_) => None,
    }
}

/// The model that an answer to `/v1/models` or `/get_model_info` names.
fn model(bytes: &[u8]) -> Option<String> {
    let body: Value = serde_json::from_slice(&http::parse_response(bytes).ok()?.body).ok()?;
    let name = body["data"][0]["id"].as_str().or_else(|| body["model_path"].as_str())?;
    Some(name.chars().take(MODEL_MAX).collect())
}

/// Sends `GET path` and reads as much of the answer as is needed: its first line, or `whole`.
fn request(listen: &Listen, path: &str, whole: bool) -> Reply {
    let is_enough = |said: &[u8]| {
        status(said).is_some() && (!whole || http::parse_response(said).is_ok_and(|_| model(said).is_some()))
    };
    converse(listen, &http::get(path, None), PATIENCE, is_enough)
}

/// Sends `bytes` and reads `length` bytes.
fn listen_to(listen: &Listen, bytes: &[u8], length: usize, patience: Duration) -> Reply {
    converse(listen, bytes, patience, |said| said.len() >= length)
}

/// Connects as a client does, sends `bytes` and reads until `is_enough`.
fn converse(listen: &Listen, bytes: &[u8], patience: Duration, is_enough: impl Fn(&[u8]) -> bool) -> Reply {
    let mut stream = match check_connection::open(listen, patience) {
        Ok(stream) => stream,
        Err(error) if is_late(&error) => return Reply::Silence,
        Err(error) => {
            return Reply::Unreachable(format!("cannot connect to {listen}: {}", io_reason(&error)));
        }
    };
    // A service that does not take the request may have something to say nevertheless.
    let _ = stream.write_all(bytes);
    let (mut said, mut piece) = (Vec::new(), [0; 4096]);
    let mut is_silent = false;
    while said.len() < RESPONSE_MAX && !is_enough(&said) {
        match stream.read(&mut piece) {
            Ok(length @ 1..) => said.extend_from_slice(&piece[..length]),
            outcome => {
                is_silent = outcome.is_err_and(|error| is_late(&error));
                break;
            }
        }
    }
    match (said.is_empty(), is_silent) {
        (false, _) => Reply::Said(said),
        (true, false) => Reply::Closed,
        (true, true) => Reply::Silence,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn forward(service: &str) -> Forward {
        Forward { service: service.into(), local: 8000, remote: 8000 }
    }

    #[test]
    fn what_a_service_says_is_read() {
        let models = b"HTTP/1.1 200 OK\r\n\r\n{\"data\":[{\"id\":\"qwen\\u001b[2J\"}]}";
        assert_eq!(heard(models, &forward("sglang")).text(), "answering: HTTP 200, model qwen\\u{1b}[2J");
        let info = b"HTTP/1.1 200 OK\r\n\r\n{\"model_path\":\"/m/llama\"}";
        assert_eq!(heard(info, &forward("sglang")).text(), "answering: HTTP 200, model /m/llama");
        assert_eq!(heard(info, &forward("n8n")).text(), "answering: HTTP 200");
        for (bytes, text) in [
            (&b"HTTP/1.1 401 Unauthorized\r\nX: "[..], "answering: HTTP 401"),
            (b"HTTP/1.1 503 x\r\n\r\n", "not answering: HTTP 503"),
            (b"SSH-2.0-x\r\n", "open: not HTTP"),
            (b"HTTP/1.1", "open: not HTTP"),
            (b"\xff\x00", "open: not HTTP"),
        ] {
            assert_eq!(heard(bytes, &forward("sglang")).text(), text);
        }
        let long = format!("HTTP/1.1 200 OK\r\n\r\n{{\"model_path\":\"{}\"}}", "x".repeat(5000));
        assert_eq!(model(long.as_bytes()).unwrap().len(), MODEL_MAX);
        let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "A: b\r\n".repeat(500));
        assert_eq!(status(many.as_bytes()), Some(200));
    }

    #[test]
    fn without_a_link_nothing_is_said_of_a_service() {
        let found = under(Some("reconnecting: x"), unwell(&forward("n8n"), "refused"));
        assert_eq!(found.text(), "link down: reconnecting: x");
        let answered = heard(b"HTTP/1.1 200 OK\r\n\r\n", &forward("n8n"));
        assert!(under(Some("x"), answered).is_well());
    }
}
