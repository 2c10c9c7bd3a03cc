//! Errors of the API: what its codes and statuses mean, and what the user can do.

use serde::Deserialize;

use crate::error::Error;
use crate::instances::provider::{Code, Refused, Verb};
use crate::instances::rest::service::{Origin, Rejection};
use crate::terminal::printable;

/// Body of an error answer.
#[derive(Default, Deserialize)]
struct Refusal {
    error: Reason,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Reason {
    code: String,
    message: String,
    suggestion: Option<String>,
}

/// Returns the words for a refused request.
pub(super) fn refusal(rejection: &Rejection<'_>) -> Refused {
    let Rejection { status, body, origin, verb, .. } = *rejection;
    let reason = serde_json::from_slice::<Refusal>(body).unwrap_or_default().error;
    Refused::from_error(code(&reason.code, status, verb), &error(&reason, status, origin, verb))
}

/// Returns the meaning of the API's `code`, or of `status` if the answer has none.
fn code(code: &str, status: u16, verb: Verb) -> Code {
    match (code, status) {
        ("global/invalid-api-key" | "global/account-inactive" | "global/forbidden", _) => Code::Unauthorized,
        ("global/object-does-not-exist" | "global/not-found", _) if verb == Verb::Terminate => Code::NotFound,
        (code, _) if code.ends_with("/insufficient-capacity") => Code::NoCapacity,
        (code, _) if code.ends_with("/quota-exceeded") => Code::Quota,
        (_, 429) => Code::RateLimited,
        ("", 401 | 403) => Code::Unauthorized,
        _ => Code::Other,
    }
}

fn error(reason: &Reason, status: u16, origin: Origin, verb: Verb) -> Error {
    let suggestion = reason.suggestion.as_deref().filter(|text| !text.is_empty()).map(shown);
    let another_key = match origin {
        Origin::Stored => "create one at https://cloud.lambda.ai/api-keys, then run 'soong configure'",
        Origin::Printed => {
            "check that lambda.api-key-command prints a key of https://cloud.lambda.ai/api-keys"
        }
    };
    match (reason.code.as_str(), status) {
        ("global/invalid-api-key", _) | ("", 401) => {
            Error::failed("Lambda Cloud rejects the API key").with_hint(another_key)
        }
        ("global/account-inactive", _) => {
            Error::failed("the Lambda Cloud account is inactive").with_hint(suggestion.unwrap_or_else(|| {
                "verify your e-mail address and payment method at https://cloud.lambda.ai".to_owned()
            }))
        }
        ("global/forbidden", _) | ("", 403) => {
            Error::failed(format!("this API key may not {} at Lambda Cloud", action(verb)))
                .with_hint(suggestion.unwrap_or_else(|| another_key.to_owned()))
        }
        ("global/object-does-not-exist" | "global/not-found", _) if verb == Verb::Terminate => {
            Error::failed("Lambda Cloud has no such instance")
        }
        ("global/object-does-not-exist" | "global/not-found", _) if verb == Verb::List => {
            absent(verb, status)
        }
        ("", 404) => absent(verb, status),
        ("", 429) => Error::failed("too many requests to Lambda Cloud (HTTP 429)"),
        ("", 500..) => {
            Error::failed(format!("Lambda Cloud has a problem (HTTP {status})")).with_hint("try again later")
        }
        _ => in_its_words(reason, status, suggestion),
    }
}

fn action(verb: Verb) -> &'static str {
    match verb {
        Verb::List => "list instances",
        Verb::Offers => "list instance types",
        Verb::Launch => "launch instances",
        Verb::Terminate => "terminate instances",
    }
}

/// Returns the error for an address without the API.
fn absent(verb: Verb, status: u16) -> Error {
    let what = match verb {
        Verb::List => "no list of instances",
        Verb::Offers => "no list of instance types",
        Verb::Launch | Verb::Terminate => "no such operation",
    };
    Error::failed(format!("Lambda Cloud has {what} at this address (HTTP {status})"))
        .with_hint("check lambda.base-url and SOONG_LAMBDA_ENDPOINT")
}

