//! `soong help`: the overview, and the way to each command's own help.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::catalog::Catalog;
use super::{execute, is_name, own_program, unknown};
use crate::built_in::BUILT_IN;
use crate::paths;
use crate::term::printable;

/// What `soong`, `soong --help` and `soong help` print.
pub(super) fn overview() -> String {
    let mut text = String::from(
        "The GPU instance you rent, on your desk: its ports are on localhost

Usage: soong COMMAND [ARGUMENTS]

Commands:
",
    );
    let width = BUILT_IN.iter().map(|(name, _)| name.len()).max().unwrap_or_default().max("help".len());
    for (name, summary) in BUILT_IN {
        text.push_str(&format!("  {name:width$}  {summary}\n"));
    }
    text.push_str(&format!("  {:width$}  Explain a command: soong help NAME\n", "help"));
    let catalog = Catalog::read();
    if !catalog.extensions().is_empty() {
        text.push_str("\nExtensions, found as soong-NAME on PATH:\n");
        for (name, program) in catalog.extensions() {
            text.push_str(&format!("  {name:width$}  {}\n", printable(&program.to_string_lossy())));
        }
    }
    text.push_str(
        "
Options:
  -h, --help       Print this text
  -V, --version    Print the version
      --list       Print the names of all commands, a line each
      --exec-path  Print the directory that soong's own programs are in

Examples:
  soong tunnel start       localhost:8000 becomes the instance's
  soong help tunnel        everything about tunnels
",
    );
    text
}

/// Shows the manual page of `name` where one is installed, else has the command explain itself.
pub(super) fn of(name: &OsString) -> u8 {
    if !is_name(name.as_bytes()) {
        return unknown(name.as_bytes());
    }
    let mut page = OsString::from("soong-");
    page.push(name);
    if let (Some(man), Some(file)) = (paths::find_program("man"), manual(&page)) {
        // Returns only if man could not be run; then the command can still explain itself.
        let _ = Command::new(man).arg(file).exec();
    }
    execute(name.as_bytes(), &[c"--help"])
}

/// What to call `man` with: the file installed beside soong, or the name if man knows it.
fn manual(page: &OsStr) -> Option<OsString> {
    let beside = own_program().as_deref().and_then(Path::parent).map(|bin| bin.join("../share/man/man1"));
    let files = beside.into_iter().flat_map(|directory| {
        [".1", ".1.gz"].map(|ending| {
            let mut file = page.to_os_string();
            file.push(ending);
            directory.join(file)
        })
    });
    files.map(PathBuf::into_os_string).find(|file| Path::new(file).is_file()).or_else(|| known_to_man(page))
}

fn known_to_man(page: &OsStr) -> Option<OsString> {
    let man = paths::find_program("man")?;
    let found = Command::new(man)
        .arg("-w")
        .arg("--")
        .arg(page)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    found.is_ok_and(|status| status.success()).then(|| page.to_os_string())
}
