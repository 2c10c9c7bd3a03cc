//! From the `start` of a tunnel in the foreground to its supervisor, which takes the place of that
//! process: PID, terminal, signals and exit code are those of the command that was typed.
//!
//! Standard input is the terminal at which questions are asked, so the order goes by a file that
//! has no name any more, and the descriptor that is left of it.

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

/// Option of `soong-supervisor` that takes the number of the descriptor with the [`ForegroundLaunch`].
pub const FOREGROUND: &str = "--foreground";

/// What a supervisor in the foreground is to do.
#[derive(Debug, Serialize, Deserialize)]
pub struct ForegroundLaunch {
    /// The tunnel.
    pub request: Request,
    /// How much to show of it.
    pub style: Style,
    /// The ssh command line, as it is shown.
    pub command: String,
    /// What `--color` asked for.
    pub colour: Colour,
}

impl ForegroundLaunch {
    /// Makes the supervisor of this process. Returns only when that did not work.
    pub fn exec(&self, paths: &Paths) -> Result<()> {
        let at_fault = |source| Error::cannot("start the supervisor", source);
        let program = spawn::path()?;
        let file = self.write(paths).map_err(at_fault)?;
        let mut command = Command::new(&program);
        command.env_remove(paths::ASKPASS_SOCKET);
        command.args([FOREGROUND, &file.as_raw_fd().to_string(), &self.request.name]);
        // Nothing else is started here that could inherit it.
        fcntl(&file, FcntlArg::F_SETFD(FdFlag::empty())).map_err(|errno| at_fault(errno.into()))?;
        Err(spawn::unusable(program, command.exec()))
    }

    fn write(&self, paths: &Paths) -> io::Result<File> {
        let mut file = tempfile::tempfile_in(paths.runtime())?;
        file.write_all(&serde_json::to_vec(self)?)?;
        file.rewind()?;
        Ok(file)
    }

    /// The order behind the descriptor of this number, which is closed; `None` if there is none.
    pub fn take(number: &str) -> Option<Self> {
        let mut text = Vec::new();
        inherited(number.parse().ok()?)?.read_to_end(&mut text).ok()?;
        serde_json::from_slice(&text).ok()
    }
}

/// The file behind a descriptor that was open when this program began.
fn inherited(number: RawFd) -> Option<File> {
    // SAFETY: fcntl on a descriptor that is not open fails and changes nothing.
    if number <= libc::STDERR_FILENO || unsafe { libc::fcntl(number, libc::F_GETFD) } == -1 {
        return None;
    }
    // SAFETY: the descriptor is open, and nobody in this program, which has just begun, has it.
    Some(unsafe { File::from_raw_fd(number) })
}
