//! Fields of a provider's output, which is data of another program: types, lengths and ranges are checked.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

/// Version of the contract between soong and its providers.
pub const API: u64 = 1;

/// Longest id, in bytes.
pub(super) const ID_MAX: usize = 256;
/// Longest other text, in characters; longer ones are clipped.
pub(super) const TEXT_MAX: usize = 256;

/// The `api` of a document: deserializes from [`API`] only.
#[derive(Debug, serde::Deserialize)]
#[serde(try_from = "u64")]
pub(super) struct Version;

impl TryFrom<u64> for Version {
    type Error = &'static str;

    fn try_from(version: u64) -> Result<Self, Self::Error> {
        if version == API { Ok(Self) } else { Err("another version") }
    }
}

/// A value of any type, of which only texts and whole numbers are kept. Texts without escapes are not copied.
#[derive(Debug, Default)]
pub(super) enum Field<'a> {
    /// Missing, or `null`.
    #[default]
    Missing,
    /// A text.
    Text(Cow<'a, str>),
    /// A whole number that is not negative.
    Number(u64),
    /// Anything else.
    Other,
}

impl<'de: 'a, 'a> Deserialize<'de> for Field<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(FieldVisitor)
    }
}

struct FieldVisitor;

impl<'de> Visitor<'de> for FieldVisitor {
    type Value = Field<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Field::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Field::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Self::Value, E> {
        Ok(Field::Number(number))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
        Ok(Field::Other)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        Ok(Field::Other)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(Field::Other)
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Field::Missing)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut values: A) -> Result<Self::Value, A::Error> {
        while values.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Field::Other)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
        while entries.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Field::Other)
    }
}

/// Parses an object with a [`Version`] named `api`; the error describes the fault.
pub(super) fn document<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, String> {
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Err("it printed nothing".to_owned());
    }
    let text = str::from_utf8(bytes).map_err(unexpected)?;
    serde_json::from_str(text).map_err(|error| version_fault(text).unwrap_or_else(|| unexpected(error)))
}

/// Returns the fault of the version, if that is at fault. It comes first: the meaning of the other fields depends on
/// it.
fn version_fault(text: &str) -> Option<String> {
    let fields: BTreeMap<String, &RawValue> = serde_json::from_str(text).ok()?;
    match fields.get("api").and_then(|api| api.get().parse().ok()) {
        Some(API) => None,
        Some(other) => Some(format!("it uses version {other} of the provider API; soong uses {API}")),
        None => Some(format!("\"api\": {API} is missing")),
    }
}

fn unexpected(error: impl fmt::Display) -> String {
    format!("unexpected JSON: {error}")
}

/// Returns a text; `None` if it is missing or empty.
pub(super) fn text<'a>(field: Field<'a>, place: &str) -> Result<Option<Cow<'a, str>>, String> {
    match field {
        Field::Missing => Ok(None),
        Field::Text(text) => Ok(Some(text).filter(|text| !text.is_empty())),
        _ => Err(format!("{place} is not a text")),
    }
}

/// Returns a TCP port; `None` if it is missing.
pub(super) fn port(field: &Field<'_>) -> Result<Option<u16>, String> {
    let port = match field {
        Field::Missing => return Ok(None),
        Field::Number(port) => u16::try_from(*port).ok().filter(|port| *port > 0),
        _ => None,
    };
    port.map(Some).ok_or_else(|| ".port is not a port (1 to 65535)".to_owned())
}

/// Returns a price; `None` if it is missing.
pub(super) fn price(field: &Field<'_>) -> Result<Option<u64>, String> {
    number(field, ".price_cents_per_hour")
}

/// Returns a small number; `None` if it is missing.
pub(super) fn count(field: &Field<'_>, place: &str) -> Result<Option<u32>, String> {
    let count = number(field, place)?.map(u32::try_from).transpose();
    count.map_err(|_| no_number(place))
}

fn number(field: &Field<'_>, place: &str) -> Result<Option<u64>, String> {
    match field {
        Field::Missing => Ok(None),
        Field::Number(number) => Ok(Some(*number)),
        _ => Err(no_number(place)),
    }
}

fn no_number(place: &str) -> String {
    format!("{place} is not a whole number")
}

/// Returns at most [`TEXT_MAX`] characters of `text`.
pub(super) fn clipped(text: Cow<'_, str>) -> String {
    // A character has at least one byte.
    if text.len() <= TEXT_MAX {
        return text.into_owned();
    }
    match text.char_indices().nth(TEXT_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.into_owned(),
    }
}
