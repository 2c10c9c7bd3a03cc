//! Becoming `soong-NAME`: the way to a program, short on purpose.
//!
//! Each directory is tried by executing and seeing whether that worked. What is executed gets the
//! process as the caller set it up, but for the variables `SOONG` and `SOONG_API`.

use std::ffi::{CStr, CString, OsStr};
use std::fs::{self, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::unistd::{AccessFlags, access, geteuid};

use super::name::PREFIX;
use crate::built_in::is_built_in;
use crate::error::{EXIT_NOT_EXECUTABLE, EXIT_NOT_FOUND, Error};
use crate::system::paths::{self, Paths};
use crate::system::script;
use crate::system::trust;
use crate::terminal::{self, printable};

/// The version of the contract between `soong` and the programs it executes.
const API: &str = "1";

/// Why no program took over.
#[derive(Debug)]
pub enum Refusal {
    /// There is none of that name.
    Unknown,
    /// This one is there, but the system does not execute it.
    Refused(PathBuf, Errno),
    /// This one is there, but what its first line names is not.
    NoInterpreter(PathBuf),
}

/// Becomes the first program `soong-NAME` in `directories`; returns only if none took over.
/// `name` is a legal one.
pub fn launch(name: &[u8], rest: &[&CStr], directories: &[PathBuf]) -> Refusal {
    let program = [PREFIX.as_bytes(), name].concat();
    let foreign = std::str::from_utf8(name).is_ok_and(|name| !is_built_in(name));
    let candidates = || directories.iter().map(|directory| directory.join(OsStr::from_bytes(&program)));
    let mut refusal = None;
    for candidate in candidates() {
        if is_missing(access(&candidate, AccessFlags::F_OK).err()) {
            continue;
        }
        if foreign {
            warn_if_open(&candidate);
        }
        let errno = become_program(&candidate, &program, rest, foreign);
        if !is_missing(Some(errno)) {
            // As in the shell: what cannot be executed here may be executable further on.
            refusal = refusal.or(Some((candidate, errno)));
        }
    }
    match refusal {
        // The system says "not found" of a program as well when it is its interpreter that is not there.
        None => match candidates().find(|candidate| paths::is_executable(candidate)) {
            Some(candidate) => Refusal::NoInterpreter(candidate),
            None => Refusal::Unknown,
        },
        // A directory, or a file that nobody marked as a program, is no command.
        Some((candidate, Errno::EACCES)) if !candidate.is_file() => Refusal::Unknown,
        Some((candidate, errno)) => Refusal::Refused(candidate, errno),
    }
}

fn is_missing(errno: Option<Errno>) -> bool {
    matches!(errno, Some(Errno::ENOENT | Errno::ENOTDIR | Errno::ENAMETOOLONG | Errno::ELOOP))
}

/// Says, once, that others may have put the program there. Only what looks odd is looked at twice.
fn warn_if_open(candidate: &Path) {
    let Some(metadata) = candidate.parent().and_then(|directory| fs::metadata(directory).ok()) else {
        return;
    };
    let plain = metadata.mode() & 0o022 == 0 && (metadata.uid() == 0 || metadata.uid() == geteuid().as_raw());
    if plain || !paths::is_executable(candidate) {
        return;
    }
    if let Some(fault) = trust::fault(candidate)
        && is_news(candidate)
    {
        let label = terminal::hint_label();
        terminal::print_error(&format!(
            "soong: {} cannot be trusted: {fault}\n{label} move it to a directory that only you can write; this warning appears once\n",
            printable(&candidate.to_string_lossy()),
        ));
    }
}

/// True if the user was not warned of `program` before, according to the state directory; notes the
/// warning there.
fn is_news(program: &Path) -> bool {
    const LIMIT: u64 = 1 << 18;
    let Ok(paths) = Paths::from_env() else { return true };
    let line = program.as_os_str().as_encoded_bytes().escape_ascii().to_string();
    let stamp = paths.state().join("warned-extensions");
    let open = || -> std::io::Result<bool> {
        if let Some(directory) = stamp.parent() {
            paths::create_private(directory).map_err(std::io::Error::other)?;
        }
        let mut options = OpenOptions::new();
        options.read(true).append(true).create(true).mode(0o600);
        let mut file = options.custom_flags(libc::O_NONBLOCK | libc::O_NOFOLLOW).open(&stamp)?;
        let mut known = String::new();
        Read::by_ref(&mut file).take(LIMIT).read_to_string(&mut known)?;
        if known.lines().any(|known| known == line) {
            return Ok(false);
        }
        file.write_all(format!("{line}\n").as_bytes()).map(|()| true)
    };
    open().unwrap_or(true)
}

/// Replaces this process by `candidate`; returns why that did not work. As in a shell, `/bin/sh` runs
/// a text without a `#!` line.
fn become_program(candidate: &Path, name: &[u8], rest: &[&CStr], foreign: bool) -> Errno {
    if foreign && script::interpreter(candidate).is_some_and(|line| script::names_carriage_return(&line)) {
        // `env` would be found, and then fail in words of its own.
        return Errno::ENOENT;
    }
    let (Ok(path), Ok(name)) = (CString::new(candidate.as_os_str().as_bytes()), CString::new(name)) else {
        return Errno::ENOENT;
    };
    let arguments: Vec<&CStr> = std::iter::once(name.as_c_str()).chain(rest.iter().copied()).collect();
    match nix::unistd::execv(&path, &arguments) {
        Ok(never) => match never {},
        Err(Errno::ENOEXEC) if script::is_text(candidate) => become_shell(&path, rest),
        Err(errno) => errno,
    }
}

fn become_shell(script: &CStr, rest: &[&CStr]) -> Errno {
    let Ok(shell) = CString::new(script::SHELL) else { return Errno::ENOENT };
    let arguments: Vec<&CStr> = [shell.as_c_str(), script].into_iter().chain(rest.iter().copied()).collect();
    match nix::unistd::execv(&shell, &arguments) {
        Ok(never) => match never {},
        Err(errno) => errno,
    }
}

/// Tells the program to come who calls it: `soong`, by its absolute path. Call it before there is a
/// second thread.
pub fn announce(soong: Option<&Path>) {
    // SAFETY: programs that call this have one thread.
    unsafe {
        if let Some(soong) = soong {
            std::env::set_var("SOONG", soong);
        }
        std::env::set_var("SOONG_API", API);
    }
}

impl Refusal {
    /// Says why a program that is there was not executed, and returns the exit code; `None` if there
    /// is no such program.
    pub fn report(&self) -> Option<u8> {
        match self {
            Self::Unknown => None,
            Self::Refused(candidate, errno) => {
                refused(candidate, *errno).report("soong");
                Some(EXIT_NOT_EXECUTABLE)
            }
            Self::NoInterpreter(candidate) => {
                no_interpreter(candidate).report("soong");
                Some(EXIT_NOT_FOUND)
            }
        }
    }
}

fn no_interpreter(candidate: &Path) -> Error {
    let text = candidate.to_string_lossy();
    let shown = printable(&text);
    let line = script::interpreter(candidate).unwrap_or_default();
    if script::names_carriage_return(&line) {
        let file = shell_words::quote(&text);
        return Error::failed(format!("cannot execute {shown}: its first line ends in a carriage return"))
            .with_hint(format!("convert it: perl -pi -e 's/\\r$//' {}", printable(&file)));
    }
    let interpreter = line.split_whitespace().next().unwrap_or_default();
    Error::failed(format!(
        "cannot execute {shown}: its interpreter {} is not installed",
        printable(interpreter)
    ))
    .with_hint("install it, or change the first line of the file")
}

fn refused(candidate: &Path, errno: Errno) -> Error {
    let error = Error::io("execute", candidate, errno.into());
    match errno {
        Errno::EACCES => error.with_hint(format!(
            "make it executable: chmod +x {}",
            printable(&shell_words::quote(&candidate.to_string_lossy()))
        )),
        Errno::ENOEXEC => {
            error.with_hint("it is built for another kind of machine; install a build for this one")
        }
        _ => error,
    }
}
