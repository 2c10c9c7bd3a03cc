//! Foreground start: the `start` process becomes the supervisor, so PID, terminal, signals and exit code are
//! those of the typed command.
//!
//! Standard input is the terminal for questions, so the launch is passed in an unlinked file, by descriptor.

use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::os::fd::{AsRawFd, FromRawFd, RawFd};
use std::os::unix::process::CommandExt;
use std::process::Command;

use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use serde::{Deserialize, Serialize};

use super::progress::Style;
use super::request::Request;
use super::spawn;
use crate::error::{Error, Result};
use crate::system::paths::{self, Paths};
use crate::terminal::Colour;

/// Option of `soong-supervisor` with the descriptor of the [`ForegroundLaunch`].
pub const FOREGROUND: &str = "--foreground";

/// Launch of a supervisor in the foreground.
#[derive(Debug, Serialize, Deserialize)]
pub struct ForegroundLaunch {
    /// The request.
    pub request: Request,
    /// Amount of output.
    pub style: Style,
    /// The ssh command line, for output.
    pub command: String,
    /// Value of `--color`.
    pub colour: Colour,
}

impl ForegroundLaunch {
    /// Execs the supervisor. Returns only if that fails.
    pub fn exec(&self, paths: &Paths) -> Result<()> {
        let at_fault = |source| Error::cannot("start the supervisor", source);
        let program = spawn::path()?;
        let file = self.write(paths).map_err(at_fault)?;
        let mut command = Command::new(&program);
        command.env_remove(paths::ASKPASS_SOCKET);
        command.args([FOREGROUND, &file.as_raw_fd().to_string(), &self.request.name]);
        // No other program is started here that could inherit it.
        fcntl(&file, FcntlArg::F_SETFD(FdFlag::empty())).map_err(|errno| at_fault(errno.into()))?;
        Err(spawn::unusable(program, command.exec()))
    }

    fn write(&self, paths: &Paths) -> io::Result<File> {
        let mut file = tempfile::tempfile_in(paths.runtime())?;
        file.write_all(&serde_json::to_vec(self)?)?;
        file.rewind()?;
        Ok(file)
    }

    /// Reads the launch from the descriptor of this number and closes it; `None` if there is none.
    pub fn take(number: &str) -> Option<Self> {
        let mut text = Vec::new();
        inherited(number.parse().ok()?)?.read_to_end(&mut text).ok()?;
        serde_json::from_slice(&text).ok()
    }
}

/// Returns the file of a descriptor that was open at the start of this program.
fn inherited(number: RawFd) -> Option<File> {
    // SAFETY: fcntl on a descriptor that is not open fails and changes nothing.
    if number <= libc::STDERR_FILENO || unsafe { libc::fcntl(number, libc::F_GETFD) } == -1 {
        return None;
    }
    // SAFETY: the descriptor is open, and this program, which has just begun, uses it nowhere else.
    Some(unsafe { File::from_raw_fd(number) })
}