fn in_its_words(reason: &Reason, status: u16, suggestion: Option<String>) -> Error {
    let words: Vec<String> = [reason.code.as_str(), reason.message.as_str()]
        .iter()
        .filter(|text| !text.is_empty())
        .map(|text| shown(text))
        .collect();
    let words = if words.is_empty() { String::new() } else { format!(": {}", words.join(": ")) };
    let error = Error::failed(format!("Lambda Cloud answers with HTTP {status}{words}"));
    match suggestion {
        Some(suggestion) => error.with_hint(suggestion),
        None => error,
    }
}

/// Returns a text of the server, printable and clipped.
fn shown(text: &str) -> String {
    const LENGTH: usize = 200;
    let text = text.trim_end_matches('.');
    let clipped: String = text.chars().take(LENGTH).collect();
    printable(&clipped).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::instances::lambda::SERVICE;

    fn refusal(status: u16, body: &[u8], origin: Origin, verb: Verb) -> Refused {
        super::refusal(&Rejection { service: &SERVICE, status, body, origin, verb })
    }

    #[test]
    fn errors_say_what_to_do() {
        let told = |status, body: &str| {
            let error = Error::from(refusal(status, body.as_bytes(), Origin::Stored, Verb::List));
            format!("{error}{}", error.hints().iter().map(|hint| format!(" | {hint}")).collect::<String>())
        };
        let error =
            |code: &str, message: &str| format!(r#"{{"error":{{"code":"{code}","message":"{message}"}}}}"#);
        let key = "Lambda Cloud rejects the API key | create one at https://cloud.lambda.ai/api-keys, then run 'soong configure'";
        assert_eq!(told(401, &error("global/invalid-api-key", "x")), key);
        assert_eq!(told(401, "<html>"), key);
        assert_eq!(
            told(403, &error("global/invalid-api-key", "x")),
            key,
            "the code says more than the status"
        );
        assert_eq!(
            told(403, r#"{"error":{"code":"global/account-inactive","message":"m","suggestion":"Pay."}}"#),
            "the Lambda Cloud account is inactive | Pay"
        );
        assert!(told(404, &error("global/object-does-not-exist", "x")).contains("lambda.base-url"));
        assert!(told(404, "").contains("lambda.base-url"));
        assert_eq!(told(429, ""), "too many requests to Lambda Cloud (HTTP 429)");
        assert_eq!(told(503, ""), "Lambda Cloud has a problem (HTTP 503) | try again later");
        assert_eq!(
            told(400, &error("global/invalid-parameters", "\\u001b[2JInvalid request data.")),
            "Lambda Cloud answers with HTTP 400: global/invalid-parameters: \\u{1b}[2JInvalid request data"
        );
        assert!(told(418, &error("", &"x".repeat(10_000))).len() < 300);
        let printed = refusal(401, b"", Origin::Printed, Verb::List);
        assert!(printed.hints[0].contains("lambda.api-key-command"));
    }

    #[test]
    fn every_published_code_has_its_meaning() {
        let meaning = |status: u16, code: &str, verb: Verb| {
            let body = format!(r#"{{"error":{{"code":"{code}","message":"m"}}}}"#);
            refusal(status, body.as_bytes(), Origin::Stored, verb).code
        };
        for (status, code, launch, terminate) in [
            (400, "instance-operations/launch/insufficient-capacity", Code::NoCapacity, Code::NoCapacity),
            (400, "instance-operations/launch/file-system-in-wrong-region", Code::Other, Code::Other),
            (400, "global/quota-exceeded", Code::Quota, Code::Quota),
            (400, "provider/quota-exceeded", Code::Quota, Code::Quota),
            (400, "global/invalid-parameters", Code::Other, Code::Other),
            (400, "global/duplicate", Code::Other, Code::Other),
            (401, "global/invalid-api-key", Code::Unauthorized, Code::Unauthorized),
            (403, "global/account-inactive", Code::Unauthorized, Code::Unauthorized),
            (403, "", Code::Unauthorized, Code::Unauthorized),
            (404, "global/object-does-not-exist", Code::Other, Code::NotFound),
            (404, "", Code::Other, Code::Other),
            (429, "", Code::RateLimited, Code::RateLimited),
            (429, "global/too-many-requests", Code::RateLimited, Code::RateLimited),
            (503, "provider/internal-unavailable", Code::Other, Code::Other),
        ] {
            assert_eq!(meaning(status, code, Verb::Launch), launch, "{code}");
            assert_eq!(meaning(status, code, Verb::Terminate), terminate, "{code}");
        }
    }
}
