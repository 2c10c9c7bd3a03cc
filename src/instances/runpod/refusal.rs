//! Errors of the API. REST v1 answers with `{"error": TEXT}`, REST v2 with `{"title", "detail", "status"}`; neither
//! has codes, so statuses and a few known sentences decide.

use serde::Deserialize;

use crate::error::Error;
use crate::instances::provider::{Code, Refused, Verb};
use crate::instances::rest::service::{Origin, Rejection};
use crate::terminal::printable;

/// Parts of the sentences in which the API says that no machine is free, also with status 500.
const SOLD_OUT: [&str; 3] = [
    "no longer any instances available",
    "no instances currently available",
    "does not have the resources to deploy your pod",
];

#[derive(Default, Deserialize)]
#[serde(default)]
struct Body {
    error: Option<String>,
    detail: Option<String>,
    title: Option<String>,
    message: Option<String>,
}

/// Returns the words for a refused request.
pub(super) fn refusal(rejection: &Rejection<'_>) -> Refused {
    let body = serde_json::from_slice::<Body>(rejection.body).unwrap_or_default();
    let text = body.detail.or(body.error).or(body.message).or(body.title).unwrap_or_default();
    Refused::from_error(code(rejection, &text), &error(rejection, &text))
}

fn code(rejection: &Rejection<'_>, text: &str) -> Code {
    match rejection.status {
        _ if SOLD_OUT.iter().any(|part| text.to_lowercase().contains(part)) => Code::NoCapacity,
        401 | 403 => Code::Unauthorized,
        // The balance of the account is too low.
        402 => Code::Quota,
        404 if rejection.verb == Verb::Terminate => Code::NotFound,
        429 => Code::RateLimited,
        _ => Code::Other,
    }
}

fn error(rejection: &Rejection<'_>, text: &str) -> Error {
    let (status, service) = (rejection.status, rejection.service);
    match status {
        401 | 403 => Error::failed("RunPod rejects the API key").with_hint(match rejection.origin {
            Origin::Stored => format!("create one at {}, then run '{}'", service.keys, service.store_key),
            Origin::Printed => {
                format!("check that runpod.api-key-command prints a key of {}", service.keys)
            }
        }),
        404 if rejection.verb == Verb::Terminate => Error::failed("RunPod has no such pod"),
        404 if text.is_empty() => Error::failed("RunPod has no such resource at this address (HTTP 404)")
            .with_hint(service.check_address()),
        429 => Error::failed("too many requests to RunPod (HTTP 429)"),
        500.. if text.is_empty() => {
            Error::failed(format!("RunPod has a problem (HTTP {status})")).with_hint("try again later")
        }
        _ if text.is_empty() => Error::failed(format!("RunPod answers with HTTP {status}")),
        _ => Error::failed(format!("RunPod answers with HTTP {status}: {}", shown(text))),
    }
}

/// Returns a text of the server, printable and clipped.
fn shown(text: &str) -> String {
    const LENGTH: usize = 200;
    let clipped: String = text.trim_end_matches('.').chars().take(LENGTH).collect();
    printable(&clipped).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::instances::runpod::SERVICE;

    fn told(status: u16, body: &str, verb: Verb) -> (Code, String) {
        let (service, body, origin) = (&SERVICE, body.as_bytes(), Origin::Stored);
        let rejection = Rejection { service, status, body, origin, verb };
        let refused = refusal(&rejection);
        (refused.code, refused.message)
    }

    #[test]
    fn statuses_and_known_sentences_have_a_meaning() {
        let none =
            "create pod: There are no longer any instances available with the requested specifications.";
        let v1 = format!(r#"{{"error":"{none}","status":500}}"#);
        let v2 = format!(r#"{{"title":"Bad Request","detail":"{none}","status":400}}"#);
        for (status, body, verb, code, words) in [
            (500, v1.as_str(), Verb::Launch, Code::NoCapacity, "no longer any instances"),
            (400, v2.as_str(), Verb::Launch, Code::NoCapacity, "no longer any instances"),
            (401, "", Verb::List, Code::Unauthorized, "rejects the API key"),
            (403, "{}", Verb::Offers, Code::Unauthorized, "rejects the API key"),
            (402, r#"{"error":"balance too low"}"#, Verb::Launch, Code::Quota, "HTTP 402: balance too low"),
            (404, "", Verb::Terminate, Code::NotFound, "no such pod"),
            (404, "<html>", Verb::List, Code::Other, "at this address"),
            (429, "", Verb::Launch, Code::RateLimited, "too many requests"),
            (500, r#"{"error":"Something went wrong."}"#, Verb::Launch, Code::Other, "Something went wrong"),
            (502, "<html>", Verb::Launch, Code::Other, "RunPod has a problem (HTTP 502)"),
            (400, r#"{"error":"\u001b[2J"}"#, Verb::Launch, Code::Other, "\\u{1b}[2J"),
        ] {
            let (found, message) = told(status, body, verb);
            assert_eq!(found, code, "{status} {body}");
            assert!(message.contains(words), "{message}");
        }
        assert!(told(400, &format!(r#"{{"error":"{}"}}"#, "x".repeat(9000)), Verb::List).1.len() < 300);
    }
}
