//! Program of a provider: its path.

use std::path::{Path, PathBuf};

use crate::config::is_provider_name as is_name;
use crate::system::paths;

/// Returns the program `soong-provider-NAME`: the one beside the running program, else the first on `PATH`.
pub fn find(name: &str) -> Option<PathBuf> {
    candidates(name).find(|program| paths::is_executable(program))
}

/// True if `program` is in the directory of the running program.
pub(super) fn is_beside(program: &Path) -> bool {
    paths::own_directory().is_some_and(|directory| program.parent() == Some(&directory))
}

/// Returns a file of that name that is not executable for this user.
pub(super) fn find_non_executable(name: &str) -> Option<PathBuf> {
    candidates(name).find(|file| file.is_file())
}

fn candidates(name: &str) -> impl Iterator<Item = PathBuf> {
    let file = format!("soong-provider-{name}");
    let directories = is_name(name).then(|| paths::own_directory().into_iter().chain(paths::search_path()));
    directories.into_iter().flatten().map(move |directory| directory.join(&file))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_leave_their_directory() {
        for name in ["lambda", "my-cloud", "x.2"] {
            assert!(is_name(name), "{name}");
        }
        for name in ["", "../x", "/bin/sh", ".x", "-x", "a b", "a/b", "ä", "a\nb", &"x".repeat(65)] {
            assert!(!is_name(name), "{name}");
            assert_eq!(find(name), None);
        }
    }
}
