//! Starts `soong-supervisor` in the background.

use std::io::{self, ErrorKind};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use super::event;
use super::request::Request;
use crate::error::{Error, Result};
use crate::runtime::log::append_to;
use crate::system::paths::{self, Paths};
use crate::terminal::printable;

/// Name of the supervisor's program.
pub const NAME: &str = "soong-supervisor";

/// Starts the supervisor in its own session and sends it the request.
pub fn spawn(request: &Request, paths: &Paths) -> Result<(Child, UnixStream)> {
    let at_fault = |source| Error::cannot("start the supervisor", source);
    let program = path()?;
    let (mut ours, theirs) = UnixStream::pair().map_err(at_fault)?;
    let log = append_to(&paths.log(&request.name));
    let mut command = Command::new(&program);
    command
        .arg(&request.name)
        .current_dir("/")
        // If ssh runs this command for another tunnel, that tunnel's socket does not apply.
        .env_remove(paths::ASKPASS_SOCKET)
        .stdin(OwnedFd::from(theirs))
        .stdout(Stdio::null())
        .stderr(log.map_or_else(|_| Stdio::null(), Stdio::from));
    detach(&mut command);
    let child = command.spawn().map_err(|source| unusable(program, source))?;
    event::send(&mut ours, request).map_err(at_fault)?;
    Ok((child, ours))
}

/// Makes the command lead its own session and close inherited files: a pipe that another process reads to its
/// end, or a lock that belongs to its descriptor.
fn detach(command: &mut Command) {
    let detach = || {
        nix::unistd::setsid()?;
        close_inherited();
        Ok(())
    };
    // SAFETY: the closure runs between fork and exec and makes system calls only: setsid and
    // close_range, or fcntl in a loop. It allocates nothing.
    unsafe { command.pre_exec(detach) };
}

#[cfg(target_os = "linux")]
fn close_inherited() {
    // On exec, not now: the standard library still needs a descriptor to report a failed exec.
    // SAFETY: close_range takes three integers and here only sets a flag on descriptors. Kernels
    // before 5.11 refuse it; then inherited descriptors stay open, as they do with most daemons.
    unsafe { libc::syscall(libc::SYS_close_range, 3u32, u32::MAX, libc::CLOSE_RANGE_CLOEXEC) };
}

#[cfg(not(target_os = "linux"))]
fn close_inherited() {
    const HIGHEST: i32 = 1024;
    for descriptor in 3..HIGHEST {
        // SAFETY: fcntl on a descriptor that is not open fails and changes nothing.
        unsafe { libc::fcntl(descriptor, libc::F_SETFD, libc::FD_CLOEXEC) };
    }
}

/// Returns the path of the supervisor, beside the running program.
pub fn path() -> Result<PathBuf> {
    paths::sibling(NAME).map_err(|source| unusable(PathBuf::from(NAME), source))
}

/// Returns the error for `program`, the supervisor, that could not be executed.
pub fn unusable(program: PathBuf, source: io::Error) -> Error {
    let directory = program.parent().map(|directory| directory.to_string_lossy()).unwrap_or_default();
    let hint = format!("it belongs in {}; reinstall soong", printable(&directory));
    match source.kind() {
        ErrorKind::NotFound => Error::ProgramMissing { program: NAME.to_owned(), hint },
        _ => Error::ProgramRefused { program, source, hint: "reinstall soong".to_owned() },
    }
}
