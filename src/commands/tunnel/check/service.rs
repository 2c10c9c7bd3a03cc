//! Checks of services, which are HTTP servers.

use serde_json::Value;

use super::exchange::{CLOSES, PATIENCE, Reply, SECOND_LOOK, converse, listen_to, obstacle};
use super::finding::{Condition, Finding};
use crate::config::forwarding::Listen;
use crate::daemon::{self, http};
use crate::runtime::directory::Directory;
use crate::runtime::forward::Forward;

/// Longest model name, in characters.
const MODEL_MAX: usize = 200;
/// Service whose model is shown.
const MODEL_SERVICE: &str = "sglang";

/// Checks the service of `forward`.
pub(super) fn check(directory: &Directory, forward: &Forward) -> Finding {
    let listen = &forward.spec.listen();
    let obstacle = || obstacle(directory, &forward.spec);
    for path in paths(&forward.to_string()) {
        let finding = match request(listen, path, forward.is_for(MODEL_SERVICE)) {
            Reply::Said(bytes) => interpret(&bytes, forward),
            Reply::Unreachable(reason) => not_answering(forward, &reason),
            Reply::Silence => not_answering(
                forward,
                &obstacle().unwrap_or_else(|| "accepts connections but does not answer".into()),
            ),
            Reply::Closed if matches!(listen_to(listen, &[], 1, SECOND_LOOK), Reply::Closed) => {
                not_answering(forward, &obstacle().unwrap_or_else(|| CLOSES.into()))
            }
            Reply::Closed => no_http(forward),
        };
        if finding.http_status != Some(404) || finding.service != MODEL_SERVICE {
            return finding;
        }
    }
    Finding { http_status: Some(404), ..Finding::new(forward, Condition::Answering) }
}

/// Returns the paths to request, most informative first.
fn paths(service: &str) -> &'static [&'static str] {
    match service {
        MODEL_SERVICE => &["/v1/models", "/get_model_info"],
        daemon::SERVICE => &["/health"],
        _ => &["/"],
    }
}

fn not_answering(forward: &Forward, reason: &str) -> Finding {
    Finding { reason: Some(reason.to_owned()), ..Finding::new(forward, Condition::NotAnswering) }
}

fn no_http(forward: &Forward) -> Finding {
    Finding { reason: Some("not HTTP".to_owned()), ..Finding::new(forward, Condition::Open) }
}

/// Interprets the bytes that a service sent.
fn interpret(bytes: &[u8], forward: &Forward) -> Finding {
    let Some(status) = status(bytes) else { return no_http(forward) };
    let condition = if status < 500 { Condition::Answering } else { Condition::NotAnswering };
    let model = if forward.is_for(MODEL_SERVICE) { model(bytes) } else { None };
    Finding { http_status: Some(status), model, ..Finding::new(forward, condition) }
}

/// Returns the status code of an HTTP answer, even an incomplete one.
fn status(bytes: &[u8]) -> Option<u16> {
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut response = httparse::Response::new(&mut headers);
    match response.parse(bytes) {
        // The first line was parsed.
        Ok(_) | Err(httparse::Error::TooManyHeaders) => response.code,
        Err(_) => None,
    }
}

/// Returns the model that an answer to `/v1/models` or `/get_model_info` names.
fn model(bytes: &[u8]) -> Option<String> {
    let body: Value = serde_json::from_slice(&http::parse_response(bytes).ok()?.body).ok()?;
    let name = body["data"][0]["id"].as_str().or_else(|| body["model_path"].as_str())?;
    Some(name.chars().take(MODEL_MAX).collect())
}

/// Sends `GET path` and reads the first line of the answer, or the `whole` answer.
fn request(listen: &Listen, path: &str, whole: bool) -> Reply {
    let is_enough = |said: &[u8]| {
        status(said).is_some() && (!whole || http::parse_response(said).is_ok_and(|_| model(said).is_some()))
    };
    converse(listen, &http::get(path, None), PATIENCE, is_enough)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn forward(service: &str) -> Forward {
        Forward::of_service(service, 8000, 8000)
    }

    #[test]
    fn what_a_service_says_is_read() {
        let models = b"HTTP/1.1 200 OK\r\n\r\n{\"data\":[{\"id\":\"qwen\\u001b[2J\"}]}";
        assert_eq!(interpret(models, &forward("sglang")).text(), "answering: HTTP 200, model qwen\\u{1b}[2J");
        let info = b"HTTP/1.1 200 OK\r\n\r\n{\"model_path\":\"/m/llama\"}";
        assert_eq!(interpret(info, &forward("sglang")).text(), "answering: HTTP 200, model /m/llama");
        assert_eq!(interpret(info, &forward("n8n")).text(), "answering: HTTP 200");
        for (bytes, text) in [
            (&b"HTTP/1.1 401 Unauthorized\r\nX: "[..], "answering: HTTP 401"),
            (b"HTTP/1.1 503 x\r\n\r\n", "not answering: HTTP 503"),
            (b"SSH-2.0-x\r\n", "open: not HTTP"),
            (b"HTTP/1.1", "open: not HTTP"),
            (b"\xff\x00", "open: not HTTP"),
        ] {
            assert_eq!(interpret(bytes, &forward("sglang")).text(), text);
        }
        let long = format!("HTTP/1.1 200 OK\r\n\r\n{{\"model_path\":\"{}\"}}", "x".repeat(5000));
        assert_eq!(model(long.as_bytes()).unwrap().len(), MODEL_MAX);
        let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "A: b\r\n".repeat(500));
        assert_eq!(status(many.as_bytes()), Some(200));
    }
}
