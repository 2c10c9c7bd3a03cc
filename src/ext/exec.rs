//! `soong ext exec`: running an extension that a command of soong's own hides, or any other.

use std::ffi::CStr;

use crate::built_in::is_built_in;
use crate::error::{EXIT_USAGE, Error};
use crate::extension::launch::{announce, launch};
use crate::extension::{is_name, own_directory};
use crate::paths;
use crate::term::printable;

/// Becomes the extension `name`, or says why not and returns the exit code.
pub(super) fn exec(name: &CStr, rest: &[&CStr]) -> u8 {
    let own = own_directory();
    announce(own.as_deref().map(|directory| directory.join("soong")).as_deref());
    let shown = name.to_string_lossy();
    if is_name(name.to_bytes()) {
        let mut directories = paths::search_path();
        match &own {
            // There, that name is soong's own program.
            Some(own) if is_built_in(&shown) => directories.retain(|directory| !is_same(directory, own)),
            Some(own) => directories.insert(0, own.clone()),
            None => {}
        }
        if let Some(code) = launch(name.to_bytes(), rest, &directories).report() {
            return code;
        }
    }
    Error::usage(format!("no extension is called '{}'", printable(&shown)))
        .with_hint("'soong ext list' shows the extensions there are")
        .report(super::PROGRAM);
    EXIT_USAGE
}

fn is_same(one: &std::path::Path, other: &std::path::Path) -> bool {
    one == other || one.canonicalize().is_ok_and(|one| other.canonicalize().is_ok_and(|other| one == other))
}
