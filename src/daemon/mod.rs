//! Client of the status daemon on an instance: requests, and the meaning of answers.
//!
//! Requests go over SSH only, never to a public port. All but `/health` need a Bearer token:
//!
//! - `GET /status` answers an object with, among others, `shutdown_at` (RFC 3339),
//!   `gpu_utilization` (percent, -1 when unknown), `model_loaded` (`not-loaded` for none),
//!   `idle_minutes`;
//! - `POST /extend` takes the form field `hours` and answers `extended_by_hours` and
//!   `new_shutdown_at`;
//! - `POST /keep` takes the form field `minutes` and answers `kept_until` and `shutdown_at`.
//!
//! Missing or malformed fields count as unknown.

pub mod client;
pub mod exchange;
pub mod http;

use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde_json::Value;

pub use self::client::SERVICE;
pub use self::exchange::PATIENCE;
use self::http::Response;
use crate::error::{Error, Result};
use crate::runtime::state::Facts;
use crate::terminal::printable;

/// Result of an extension.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extension {
    /// Time added; `None` if the daemon does not say.
    pub granted: Option<Duration>,
    /// New end of the lease in seconds since the epoch; `None` if the daemon does not say.
    pub lease_end: Option<u64>,
}

/// Returns the request for [`Facts`].
pub fn status_request(token: &str) -> Vec<u8> {
    http::get("/status", Some(token))
}

/// Returns the request for `wanted` more.
pub fn extend_request(token: &str, wanted: Duration) -> Vec<u8> {
    // Whole hours without decimals: older daemons accept nothing else.
    let hours = format!("{:.4}", wanted.as_secs_f64() / 3600.0);
    let hours = hours.trim_end_matches('0').trim_end_matches('.');
    http::post("/extend", Some(token), &format!("hours={hours}"))
}

/// Returns the request for no idle shutdown within `minutes`.
pub fn keep_request(token: &str, minutes: u64) -> Vec<u8> {
    http::post("/keep", Some(token), &format!("minutes={minutes}"))
}

/// Parses the answer to [`status_request`].
pub fn facts(answer: &[u8]) -> Result<Facts> {
    /// Longest model name, in characters.
    const MODEL_MAX: usize = 200;
    /// Longest explanation, in characters.
    const WHY_MAX: usize = 400;
    let body = object(&http::parse_response(answer)?)?;
    let model = body["model_loaded"].as_str().filter(|name| !name.is_empty() && *name != "not-loaded");
    Ok(Facts {
        lease_end: time(&body["shutdown_at"]),
        gpu_load: body["gpu_utilization"]
            .as_u64()
            .and_then(|load| u8::try_from(load).ok())
            .filter(|load| *load <= 100),
        model: model.map(|name| name.chars().take(MODEL_MAX).collect()),
        idle_minutes: body["idle_minutes"].as_u64(),
        why: body["why"].as_str().map(|why| why.chars().take(WHY_MAX).collect()),
    })
}

/// Returns the daemon's version in an answer to [`status_request`].
pub fn version(answer: &[u8]) -> Result<String> {
    let body = object(&http::parse_response(answer)?)?;
    Ok(body["version"].as_str().unwrap_or("unknown").to_owned())
}

/// Parses the answer to [`extend_request`].
pub fn extension(answer: &[u8]) -> Result<Extension> {
    let body = object(&http::parse_response(answer)?)?;
    let hours = body["extended_by_hours"].as_f64().filter(|hours| (0.0..=HOURS_MAX).contains(hours));
    // Daemons round hours to four decimals.
    let granted = hours.map(|hours| Duration::from_secs_f64((hours * 3600.0).round()));
    Ok(Extension { granted, lease_end: time(&body["new_shutdown_at"]) })
}

/// Longest extension that makes sense, in hours.
const HOURS_MAX: f64 = 24.0 * 366.0;

/// Result of a keep.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// End of the keep in seconds since the epoch; `None` if the daemon does not say.
    pub until: Option<u64>,
    /// End of the lease in seconds since the epoch; `None` if the daemon does not say.
    pub lease_end: Option<u64>,
}

/// Parses the answer to [`keep_request`].
pub fn kept(answer: &[u8]) -> Result<Kept> {
    let body = object(&http::parse_response(answer)?)?;
    Ok(Kept { until: time(&body["kept_until"]), lease_end: time(&body["shutdown_at"]) })
}

/// Returns the JSON object of a successful answer; otherwise the error it stands for.
fn object(answer: &Response) -> Result<Value> {
    match answer.status {
        200..=299 => {}
        401 | 403 => {
            return Err(Error::failed("the status daemon rejects the token")
                .with_hint("set the token of the daemon: soong configure set daemon.token"));
        }
        404 => {
            return Err(Error::failed("another program answers on the status daemon's port")
                .with_hint("set the port of the daemon: status = PORT in [services] of config.toml"));
        }
        status => {
            return Err(Error::failed(format!(
                "the status daemon answered {status}{}",
                complaint(&answer.body)
            )));
        }
    }
    match serde_json::from_slice(&answer.body) {
        Ok(value @ Value::Object(_)) => Ok(value),
        _ => Err(Error::failed("the status daemon's answer is malformed")
            .with_hint("another program may listen on its port: see [services] in config.toml")),
    }
}

