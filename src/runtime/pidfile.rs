//! PID file of soong's predecessor: one line per running supervisor.
//!
//! It is written for other programs; soong does not trust it. Its content is computed from the locks and
//! replaced, except for PIDs of supervisors in sessions that are not visible from this one.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use nix::unistd::geteuid;

use crate::error::{Error, Result};
use crate::runtime::directory::Directory;
use crate::runtime::state::{Phase, State};
use crate::system::lock::{WRITER_PATIENCE, lock};
use crate::system::paths::{self, Paths};

/// Longest PID file, in bytes.
const FILE_MAX: u64 = 1 << 16;

/// Updates the PID file. `ending` is a tunnel that is about to end.
pub fn update(paths: &Paths, ending: Option<&Directory>) -> Result<()> {
    paths::create_private(paths.state())?;
    let _lock = lock(&paths.pid_file_lock(), WRITER_PATIENCE)?;
    let mut pids = String::new();
    for directory in Directory::all(paths)? {
        let ends = ending.is_some_and(|ending| ending.state_file() == directory.state_file());
        if ends || !directory.is_locked()? {
            continue;
        }
        if let Some(state) = State::read(&directory) {
            pids.extend(line(&state));
        }
    }
    for pid in unseen(&paths.pid_file(), &pids) {
        pids.push_str(&format!("{pid}\n"));
    }
    write(&paths.pid_file(), &pids)
}

/// Updates the PID file unless it lists exactly the tunnels in `running`, in the order of [`Directory::all`]. A command
/// that has just read their states need not read them again.
pub fn update_if_outdated<'a>(paths: &Paths, running: impl Iterator<Item = &'a State>) -> Result<()> {
    let listed = paths::read_own(&paths.pid_file(), FILE_MAX).unwrap_or_default();
    let is_right = running.filter_map(line).eq(listed.split_inclusive('\n'));
    // Without tunnels there is no file.
    if is_right && !listed.is_empty() { Ok(()) } else { update(paths, None) }
}

/// Returns the line of a running tunnel; `None` for one that has not started yet.
fn line(state: &State) -> Option<String> {
    let is_started = match state.phase {
        Phase::Idle | Phase::Up | Phase::Reconnecting => true,
        // From idle, as the first attempt of others has not started them yet.
        Phase::Starting => state.on_demand.is_some(),
        Phase::Failed => false,
    };
    is_started.then(|| format!("{}\n", state.pid))
}

/// Returns the PIDs in `file` that are not in `seen` and belong to another supervisor of this user.
fn unseen(file: &Path, seen: &str) -> Vec<u32> {
    let text = paths::read_own(file, FILE_MAX).unwrap_or_default();
    let seen: HashSet<&str> = seen.lines().collect();
    let pids = text.lines().filter(|line| !seen.contains(line));
    let pids = pids.filter_map(|line| line.parse().ok()).filter(|pid| *pid != std::process::id());
    let mut pids: Vec<u32> = pids.filter(|pid| is_supervisor(*pid)).collect();
    pids.dedup();
    pids
}

/// Returns true if the process `pid` is a supervisor of this user; false if that is not visible. This only
/// keeps a PID in the file; signals are sent by lock.
fn is_supervisor(pid: u32) -> bool {
    let process = Path::new("/proc").join(pid.to_string());
    let program = fs::read_link(process.join("exe")).unwrap_or_default();
    let is_ours = fs::metadata(&process).is_ok_and(|process| process.uid() == geteuid().as_raw());
    is_ours && program.file_name().is_some_and(|name| name == "soong-supervisor")
}

/// Returns true if the PID file exists.
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
        paths::create_private(directory)?;
    }
    paths::write_atomically(file, pids)
}

fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}
