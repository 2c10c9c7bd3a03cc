//! Execs `soong-NAME`. Kept short: every command goes this way.
//!
//! Tries each directory by executing. The program gets this process as its caller set it up, plus the
//! variables `SOONG` and `SOONG_API`.

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

/// Version of the contract between `soong` and the programs it executes.
const API: &str = "1";

/// Reason why no program was executed.
#[derive(Debug)]
pub enum Refusal {
    /// No program of that name.
    Unknown,
    /// The system does not execute this file.
    Refused(PathBuf, Errno),
    /// The interpreter in this file's first line does not exist.
    NoInterpreter(PathBuf),
}

/// Execs the first program `soong-NAME` in `directories`; returns only if that fails. `name` is valid.
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
            // As in a shell: a later directory may have an executable one.
            refusal = refusal.or(Some((candidate, errno)));
        }
    }
    match refusal {
        // The system reports "not found" for a missing interpreter as well.
        None => match candidates().find(|candidate| paths::is_executable(candidate)) {
            Some(candidate) => Refusal::NoInterpreter(candidate),
            None => Refusal::Unknown,
        },
        // A directory or a file without execute permission is not a command.
        Some((candidate, Errno::EACCES)) if !candidate.is_file() => Refusal::Unknown,
        Some((candidate, errno)) => Refusal::Refused(candidate, errno),
    }
}

fn is_missing(errno: Option<Errno>) -> bool {
    matches!(errno, Some(Errno::ENOENT | Errno::ENOTDIR | Errno::ENAMETOOLONG | Errno::ELOOP))
}

/// Warns once that another user could have placed the program. Looks closer only at suspicious files.
fn warn_if_open(candidate: &Path) {
    let Some(metadata) = candidate.parent().and_then(|directory| fs::metadata(directory).ok()) else {
        return;
    };
    let plain = metadata.mode() & 0o022 == 0 && (metadata.uid() == 0 || metadata.uid() == geteuid().as_raw());
    if plain || !paths::is_executable(candidate) {
        return;
    }
    if let Some(fault) = trust::fault(candidate)
        && is_first_warning(candidate)
    {
        let label = terminal::hint_label();
        terminal::print_error(&format!(
            "soong: {} cannot be trusted: {fault}\n{label} move it to a directory that only you can write; this warning appears once\n",
            printable(&candidate.to_string_lossy()),
        ));
    }
}

/// Returns true if the user has not been warned of `program`, according to the state directory; records the
/// warning there.
fn is_first_warning(program: &Path) -> bool {
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

/// Replaces this process by `candidate`; returns the reason if that fails. As in a shell, `/bin/sh` runs a
/// text without a `#!` line.
fn become_program(candidate: &Path, name: &[u8], rest: &[&CStr], foreign: bool) -> Errno {
    if foreign && script::interpreter(candidate).is_some_and(|line| script::names_carriage_return(&line)) {
        // `env` would be found, and then fail with its own message.
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

/// Sets `SOONG` to the absolute path of `soong` for the next program. Call it before there is a second
/// thread.
pub fn export_caller(soong: Option<&Path>) {
    // SAFETY: programs that call this have one thread.
    unsafe {
        if let Some(soong) = soong {
            std::env::set_var("SOONG", soong);
        }
        std::env::set_var("SOONG_API", API);
    }
}

impl Refusal {
    /// Reports why an existing program was not executed and returns the exit code; `None` if there is no such
    /// program.
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
