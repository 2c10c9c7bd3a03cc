//! Fields of a provider's output, which is data of another program: types, lengths and ranges are checked.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_json::value::RawValue;

/// Version of the contract between soong and its providers.
pub const API: u64 = 1;

/// Longest id, in bytes.
pub(super) const ID_MAX: usize = 256;
/// Longest other text, in characters; longer ones are clipped.
pub(super) const TEXT_MAX: usize = 256;

/// Parses an object of this version of the API; the error describes the fault.
pub(super) fn document<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, String> {
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Err("it printed nothing".to_owned());
    }
    let unexpected = |error: serde_json::Error| format!("unexpected JSON: {error}");
    // The version comes first: the meaning of the other fields depends on it.
    let fields: BTreeMap<String, &RawValue> = serde_json::from_slice(bytes).map_err(unexpected)?;
    match fields.get("api").and_then(|api| api.get().parse().ok()) {
        Some(API) => serde_json::from_slice(bytes).map_err(unexpected),
        Some(other) => Err(format!("it uses version {other} of the provider API; soong uses {API}")),
        None => Err(format!("\"api\": {API} is missing")),
    }
}

/// Returns a text; `None` if it is missing or empty.
pub(super) fn text(value: Value, place: &str) -> Result<Option<String>, String> {
    match value {
        Value::Null => Ok(None),
        Value::String(text) if text.is_empty() => Ok(None),
        Value::String(text) => Ok(Some(text)),
        _ => Err(format!("{place} is not a text")),
    }
}

/// Returns a TCP port; `None` if it is missing.
pub(super) fn port(value: &Value) -> Result<Option<u16>, String> {
    if value.is_null() {
        return Ok(None);
    }
    let port = value.as_u64().and_then(|port| u16::try_from(port).ok()).filter(|port| *port > 0);
    port.map(Some).ok_or_else(|| ".port is not a port (1 to 65535)".to_owned())
}

/// Returns a price; `None` if it is missing.
pub(super) fn price(value: &Value) -> Result<Option<u64>, String> {
    if value.is_null() {
        return Ok(None);
    }
    value.as_u64().map(Some).ok_or_else(|| ".price_cents_per_hour is not a whole number".to_owned())
}

/// Returns a small number; `None` if it is missing.
pub(super) fn count(value: &Value, place: &str) -> Result<Option<u32>, String> {
    if value.is_null() {
        return Ok(None);
    }
    let count = value.as_u64().and_then(|count| u32::try_from(count).ok());
    count.map(Some).ok_or_else(|| format!("{place} is not a whole number"))
}

/// Returns at most [`TEXT_MAX`] characters of `text`.
pub(super) fn clipped(text: String) -> String {
    match text.char_indices().nth(TEXT_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}
