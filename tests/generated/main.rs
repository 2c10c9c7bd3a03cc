//! Files that are made from the definitions of the programs and checked in: completion scripts,
//! manual pages. Each test fails when its files are stale; with `SOONG_GENERATE=1` in the
//! environment (`make generate`) it writes those that can be written.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test that cannot go on has failed, and this one is told by the environment what to do"
)]

mod completions;
mod dependencies;
mod man;

use std::fs;
use std::path::{Path, PathBuf};

/// A file of the repository.
fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// Compares the file `name` with what it should hold, or writes it.
#[track_caller]
fn check(name: &str, expected: &str) {
    let file = path(name);
    let found = fs::read_to_string(&file).unwrap_or_default();
    if found == expected {
        return;
    }
    if std::env::var_os("SOONG_GENERATE").is_some() {
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, expected).unwrap();
        return;
    }
    let line = found.lines().zip(expected.lines()).position(|(a, b)| a != b);
    let line = line.unwrap_or(found.lines().count().min(expected.lines().count()));
    let shown = expected.lines().nth(line).unwrap_or("(the end)");
    panic!("{name} is stale: run 'make generate'; line {} should be: {shown}", line + 1);
}

/// The names under which the shells complete: `soong` and its own programs.
fn programs() -> Vec<String> {
    let own = soong::built_in::BUILT_IN.iter().map(|(name, _)| format!("soong-{name}"));
    std::iter::once("soong".to_owned()).chain(own).collect()
}
