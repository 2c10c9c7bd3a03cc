//! `soong ext exec`: runs any extension, even one with the name of a built-in command.

use std::ffi::CStr;

use super::arguments::PROGRAM;
use crate::error::{EXIT_USAGE, Error};
use crate::extension::launch::{export_caller, launch};
use crate::extension::{discovery, is_name};
use crate::system::paths;
use crate::terminal::printable;

/// Execs the extension `name`, or reports why not and returns the exit code.
pub(super) fn exec(name: &CStr, rest: &[&CStr]) -> u8 {
    let own = paths::own_directory();
    export_caller(own.as_deref().map(|directory| directory.join("soong")).as_deref());
    let shown = name.to_string_lossy();
    if is_name(name.to_bytes()) {
        let directories = discovery::directories_of(&shown);
        if let Some(code) = launch(name.to_bytes(), rest, &directories).report() {
            return code;
        }
    }
    Error::usage(format!("no extension '{}'", printable(&shown)))
        .with_hint("list the extensions: soong ext list")
        .report(PROGRAM);
    EXIT_USAGE
}
