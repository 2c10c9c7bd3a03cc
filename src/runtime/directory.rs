//! Directory of one tunnel: its files, and the lock that says whether it runs.
//!
//! The supervisor holds an exclusive `flock` on `lock` from its start to its end. The kernel releases it with
//! the process, so a free lock means that no tunnel runs, whatever other files say. The lock file is never
//! removed: a waiting process would lock a file that has lost its name.

use std::fmt;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::unistd::geteuid;

use crate::config::forwarding::Listen;
use crate::config::instance;
use crate::error::{Error, Result};
use crate::runtime::ssh_directory::{self, Side, SshDirectory};
use crate::system::lock;
use crate::system::paths::{self, Paths, SOCKET_PATH_MAX};
use crate::terminal::printable;

/// Directory of one tunnel.
#[derive(Debug, Clone)]
pub struct Directory {
    path: PathBuf,
}

pub use crate::system::lock::Lock;

/// Longest name of a socket below a tunnel's directory. ssh appends 17 bytes to the control socket's name while
/// it creates it (`mux.c`, `muxserver_listen`).
const LONGEST_SOCKET: usize = "/a/ctl.0123456789abcdef".len();

/// Subdirectory of a runtime directory with one directory per tunnel.
const TUNNELS: &str = "tunnels";

impl fmt::Display for Directory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&printable(&self.path.to_string_lossy()))
    }
}

impl Directory {
    /// Returns the directory for a tunnel `name` of this session; creates nothing. Long names are replaced by
    /// their digest if sockets would not fit otherwise.
    pub fn new(paths: &Paths, name: &str) -> Result<Self> {
        Self::below(paths.runtime(), name).ok_or_else(|| {
            let shown = paths.runtime().display();
            Error::failed(format!("the path {shown} is too long for sockets"))
                .with_hint("set XDG_RUNTIME_DIR to a shorter path")
        })
    }

    fn below(runtime: &Path, name: &str) -> Option<Self> {
        let fits = |path: &PathBuf| path.as_os_str().len() + LONGEST_SOCKET <= SOCKET_PATH_MAX;
        let tunnels = runtime.join(TUNNELS);
        let shortened = || tunnels.join(format!("@{}", instance::digest(name)));
        let path = Some(tunnels.join(name)).filter(fits).or_else(|| Some(shortened()).filter(fits))?;
        Some(Self { path })
    }

    /// Returns the directories for a tunnel `name` in the user's other sessions.
    pub fn elsewhere(paths: &Paths, name: &str) -> Vec<Self> {
        let others: Vec<PathBuf> =
            paths.places().into_iter().filter(|place| place != paths.runtime()).collect();
        Self::in_places(&others, name).collect()
    }

    /// Returns the directories for a tunnel `name` in `places`, which are runtime directories.
    pub fn in_places<'a>(places: &'a [PathBuf], name: &'a str) -> impl Iterator<Item = Self> + 'a {
        places.iter().filter_map(|place| Self::below(place, name))
    }

    /// Returns the directory of the running tunnel `name` in any session, else that of this session.
    pub fn find(paths: &Paths, name: &str) -> Result<Self> {
        let own = Self::new(paths, name)?;
        if own.is_locked().unwrap_or(true) {
            return Ok(own);
        }
        let mut others = Self::elsewhere(paths, name).into_iter();
        Ok(others.find(|other| other.is_locked().unwrap_or(false)).unwrap_or(own))
    }

    /// Returns the directories of all tunnels, running or not, this session's first, sorted by name.
    pub fn all(paths: &Paths) -> Result<Vec<Self>> {
        let mut all = Vec::new();
        for place in paths.places() {
            let tunnels = place.join(TUNNELS);
            let entries = match fs::read_dir(&tunnels) {
                Ok(entries) => entries,
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(Error::io("read", &tunnels, error)),
            };
            let is_directory = |entry: &fs::DirEntry| entry.file_type().is_ok_and(|kind| kind.is_dir());
            let mut found: Vec<Self> =
                entries.flatten().filter(is_directory).map(|entry| Self { path: entry.path() }).collect();
            found.sort_by(|a, b| a.path.cmp(&b.path));
            all.extend(found);
        }
        Ok(all)
    }

    /// Returns true for a tunnel of another session of the user.
    pub fn is_elsewhere(&self, paths: &Paths) -> bool {
        !self.path.starts_with(paths.runtime())
    }

    /// Creates the directory.
    pub fn create(&self) -> Result<()> {
        paths::create_private(&self.path)
    }

    /// Returns the path of the state file.
    pub fn state_file(&self) -> PathBuf {
        self.path.join("state.toml")
    }

    /// Creates the directories for the sockets of ssh.
    pub fn create_ssh_directories(&self) -> Result<()> {
        ssh_directory::create(&self.path)
    }

