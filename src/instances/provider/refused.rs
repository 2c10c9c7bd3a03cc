//! Errors of providers with a code, for callers that act on it:
//!
//! ```json
//! {"error": {"code": "rate-limited", "message": "too many requests", "retry_after": 12}}
//! ```
//!
//! The object is on stdout; the exit code is 1. `retry_after` is in seconds. Hints are on stderr.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::Error;

/// Longest pause that a provider can ask for.
const PAUSE_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// Reason of a refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Code {
    /// No machine of this type is free in this region.
    NoCapacity,
    /// The account's quota is used up.
    Quota,
    /// The key or the account is not accepted.
    Unauthorized,
    /// The instance does not exist.
    NotFound,
    /// Too many requests. The request was not carried out.
    RateLimited,
    /// The request may have been carried out: its answer was lost.
    UnknownOutcome,
    /// Any other reason. The request was not carried out.
    Other,
}

impl Code {
    /// Returns the word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::NoCapacity => "no-capacity",
            Self::Quota => "quota",
            Self::Unauthorized => "unauthorized",
            Self::NotFound => "not-found",
            Self::RateLimited => "rate-limited",
            Self::UnknownOutcome => "unknown-outcome",
            Self::Other => "other",
        }
    }

    /// Returns the code for a provider's `word`.
    pub fn from_word(word: &str) -> Self {
        match word {
            "no-capacity" => Self::NoCapacity,
            "quota" => Self::Quota,
            "unauthorized" => Self::Unauthorized,
            "not-found" => Self::NotFound,
            "rate-limited" => Self::RateLimited,
            "unknown-outcome" => Self::UnknownOutcome,
            _ => Self::Other,
        }
    }
}

/// Failure of a provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// Reason.
    pub code: Code,
    /// First line for people, printable.
    pub message: String,
    /// Pause that the provider asks for.
    pub retry_after: Option<Duration>,
    /// Fixes, one per line.
    pub hints: Vec<String>,
}

impl Refused {
    /// Returns a refusal without hints.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), retry_after: None, hints: Vec::new() }
    }

    /// Returns the refusal with the first line and the hints of `error`.
    pub fn from_error(code: Code, error: &Error) -> Self {
        let hints = error.hints().into_iter().map(str::to_owned).collect();
        Self { hints, ..Self::new(code, error.to_string()) }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl From<Error> for Refused {
    /// Returns the refusal for an error after which nothing was carried out.
    fn from(error: Error) -> Self {
        Self::from_error(Code::Other, &error)
    }
}

impl From<Refused> for Error {
    fn from(refused: Refused) -> Self {
        let error = refused.hints.iter().fold(Self::failed(refused.message), Self::with_hint);
        match refused.retry_after {
            Some(pause) => error.with_hint(format!("try again in {} s", pause.as_secs().max(1))),
            None => error,
        }
    }
}

/// Error object of a provider.
#[derive(Serialize, Deserialize)]
pub(super) struct Document {
    error: Fields,
}

#[derive(Serialize, Deserialize)]
struct Fields {
    code: String,
    #[serde(default)]
    message: String,
    #[serde(default)]
    retry_after: Value,
}

/// Reads the error object that a provider printed: code, message as it came, and pause. `None` without one.
pub(super) fn parse(bytes: &[u8]) -> Option<(Code, String, Option<Duration>)> {
    let Document { error } = serde_json::from_slice(bytes).ok()?;
    let seconds = error.retry_after.as_f64().filter(|seconds| *seconds >= 0.0);
    let pause =
        seconds.map(|seconds| Duration::try_from_secs_f64(seconds).unwrap_or(PAUSE_MAX).min(PAUSE_MAX));
    Some((Code::from_word(&error.code), error.message, pause))
}

/// Returns the error object for `refused`.
pub fn document(refused: &Refused) -> impl Serialize {
    let retry_after = refused.retry_after.map_or(Value::Null, |pause| pause.as_secs().into());
    let error =
        Fields { code: refused.code.word().to_owned(), message: refused.message.clone(), retry_after };
    Document { error }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_its_word() {
        use Code::{NoCapacity, NotFound, Other, Quota, RateLimited, Unauthorized, UnknownOutcome};
        for code in [NoCapacity, Quota, Unauthorized, NotFound, RateLimited, UnknownOutcome, Other] {
            assert_eq!(Code::from_word(code.word()), code);
            assert_eq!(serde_json::to_value(code).unwrap(), code.word());
        }
        assert_eq!(Code::from_word("on-strike"), Other);
    }

    #[test]
    fn an_error_object_is_read_as_it_was_written() {
        let refused = Refused {
            retry_after: Some(Duration::from_secs(12)),
            ..Refused::new(Code::RateLimited, "too many requests")
        };
        let text = serde_json::to_string(&document(&refused)).unwrap();
        assert_eq!(
            text,
            r#"{"error":{"code":"rate-limited","message":"too many requests","retry_after":12}}"#
        );
        assert_eq!(
            parse(text.as_bytes()),
            Some((Code::RateLimited, refused.message.clone(), refused.retry_after))
        );
        let error = Error::from(refused);
        assert_eq!(
            (error.to_string().as_str(), error.hints()),
            ("too many requests", vec!["try again in 12 s"])
        );
    }

    #[test]
    fn pauses_are_bounded_and_what_is_no_error_object_is_none() {
        let pause = |value: &str| {
            let text = format!(r#"{{"error":{{"code":"rate-limited","retry_after":{value}}}}}"#);
            parse(text.as_bytes()).unwrap().2.map(|pause| pause.as_secs())
        };
        for (value, expected) in [
            ("null", None),
            ("0.5", Some(0)),
            ("7", Some(7)),
            ("-1", None),
            ("\"7\"", None),
            ("1e300", Some(86_400)),
        ] {
            assert_eq!(pause(value), expected, "{value}");
        }
        for text in ["", "{}", "no JSON", r#"{"error":"x"}"#, r#"{"error":{"code":7}}"#] {
            assert_eq!(parse(text.as_bytes()), None, "{text}");
        }
    }
}
