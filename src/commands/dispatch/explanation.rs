//! `soong help NAME [SUBCOMMAND…]`: the meaning of an alias, or the manual page or `--help` of a command.

use std::ffi::{CStr, OsString};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::commands::{Settings, execute, legal, nearest};
use super::output::{fail, show, unknown};
use crate::extension::PREFIX;
use crate::extension::alias;
use crate::extension::discovery::{self, is_command};
use crate::extension::metadata::{Metadata, prefixes};
use crate::suggest;
use crate::system::paths;
use crate::terminal::printable;

/// Manual sections in which commands are documented.
const SECTIONS: [&str; 3] = ["1", "7", "8"];

/// Explains the command `name`, or a subcommand of it, and returns the exit code.
pub(super) fn explain(name: &CStr, subcommands: &[&CStr]) -> u8 {
    let Some(known) = legal(name).filter(|name| is_command(name)) else { return explain_alias(name) };
    let program = discovery::find(known);
    let page = program.as_deref().and_then(|program| Metadata::read(known, program).manual);
    let mut page = page.unwrap_or_else(|| format!("{PREFIX}{known}"));
    let mut words = vec!["soong".to_owned(), known.to_owned()];
    for subcommand in subcommands {
        let Some(subcommand) = legal(subcommand) else { break };
        page.push_str(&format!("-{subcommand}"));
        words.push(subcommand.to_owned());
    }
    words.push("--help".to_owned());
    if let (Some(man), Some(file)) = (paths::find_program("man"), manual(&page, program.as_deref())) {
        // Returns only if man cannot be run; --help remains.
        let _ = Command::new(man).arg(file).exec();
    }
    let Some(directory) = paths::own_directory() else { return unknown(name.to_bytes(), None) };
    execute(&directory.join("soong"), &words, &[])
}

fn explain_alias(name: &CStr) -> u8 {
    let settings = Settings::read();
    let known = legal(name).and_then(|name| Some((name, settings.aliases.get(name)?)));
    if let Some((name, text)) = known {
        if let Err(error) = alias::expand(&settings.aliases, name, is_command) {
            return fail(&error);
        }
        return show(&format!("'{name}' is an alias of '{}'\n", printable(text)));
    }
    if let Some(error) = &settings.error {
        return fail(error);
    }
    let shown = name.to_string_lossy();
    unknown(name.to_bytes(), suggest::join(&nearest(&shown, &settings)))
}

/// Returns the argument for `man`: the file installed beside the program or beside soong, or the name if
/// man finds it.
fn manual(page: &str, program: Option<&Path>) -> Option<OsString> {
    let beside = paths::own_directory().as_deref().and_then(Path::parent).map(Path::to_path_buf);
    let places = program.map(prefixes).unwrap_or_default().into_iter().chain(beside);
    let files = places.flat_map(|prefix| {
        SECTIONS.into_iter().flat_map(move |section| {
            let directory = prefix.join(format!("share/man/man{section}"));
            ["", ".gz"].map(|ending| directory.join(format!("{page}.{section}{ending}")))
        })
    });
    let mut files = files.map(PathBuf::into_os_string);
    files.find(|file| Path::new(file).is_file()).or_else(|| known_to_man(page))
}

fn known_to_man(page: &str) -> Option<OsString> {
    let man = paths::find_program("man")?;
    let found = Command::new(man)
        .arg("-w")
        .arg("--")
        .arg(page)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    found.is_ok_and(|status| status.success()).then(|| page.into())
}
