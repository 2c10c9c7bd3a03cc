//! Directories for the sockets of ssh, two in each tunnel's directory: a second ssh can start beside the first, and
//! take its place at once, with all its sockets.

use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use crate::config::forwarding::Listen;
use crate::config::instance;
use crate::error::Result;
use crate::system::paths;

/// Link to the directory of the present ssh.
const PRESENT: &str = "p";
/// Name under which the link is created.
const NEXT: &str = "n";
/// Name of ssh's control socket.
pub const CONTROL: &str = "ctl";

/// One of the two directories.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Side {
    /// That of the first ssh.
    #[default]
    A,
    /// The other one.
    B,
}

impl Side {
    /// Both.
    pub const ALL: [Self; 2] = [Self::A, Self::B];

    /// Returns the other side.
    #[must_use]
    pub fn other(self) -> Self {
        if self == Self::A { Self::B } else { Self::A }
    }

    /// Returns the name of its directory.
    pub fn name(self) -> &'static str {
        if self == Self::A { "a" } else { "b" }
    }
}

/// Directory with the sockets of one ssh.
#[derive(Debug, Clone)]
pub struct SshDirectory {
    path: PathBuf,
}

impl SshDirectory {
    /// Returns the directory on `side` in that of a tunnel.
    pub fn new(tunnel: &Path, side: Side) -> Self {
        Self { path: tunnel.join(side.name()) }
    }

    /// Returns the directory of the present ssh of a tunnel, by a path that stays the same.
    pub fn present(tunnel: &Path) -> Self {
        Self { path: tunnel.join(PRESENT) }
    }

    /// Returns the path of ssh's control socket.
    pub fn control(&self) -> PathBuf {
        self.path.join(CONTROL)
    }

    /// Returns the path of the socket that ssh forwards to nowhere: a connection to it asks whether the link is
    /// alive.
    pub fn probe(&self) -> PathBuf {
        self.path.join("probe.sock")
    }

    /// Returns the path of the file with the number of the session that ssh leads, which is its PID.
    pub fn session(&self) -> PathBuf {
        self.path.join("session")
    }

    /// Returns the path of the socket that ssh forwards for connections to `listen`.
    pub fn forward(&self, listen: &Listen) -> PathBuf {
        self.path.join(match listen {
            Listen::Port(port) => format!("{port}.sock"),
            Listen::Socket(path) => format!("u{}.sock", instance::digest(&path.to_string_lossy())),
        })
    }
}

/// Creates both directories of a tunnel, and the link from its control socket to that of the present ssh.
pub fn create(tunnel: &Path) -> Result<()> {
    for side in Side::ALL {
        paths::create_private(&tunnel.join(side.name()))?;
    }
    let control = tunnel.join(CONTROL);
    symlink(Path::new(PRESENT).join(CONTROL), &control)
        .or_else(|error| if error.kind() == io::ErrorKind::AlreadyExists { Ok(()) } else { Err(error) })
        .map_err(|error| crate::error::Error::io("create", &control, error))
}

/// Makes the ssh on `side` the present one.
pub fn set_present(tunnel: &Path, side: Side) -> io::Result<()> {
    let next = tunnel.join(NEXT);
    let _ = std::fs::remove_file(&next);
    symlink(side.name(), &next)?;
    std::fs::rename(&next, tunnel.join(PRESENT))
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::{UnixListener, UnixStream};

    use super::*;

    #[test]
    fn all_sockets_change_sides_at_once() {
        let tunnel = tempfile::tempdir().unwrap();
        create(tunnel.path()).unwrap();
        create(tunnel.path()).unwrap();
        let listen = |side| {
            let listener = UnixListener::bind(SshDirectory::new(tunnel.path(), side).control()).unwrap();
            listener.set_nonblocking(true).unwrap();
            listener
        };
        let [a, b] = Side::ALL.map(listen);
        let connect = || UnixStream::connect(tunnel.path().join(CONTROL));
        assert!(connect().is_err(), "no ssh yet");
        for (side, listener) in [(Side::A, &a), (Side::B, &b), (Side::A, &a)] {
            set_present(tunnel.path(), side).unwrap();
            let _client = connect().unwrap();
            assert!(listener.accept().is_ok(), "{side:?}");
            assert!(a.accept().is_err() && b.accept().is_err());
        }
    }
}
