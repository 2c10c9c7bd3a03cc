//! Quoting of paths and words for ssh's arguments and `ssh_config`.

use std::path::Path;

use crate::error::{Error, Result};
use crate::terminal::printable;

/// Refuses a path with `${`, which ssh expands and offers no way to escape.
pub fn check_path(path: &Path) -> Result<()> {
    if !path.to_string_lossy().contains("${") {
        return Ok(());
    }
    let shown = path.to_string_lossy();
    Err(Error::failed(format!("ssh cannot use {}: '${{' begins a variable", printable(&shown)))
        .with_hint("choose a path without '${'"))
}

/// Returns `path` quoted for a shell, printable.
pub(crate) fn for_shell(path: &Path) -> String {
    printable(&shell_words::quote(&path.to_string_lossy())).into_owned()
}

/// Returns `path` for an argument in which ssh expands `%`.
pub(crate) fn percent_escaped(path: &Path) -> String {
    path.to_string_lossy().replace('%', "%%")
}

/// Returns `path` for an option that takes a list of words.
pub(crate) fn quoted(path: &Path) -> String {
    in_config(&percent_escaped(path))
}

/// Returns `text` as one word of `ssh_config`, also for values of `-o`.
pub(crate) fn in_config(text: &str) -> String {
    if text.is_empty() || text.contains([' ', '\t', '"', '\'', '\\', '#']) {
        format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
    } else {
        text.to_owned()
    }
}
