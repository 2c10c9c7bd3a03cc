//! Parsing of the API's answers: instances and errors.
//!
//! Reads only the fields that a provider lists; the secrets `jupyter_token` and `jupyter_url` are never read.

use serde::Deserialize;
use serde_json::Number;

use super::key::Origin;
use crate::error::Error;
use crate::instances::provider::answer::{Listed, Status};
use crate::terminal::printable;

#[derive(Deserialize)]
struct List {
    data: Vec<Instance>,
}

#[derive(Deserialize)]
struct Instance {
    id: String,
    name: Option<String>,
    ip: Option<String>,
    status: Option<String>,
    region: Option<Region>,
    #[serde(rename = "instance_type")]
    kind: Option<Kind>,
}

#[derive(Deserialize)]
struct Region {
    name: Option<String>,
}

#[derive(Deserialize)]
struct Kind {
    name: Option<String>,
    price_cents_per_hour: Option<Number>,
}

/// Parses the list of instances.
pub(super) fn instances(body: &[u8]) -> Result<Vec<Listed>, Error> {
    let list: List = serde_json::from_slice(body).map_err(|error| {
        // Not the parser's message, which quotes the input.
        let place = format!("line {}, column {}", error.line(), error.column());
        Error::failed(format!("Lambda Cloud's answer is not a list of instances ({place})"))
            .with_hint("check lambda.base-url and SOONG_LAMBDA_ENDPOINT")
    })?;
    Ok(list.data.into_iter().map(listed).collect())
}

fn listed(instance: Instance) -> Listed {
    let (kind, price) = match instance.kind {
        Some(kind) => (kind.name, kind.price_cents_per_hour),
        None => (None, None),
    };
    Listed {
        id: instance.id,
        name: instance.name.filter(|name| !name.is_empty()),
        status: instance.status.map_or(Status::Unknown, |word| Status::from_word(&word)),
        host: instance.ip.filter(|ip| !ip.is_empty()),
        user: None,
        port: None,
        kind,
        region: instance.region.and_then(|region| region.name),
        price_cents_per_hour: price.and_then(|price| price.as_u64()),
    }
}

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

/// Returns the error for an answer with `status`. `origin` is the source of the API key.
pub(super) fn refusal(status: u16, body: &[u8], origin: Origin) -> Error {
    let reason = serde_json::from_slice::<Refusal>(body).unwrap_or_default().error;
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
            Error::failed("this API key may not list instances at Lambda Cloud")
                .with_hint(suggestion.unwrap_or_else(|| another_key.to_owned()))
        }
        ("global/object-does-not-exist" | "global/not-found", _) | ("", 404) => {
            Error::failed(format!("Lambda Cloud has no list of instances at this address (HTTP {status})"))
                .with_hint("check lambda.base-url and SOONG_LAMBDA_ENDPOINT")
        }
        ("", 429) => Error::failed("too many requests to Lambda Cloud (HTTP 429)"),
        ("", 500..) => {
            Error::failed(format!("Lambda Cloud has a problem (HTTP {status})")).with_hint("try again later")
        }
        (code, _) => {
            let words: Vec<String> = [code, reason.message.as_str()]
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

    #[test]
    fn an_instance_as_described_is_listed_without_its_secrets() {
        let body = br#"{"data":[{"id":"0920582c","name":"My Instance","ip":"198.51.100.2","private_ip":"10.0.2.100",
            "status":"active","ssh_key_names":["k"],"file_system_names":[],"region":{"name":"us-west-1","description":"x"},
            "instance_type":{"name":"gpu_8x_example","description":"d","gpu_description":"g","price_cents_per_hour":1592,
            "specs":{"vcpus":124,"memory_gib":1800,"storage_gib":6144,"gpus":8}},"hostname":"h",
            "jupyter_token":"s3cret","jupyter_url":"https://j.example/?token=s3cret","is_reserved":false,
            "actions":{"migrate":{"available":true}},"tags":[]}]}"#;
        let all = instances(body).unwrap();
        assert_eq!(
            all,
            [Listed {
                id: "0920582c".into(),
                name: Some("My Instance".into()),
                status: Status::Active,
                host: Some("198.51.100.2".into()),
                user: None,
                port: None,
                kind: Some("gpu_8x_example".into()),
                region: Some("us-west-1".into()),
                price_cents_per_hour: Some(1592),
            }]
        );
    }

    #[test]
    fn what_may_be_missing_may_be_missing() {
        let body = br#"{"data":[{"id":"a","status":"booting"},{"id":"b","name":"","ip":"","status":"new-word","region":{}}]}"#;
        let all = instances(body).unwrap();
        assert_eq!((all[0].status, &all[0].host, &all[0].name), (Status::Booting, &None, &None));
        assert_eq!((all[1].status, &all[1].host, &all[1].name), (Status::Unknown, &None, &None));
        for body in ["", "{}", "[]", "<html>", r#"{"data":[{"status":"active"}]}"#, r#"{"data":"s3cret"}"#] {
            let error = instances(body.as_bytes()).unwrap_err().to_string();
            assert!(error.starts_with("Lambda Cloud's answer is not a list of instances"), "{error}");
            assert!(!error.contains("s3cret"));
        }
    }

    #[test]
    fn errors_say_what_to_do() {
        let told = |status, body: &str| {
            let error = refusal(status, body.as_bytes(), Origin::Stored);
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
        let printed = refusal(401, b"", Origin::Printed);
        assert!(printed.hints()[0].contains("lambda.api-key-command"));
    }
}
