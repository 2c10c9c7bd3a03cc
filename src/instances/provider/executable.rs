//! Finding the program of a provider.

use std::path::{Path, PathBuf};

use crate::config::is_provider_name as is_name;
use crate::system::paths;

/// The program `soong-provider-NAME`: the one beside the running program, else the first on `PATH`.
pub fn find(name: &str) -> Option<PathBuf> {
    if !is_name(name) {
        return None;
    }
    let own = std::env::current_exe().ok();
    let beside = own.as_deref().and_then(Path::parent).map(Path::to_path_buf);
    let file = format!("soong-provider-{name}");
    beside
        .into_iter()
        .chain(paths::search_path())
        .map(|directory| directory.join(&file))
        .find(|program| paths::is_executable(program))
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
