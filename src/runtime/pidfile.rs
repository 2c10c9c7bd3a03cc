//! The PID file of soong's predecessor: the PID of every running supervisor, a line each.
//!
//! It is written for other programs to read. Nothing here believes it: what it should say is
//! computed from the locks, and whatever else it says is replaced.

use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use nix::fcntl::{Flock, FlockArg};

use crate::error::{Error, Result};
use crate::runtime::directory::Directory;
use crate::runtime::state::{Phase, State};
use crate::system::paths::{self, Paths};

/// Makes the PID file say what is true. `ending` is the tunnel that is about to end, if any.
pub fn update(paths: &Paths, ending: Option<&Directory>) -> Result<()> {
    let _lock = lock(&paths.pid_file_lock())?;
    let mut pids = String::new();
    for directory in Directory::all(paths)? {
        let ends = ending.is_some_and(|ending| ending.state_file() == directory.state_file());
        if ends || !directory.is_locked()? {
            continue;
        }
        if let Some(state) =
            State::read(&directory).filter(|state| matches!(state.phase, Phase::Up | Phase::Reconnecting))
        {
            pids.push_str(&format!("{}\n", state.pid));
        }
    }
    write(&paths.pid_file(), &pids)
}

/// Whether there is a PID file.
pub fn exists(paths: &Paths) -> bool {
    fs::symlink_metadata(paths.pid_file()).is_ok()
}

fn write(file: &Path, pids: &str) -> Result<()> {
    if pids.is_empty() {
        return match fs::remove_file(file) {
            Err(error) if !is_absent(&error) => Err(Error::io("remove", file, error)),
            _ => Ok(()),
        };
    }
    if fs::read_to_string(file).is_ok_and(|present| present == pids) {
        return Ok(());
    }
    if let Some(directory) = file.parent() {
        fs::create_dir_all(directory).map_err(|error| Error::io("create", directory, error))?;
    }
    paths::write_atomically(file, pids)
}

fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// Waits for the other writers.
fn lock(path: &Path) -> Result<Flock<fs::File>> {
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(path)
        .map_err(|error| Error::io("open", path, error))?;
    Flock::lock(file, FlockArg::LockExclusive).map_err(|(_, errno)| Error::io("lock", path, errno.into()))
}