/// Returns the daemon's own error message as `: text`.
fn complaint(body: &[u8]) -> String {
    const SHOWN: usize = 200;
    let value: Value = serde_json::from_slice(body).unwrap_or_default();
    let text = value["error"].as_str().or_else(|| value["message"].as_str());
    text.map_or_else(String::new, |text| {
        let text: String = text.chars().take(SHOWN).collect();
        format!(": {}", printable(&text))
    })
}

/// Parses an RFC 3339 time, in UTC if it has no offset, as seconds since the epoch. Returns `None` for the
/// epoch and earlier: no lease ends then, and readers of the prompt file reject such numbers.
fn time(value: &Value) -> Option<u64> {
    let text = value.as_str()?;
    let utc = |time: DateTime| time.to_zoned(TimeZone::UTC).map(|time| time.timestamp());
    let time = text.parse::<Timestamp>().or_else(|_| text.parse::<DateTime>().and_then(utc)).ok()?;
    u64::try_from(time.as_second()).ok().filter(|seconds| *seconds > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: &str, body: &str) -> Vec<u8> {
        format!("HTTP/1.1 {status}\r\nContent-Type: application/json\r\n\r\n{body}").into_bytes()
    }

    #[test]
    fn facts_are_read_and_oddities_count_as_unknown() {
        let body =
            r#"{"shutdown_at":"2026-01-02T03:04:05.678901Z","gpu_utilization":37,"model_loaded":"qwen"}"#;
        let facts_of = |body: &str| facts(&answer("200 OK", body)).unwrap();
        assert_eq!(
            facts_of(body),
            Facts {
                lease_end: Some(1_767_323_045),
                gpu_load: Some(37),
                model: Some("qwen".into()),
                ..Facts::default()
            }
        );
        assert_eq!(facts_of("{}"), Facts::default());
        let odd = r#"{"shutdown_at":"soon","gpu_utilization":-1,"model_loaded":"not-loaded"}"#;
        assert_eq!(facts_of(odd), Facts::default());
        assert_eq!(
            facts_of(r#"{"gpu_utilization":"37","shutdown_at":7,"model_loaded":null}"#),
            Facts::default()
        );
    }

    #[test]
    fn a_time_is_a_moment_after_the_epoch_or_unknown() {
        for (text, expected) in [
            ("2026-01-02T03:04:05Z", Some(1_767_323_045)),
            ("2026-01-02T03:04:05.999999+00:00", Some(1_767_323_045)),
            ("2026-01-02T05:04:05+02:00", Some(1_767_323_045)),
            ("2026-01-02T03:04:05.678901", Some(1_767_323_045)),
            ("2026-01-02 03:04:05", Some(1_767_323_045)),
            ("2016-12-31T23:59:60Z", Some(1_483_228_799)),
            ("2024-02-29T00:00:00Z", Some(1_709_164_800)),
            ("1970-01-01T00:00:01Z", Some(1)),
            ("9999-12-30T00:00:00Z", Some(253_402_128_000)),
            ("1970-01-01T00:00:00Z", None),
            ("1970-01-01T00:00:00.5Z", None),
            ("1969-12-31T23:59:59Z", None),
            ("0000-01-01T00:00:00Z", None),
            ("0001-01-01T00:00:00", None),
            ("-009999-01-01T00:00:00Z", None),
            ("10000-01-01T00:00:00Z", None),
            ("+010000-01-01T00:00:00Z", None),
            ("2023-02-29T00:00:00Z", None),
            ("2026-01-02T25:00:00Z", None),
            ("soon", None),
            ("", None),
        ] {
            assert_eq!(time(&Value::from(text)), expected, "{text}");
        }
        for value in [Value::Null, Value::from(0), Value::from(-1), Value::from(1_767_323_045)] {
            assert_eq!(time(&value), None, "{value}");
        }
    }

    #[test]
    fn an_extension_tells_what_was_granted() {
        let body = r#"{"extended_by_hours":2,"new_shutdown_at":"1970-01-01T01:00:00Z"}"#;
        assert_eq!(
            extension(&answer("200 OK", body)).unwrap(),
            Extension { granted: Some(Duration::from_secs(7200)), lease_end: Some(3600) }
        );
    }

    #[test]
    fn refusals_name_the_way_out() {
        let error = facts(&answer("401 X", r#"{"error":"unauthorized"}"#)).unwrap_err();
        assert!(error.hints()[0].contains("daemon.token"));
        let error = facts(&answer("500 X", r#"{"error":"boom\u001b[31m"}"#)).unwrap_err();
        assert_eq!(error.to_string(), "the status daemon answered 500: boom\\u{1b}[31m");
        assert!(facts(&answer("200 OK", "<html>")).is_err());
        assert!(facts(&answer("200 OK", "[1]")).is_err());
    }
}
