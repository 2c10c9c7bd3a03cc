//! `soong NAME …`: finding the program that is meant, and becoming it.
//!
//! The way to a program is short on purpose: no config, no parser, no look at what else there
//! might be. The directory of `soong` itself is tried first, then each directory of `PATH`, by
//! executing and seeing whether that worked. Only when nothing was found, or something else was
//! asked for, is anything listed.

mod catalog;
mod help;

use std::ffi::{CStr, CString, OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use nix::errno::Errno;

use crate::error::{EXIT_FAILED, EXIT_NOT_EXECUTABLE, EXIT_NOT_FOUND, EXIT_USAGE, Error};
use crate::paths;
use crate::suggest;
use crate::term::{print, printable};

/// The version of the contract between `soong` and the programs it executes.
const API: &str = "1";

/// Does what the command line asks for; returns only when no other program took over.
pub fn run(arguments: &[&CStr]) -> u8 {
    let rest = arguments.get(2..).unwrap_or_default();
    let Some(first) = arguments.get(1) else {
        return show(&help::overview());
    };
    match first.to_bytes() {
        b"-h" | b"--help" => show(&help::overview()),
        b"help" => match rest.first() {
            Some(name) => help::of(&OsString::from(OsStr::from_bytes(name.to_bytes()))),
            None => show(&help::overview()),
        },
        b"-V" | b"--version" => show(&format!("soong {}\n", env!("CARGO_PKG_VERSION"))),
        b"--list" => show(&catalog::list()),
        b"--exec-path" => exec_path(),
        name if name.starts_with(b"-") => unknown_option(name),
        name => execute(name, rest),
    }
}

/// Becomes `soong-NAME`, or says why not.
fn execute(name: &[u8], rest: &[&CStr]) -> u8 {
    if !is_name(name) {
        return unknown(name);
    }
    let program = [b"soong-", name].concat();
    let own = own_program();
    announce(own.as_deref());
    let mut refusal = None;
    let candidates = || {
        let own = own.as_deref().and_then(Path::parent).map(Path::to_path_buf);
        own.into_iter()
            .chain(paths::search_path())
            .map(|directory| directory.join(OsStr::from_bytes(&program)))
    };
    for candidate in candidates() {
        match become_program(&candidate, &program, rest) {
            Errno::ENOENT | Errno::ENOTDIR | Errno::ENAMETOOLONG | Errno::ELOOP => {}
            // As in the shell: what cannot be executed here may be executable further on.
            errno => refusal = refusal.or(Some((candidate, errno))),
        }
    }
    match refusal {
        // The system says "not found" of a program as well when it is its interpreter that is not there.
        None => match candidates().find(|candidate| paths::is_executable(candidate)) {
            Some(candidate) => no_interpreter(&candidate),
            None => unknown(name),
        },
        // A directory, or a file that nobody marked as a program, is no command.
        Some((candidate, Errno::EACCES)) if !candidate.is_file() => unknown(name),
        Some((candidate, errno)) => refused(&candidate, errno),
    }
}

/// Says why a program that is there was not executed.
fn refused(candidate: &Path, errno: Errno) -> u8 {
    let error = Error::io("execute", candidate, errno.into());
    let hint = match errno {
        Errno::EACCES => {
            format!("make it executable: chmod +x {}", shell_words::quote(&candidate.to_string_lossy()))
        }
        Errno::ENOEXEC => "its first line has to name its interpreter, for example #!/bin/sh".to_owned(),
        _ => String::new(),
    };
    let error = if hint.is_empty() { error } else { error.with_hint(hint) };
    error.report("soong");
    EXIT_NOT_EXECUTABLE
}

fn no_interpreter(candidate: &Path) -> u8 {
    let shown = candidate.to_string_lossy();
    Error::failed(format!("cannot execute {}: its interpreter is not installed", printable(&shown)))
        .with_hint("see its first line, which names the interpreter")
        .report("soong");
    EXIT_NOT_FOUND
}

/// Replaces this process by `candidate`; returns why that did not work.
fn become_program(candidate: &Path, name: &[u8], rest: &[&CStr]) -> Errno {
    let (Ok(path), Ok(name)) = (CString::new(candidate.as_os_str().as_bytes()), CString::new(name)) else {
        return Errno::ENOENT;
    };
    let arguments: Vec<&CStr> = std::iter::once(name.as_c_str()).chain(rest.iter().copied()).collect();
    match nix::unistd::execv(&path, &arguments) {
        Ok(never) => match never {},
        Err(errno) => errno,
    }
}

/// Tells the program to come who calls it.
fn announce(own: Option<&Path>) {
    // SAFETY: this program has one thread.
    unsafe {
        if let Some(own) = own {
            std::env::set_var("SOONG", own);
        }
        std::env::set_var("SOONG_API", API);
    }
}

/// This program's own absolute path, links resolved, so that the others are found beside it.
fn own_program() -> Option<PathBuf> {
    std::env::current_exe().ok()
}

/// Whether `name` can be that of a command: it becomes part of a file name.
fn is_name(name: &[u8]) -> bool {
    let legal = |c: &u8| c.is_ascii_alphanumeric() || matches!(c, b'.' | b'_' | b'-');
    name.first().is_some_and(u8::is_ascii_alphanumeric) && name.iter().all(legal)
}

fn unknown(name: &[u8]) -> u8 {
    let name = String::from_utf8_lossy(name);
    let commands = catalog::Catalog::read();
    let hint = suggest::did_you_mean(&name, commands.names().chain(["help"]))
        .unwrap_or_else(|| "'soong help' lists the commands there are".to_owned());
    Error::usage(format!("no command is called '{}'", printable(&name))).with_hint(hint).report("soong");
    EXIT_USAGE
}

fn unknown_option(option: &[u8]) -> u8 {
    let option = String::from_utf8_lossy(option);
    Error::usage(format!("unknown option '{}'", printable(&option)))
        .with_hint("'soong --help' lists the options there are")
        .report("soong");
    EXIT_USAGE
}

fn exec_path() -> u8 {
    if let Some(directory) = own_program().as_deref().and_then(Path::parent) {
        return show(&format!("{}\n", directory.display()));
    }
    Error::failed("cannot tell where soong is installed").report("soong");
    EXIT_FAILED
}

fn show(text: &str) -> u8 {
    match print(text) {
        Ok(()) => 0,
        Err(source) => {
            Error::output(source).report("soong");
            EXIT_FAILED
        }
    }
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
