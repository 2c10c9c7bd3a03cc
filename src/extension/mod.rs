//! Extensions: programs `soong-NAME` on `PATH` that are called as `soong NAME`.
//!
//! [`launch`] finds one and becomes it; [`discovery`] finds all of them; [`metadata`] reads what
//! they say of themselves without executing anything; [`catalog`] puts these together. What is listed where, and in what
//! words, is the features' business.
//!
//! `soong` itself uses [`launch`] alone, and so stays small: the rest needs a TOML parser.

pub mod alias;
pub mod catalog;
pub mod completion;
pub mod discovery;
pub mod launch;
pub mod metadata;

use std::path::{Path, PathBuf};

/// What the file names of all programs of soong and of all extensions begin with.
pub const PREFIX: &str = "soong-";

/// Whether `name` can be that of a command: it becomes part of a file name.
pub fn is_name(name: &[u8]) -> bool {
    let legal = |c: &u8| c.is_ascii_alphanumeric() || matches!(c, b'.' | b'_' | b'-');
    name.first().is_some_and(u8::is_ascii_alphanumeric) && name.iter().all(legal)
}

/// This program's own absolute path, links resolved, so that the others are found beside it.
pub fn own_program() -> Option<PathBuf> {
    std::env::current_exe().ok()
}

/// The directory that soong's own programs are in.
pub fn own_directory() -> Option<PathBuf> {
    own_program().as_deref().and_then(Path::parent).map(Path::to_path_buf)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_leave_their_directory() {
        for name in ["tunnel", "x2", "a.b", "a_b-c"] {
            assert!(is_name(name.as_bytes()), "{name}");
        }
        for name in ["", "../x", "/bin/sh", ".x", "-x", "a b", "a/b", "ä", "a\nb"] {
            assert!(!is_name(name.as_bytes()), "{name}");
        }
    }
}
