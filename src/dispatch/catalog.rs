//! Which commands there are: soong's own, and whatever `soong-*` is on `PATH`. Reads directories,
//! executes nothing.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::{is_name, own_program};
use crate::built_in::{BUILT_IN, is_built_in, is_helper};
use crate::paths;

/// The commands that can be called now.
#[derive(Debug)]
pub(super) struct Catalog {
    extensions: BTreeMap<String, PathBuf>,
}

impl Catalog {
    /// Looks through the directory of soong and those of `PATH`. The first program of a name is
    /// the one that would be run.
    pub(super) fn read() -> Self {
        let own = own_program();
        let own = own.as_deref().and_then(Path::parent).map(Path::to_path_buf);
        let mut extensions = BTreeMap::new();
        for directory in own.into_iter().chain(paths::search_path()) {
            let Ok(entries) = fs::read_dir(&directory) else { continue };
            for entry in entries.flatten() {
                let file_name = entry.file_name();
                let Some(name) = file_name.to_str().and_then(|name| name.strip_prefix("soong-")) else {
                    continue;
                };
                let listed = is_name(name.as_bytes()) && !is_built_in(name) && !is_helper(name);
                if listed && !extensions.contains_key(name) && paths::is_executable(&entry.path()) {
                    extensions.insert(name.to_owned(), entry.path());
                }
            }
        }
        Self { extensions }
    }

    /// The names of all commands, soong's own first.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        BUILT_IN.iter().map(|(name, _)| *name).chain(self.extensions.keys().map(String::as_str))
    }

    /// The names of the commands that are not soong's own, with the programs behind them.
    pub(super) fn extensions(&self) -> &BTreeMap<String, PathBuf> {
        &self.extensions
    }
}

/// A line per command: `soong --list`.
pub(super) fn list() -> String {
    Catalog::read().names().map(|name| format!("{name}\n")).collect()
}
