//! Sidecar of an installed extension, `PREFIX/share/soong/extensions/NAME.toml`, for programs that cannot be
//! changed.

use std::io;
use std::path::Path;

use serde_json::{Map, Value};

use super::file::{open, read_at};
use super::header::Entries;
use crate::error::io_reason;
use crate::toml_text;

/// Longest sidecar; a normal one has three lines.
const SIZE_MAX: usize = 16 << 10;

/// Returns the entries of the file; `None` if it does not exist, or its fault.
pub(super) fn read(file: &Path) -> Result<Option<Entries>, String> {
    let opened = match open(file) {
        Ok(opened) => opened,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(None);
        }
        Err(error) => return Err(io_reason(&error)),
    };
    let bytes = read_at(&opened, 0, SIZE_MAX + 1);
    if bytes.len() > SIZE_MAX {
        return Err("longer than 16 KiB".to_owned());
    }
    let text = String::from_utf8(bytes).map_err(|_| "not valid UTF-8")?;
    let table = match toml_text::document(&text) {
        Ok(Value::Object(table)) => table,
        Ok(_) => Map::new(),
        Err(error) => return Err(format!("not valid TOML: {}", error.lines().next().unwrap_or_default())),
    };
    let entry = |(key, value): (String, Value)| match value {
        Value::String(text) => Ok((key, text)),
        _ => Err(format!("{key} is not text in quotes")),
    };
    table.into_iter().map(entry).collect::<Result<Entries, String>>().map(Some)
}