    /// Returns the directory for the sockets of the ssh on `side`.
    pub fn ssh_directory(&self, side: Side) -> SshDirectory {
        SshDirectory::new(&self.path, side)
    }

    /// Makes the ssh on `side` the present one.
    pub fn set_present(&self, side: Side) -> io::Result<()> {
        ssh_directory::set_present(&self.path, side)
    }

    /// Returns the path of the present ssh's control socket.
    pub fn ssh_control(&self) -> PathBuf {
        self.path.join(ssh_directory::CONTROL)
    }

    /// Returns the path of the supervisor's socket.
    pub fn supervisor_socket(&self) -> PathBuf {
        self.path.join("sup.sock")
    }

    /// Returns the path of the socket for ssh's questions.
    pub fn askpass_socket(&self) -> PathBuf {
        self.socket("askpass")
    }

    /// Returns the path of the present ssh's probe socket.
    pub fn probe_socket(&self) -> PathBuf {
        SshDirectory::present(&self.path).probe()
    }

    /// Returns the path of the socket that the present ssh forwards for connections to `listen`.
    pub fn forward_socket(&self, listen: &Listen) -> PathBuf {
        SshDirectory::present(&self.path).forward(listen)
    }

    /// Returns the path of a socket with a short name.
    pub fn socket(&self, name: &str) -> PathBuf {
        self.path.join(format!("{name}.sock"))
    }

    /// Takes the lock if it is free.
    pub fn try_lock(&self) -> Result<Option<Lock>> {
        lock::try_lock(&self.lock_file(), Duration::ZERO)
    }

    /// Returns true if a process holds the lock. A start that meets this query retries.
    pub fn is_locked(&self) -> Result<bool> {
        lock::is_locked(&self.lock_file())
    }

    fn lock_file(&self) -> PathBuf {
        self.path.join("lock")
    }

    /// Returns true while `lock` is on the file that others find here, in a directory of this user. After a
    /// deletion or replacement, another tunnel or another user may be in its place.
    pub fn is_held_by(&self, lock: &Lock) -> bool {
        let is_ours = |metadata: &fs::Metadata| metadata.uid() == geteuid().as_raw();
        if fs::symlink_metadata(&self.path).is_ok_and(|path| !path.is_dir() || !is_ours(&path)) {
            return false;
        }
        match (lock.metadata(), fs::symlink_metadata(self.lock_file())) {
            (Ok(ours), Ok(there)) => (ours.dev(), ours.ino()) == (there.dev(), there.ino()),
            (_, Err(error)) => error.kind() != io::ErrorKind::NotFound,
            (Err(_), Ok(_)) => true,
        }
    }

    /// Removes all files except the lock, and except the state if it is kept. Only for the holder of the
    /// lock.
    pub fn clear(&self, lock: &Lock, keep_state: bool) {
        if !self.is_held_by(lock) {
            return;
        }
        let Ok(entries) = fs::read_dir(&self.path) else { return };
        for entry in entries.flatten() {
            let name = entry.file_name();
            if name != "lock" && !(keep_state && name == "state.toml") {
                // Files that cannot be removed are replaced or refused at their next use.
                let _ = fs::remove_file(entry.path());
            }
        }
        for side in Side::ALL {
            let _ = fs::remove_dir_all(self.path.join(side.name()));
        }
    }

    /// Returns true if an ssh listens on the control socket although the lock is free: it outlived its
    /// supervisor.
    pub fn has_orphan(&self) -> bool {
        UnixStream::connect(self.ssh_control()).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_counts_in_the_directory_it_was_taken_in() {
        let root = tempfile::tempdir().unwrap();
        let directory = Directory { path: root.path().join("dev") };
        directory.create().unwrap();
        let lock = directory.try_lock().unwrap().unwrap();
        assert!(directory.is_held_by(&lock));
        if geteuid().is_root() {
            // Only root can give it away.
            std::os::unix::fs::chown(&directory.path, Some(65_534), None).unwrap();
            assert!(!directory.is_held_by(&lock), "another user's");
            std::os::unix::fs::chown(&directory.path, Some(0), None).unwrap();
        }
        let moved = root.path().join("moved");
        fs::rename(&directory.path, &moved).unwrap();
        assert!(!directory.is_held_by(&lock), "gone");
        std::os::unix::fs::symlink(&moved, &directory.path).unwrap();
        assert!(!directory.is_held_by(&lock), "a link");
        fs::remove_file(&directory.path).unwrap();
        directory.create().unwrap();
        fs::write(directory.path.join("lock"), "").unwrap();
        assert!(!directory.is_held_by(&lock), "another lock");
        std::os::unix::fs::symlink("/dev/null", root.path().join("dev/lock2")).unwrap();
        fs::rename(root.path().join("dev/lock2"), root.path().join("dev/lock")).unwrap();
        assert!(directory.try_lock().is_err() && directory.is_locked().is_err(), "links are not followed");
    }
}
