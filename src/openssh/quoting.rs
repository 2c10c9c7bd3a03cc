//! Paths and words as ssh reads them: in its arguments and in `ssh_config`.

use std::path::Path;

use crate::error::{Error, Result};
use crate::terminal::printable;

/// Refuses a path that ssh cannot be given: it replaces `${NAME}` by the variable, and knows no way to write
/// these characters so that it does not.
pub fn check_path(path: &Path) -> Result<()> {
    if !path.to_string_lossy().contains("${") {
        return Ok(());
    }
    let shown = path.to_string_lossy();
    Err(Error::failed(format!("ssh cannot use {}: '${{' begins a variable", printable(&shown)))
        .with_hint("choose a path without '${'"))
}

/// `path` for an argument in which ssh replaces `%` sequences.
pub(crate) fn percent_escaped(path: &Path) -> String {
    path.to_string_lossy().replace('%', "%%")
}

/// `path` as a value of an option that takes a list of words.
pub(crate) fn quoted(path: &Path) -> String {
    in_config(&percent_escaped(path))
}

/// `text` as one word of `ssh_config`, where `-o` takes its values from too.
pub(crate) fn in_config(text: &str) -> String {
    if text.is_empty() || text.contains([' ', '\t', '"', '\'', '\\', '#']) {
        format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
    } else {
        text.to_owned()
    }
}
