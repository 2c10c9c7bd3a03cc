//! Values of `statusd.toml` as people write them.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

/// A duration such as `90s`, `4h` or `2h 30m`; `0` for none. At most a year.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct HumanDuration(pub Duration);

const YEAR: Duration = Duration::from_secs(366 * 24 * 3600);

impl<'de> Deserialize<'de> for HumanDuration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        text(deserializer, "a duration in quotes, such as \"90s\", \"4h\" or \"2h 30m\"", |text| {
            let duration = if text == "0" { Ok(Duration::ZERO) } else { humantime::parse_duration(text) };
            duration.ok().filter(|duration| *duration <= YEAR).map(Self)
        })
    }
}

/// An address with a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Listen(pub SocketAddr);

impl<'de> Deserialize<'de> for Listen {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        text(deserializer, "an address and a port, such as \"127.0.0.1:8080\"", |text| {
            text.parse().ok().map(Self)
        })
    }
}

/// A number from 0 to 100.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Percent(pub u8);

impl<'de> Deserialize<'de> for Percent {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = i64::deserialize(deserializer)?;
        let percent = u8::try_from(number).ok().filter(|percent| *percent <= 100).map(Self);
        percent.ok_or_else(|| de::Error::custom(format!("expected a number from 0 to 100, found {number}")))
    }
}

/// The address of a model server: `http://HOST:PORT`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// Host and port.
    pub authority: String,
}

impl Endpoint {
    fn parse(text: &str) -> Option<Self> {
        let authority = text.strip_prefix("http://")?.trim_end_matches('/');
        let (host, port) = authority.rsplit_once(':')?;
        let is_host = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':' | '[' | ']');
        let is_sound =
            !host.is_empty() && host.chars().all(is_host) && port.parse::<u16>().is_ok_and(|port| port > 0);
        is_sound.then(|| Self { authority: authority.to_owned() })
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}", self.authority)
    }
}

impl<'de> Deserialize<'de> for Endpoint {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        text(deserializer, "a URL with a port, such as \"http://127.0.0.1:8000\"", Self::parse)
    }
}

/// A program and its arguments.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Words(pub Vec<String>);

impl<'de> Deserialize<'de> for Words {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let words = Vec::<String>::deserialize(deserializer)?;
        check_words(&words)?;
        Ok(Self(words))
    }
}

fn check_words<E: de::Error>(words: &[String]) -> Result<(), E> {
    match words.first() {
        Some(program) if program.starts_with('/') => Ok(()),
        _ => {
            Err(E::custom("expected the absolute path of a program and its arguments, as an array of words"))
        }
    }
}

/// How to end the machine.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum End {
    /// Shut it down.
    #[default]
    PowerOff,
    /// Run a command.
    Command(Vec<String>),
    /// Ask the provider of this name to terminate it.
    Terminate(String),
}

impl<'de> Deserialize<'de> for End {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(EndVisitor)
    }
}

struct EndVisitor;

impl<'de> Visitor<'de> for EndVisitor {
    type Value = End;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"poweroff\", an array of words, or { terminate = \"PROVIDER\" }")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<End, E> {
        if text == "poweroff" {
            Ok(End::PowerOff)
        } else {
            Err(E::invalid_value(de::Unexpected::Str(text), &self))
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<End, A::Error> {
        let mut words: Vec<String> = Vec::new();
        while let Some(word) = sequence.next_element()? {
            words.push(word);
        }
        check_words(&words)?;
        Ok(End::Command(words))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<End, A::Error> {
        let entry: Option<(String, String)> = map.next_entry()?;
        let is_name = |name: &str| {
            !name.is_empty()
                && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
        };
        match entry {
            Some((key, name)) if key == "terminate" && is_name(&name) => match map.next_key::<String>()? {
                None => Ok(End::Terminate(name)),
                Some(key) => Err(de::Error::unknown_field(&key, &["terminate"])),
            },
            Some((key, _)) if key == "terminate" => {
                Err(de::Error::custom("expected the name of a provider, such as \"lambda\""))
            }
            Some((key, _)) => Err(de::Error::unknown_field(&key, &["terminate"])),
            None => Err(de::Error::missing_field("terminate")),
        }
    }
}

/// Reads a string that `parse` understands; the error says what was `expected`.
fn text<'de, D: Deserializer<'de>, T>(
    deserializer: D,
    expected: &str,
    parse: impl FnOnce(&str) -> Option<T>,
) -> Result<T, D::Error> {
    struct Text<'a>(&'a str);
    impl Visitor<'_> for Text<'_> {
        type Value = String;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.0)
        }
        fn visit_str<E: de::Error>(self, text: &str) -> Result<String, E> {
            Ok(text.to_owned())
        }
    }
    let found = deserializer.deserialize_str(Text(expected))?;
    parse(&found).ok_or_else(|| de::Error::custom(format!("expected {expected}, found {found:?}")))
}
