//! The directory of one tunnel: the names of its files, and the lock that says whether it runs.
//!
//! The supervisor holds an exclusive `flock` on `lock` from its start to its end, however it ends.
//! The kernel lets go of it with the process, so a free lock means that no tunnel runs, whatever
//! other files say. The lock file itself is never removed: a process that waits for it would be
//! left holding the lock of a file that nobody can find any more.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};

use crate::config::forwarding::Listen;
use crate::config::instance;
use crate::error::{Error, Result};
use crate::system::paths::{self, Paths, SOCKET_PATH_MAX};

/// The directory of one tunnel.
#[derive(Debug, Clone)]
pub struct Directory {
    path: PathBuf,
}

/// The lock of a tunnel, held; let go of by dropping it or by the end of the process.
pub type Lock = Flock<File>;

/// The longest name that a socket gets in a tunnel's directory. ssh adds 17 bytes to the name of
/// the control socket while it sets it up (`mux.c`, `muxserver_listen`).
const LONGEST_SOCKET: usize = "/ctl.0123456789abcdef".len();

impl Directory {
    /// The directory of the tunnel `name`; creates nothing. Long names give way to their digest
    /// where sockets would not fit otherwise.
    pub fn new(paths: &Paths, name: &str) -> Result<Self> {
        let fits = |path: &Path| path.as_os_str().len() + LONGEST_SOCKET <= SOCKET_PATH_MAX;
        let named = paths.tunnels().join(name);
        if fits(&named) {
            return Ok(Self { path: named });
        }
        let path = paths.tunnels().join(format!("@{}", instance::digest(name)));
        if fits(&path) {
            return Ok(Self { path });
        }
        Err(Error::failed(format!("the path {} is too long for sockets", paths.tunnels().display()))
            .with_hint("set XDG_RUNTIME_DIR (or TMPDIR) to a shorter path"))
    }

    /// All directories of tunnels that run or ran, in order of their names.
    pub fn all(paths: &Paths) -> Result<Vec<Self>> {
        let tunnels = paths.tunnels();
        let entries = match fs::read_dir(&tunnels) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(Error::io("read", &tunnels, error)),
        };
        let is_directory = |entry: &fs::DirEntry| entry.file_type().is_ok_and(|kind| kind.is_dir());
        let mut all: Vec<Self> =
            entries.flatten().filter(is_directory).map(|entry| Self { path: entry.path() }).collect();
        all.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(all)
    }

    /// Creates the directory.
    pub fn create(&self) -> Result<()> {
        paths::create_private(&self.path)
    }

    /// Where the tunnel's state is written.
    pub fn state_file(&self) -> PathBuf {
        self.path.join("state.toml")
    }

    /// Where the forwards beyond the services are written.
    pub fn forwards_file(&self) -> PathBuf {
        self.path.join("forwards.toml")
    }

    /// ssh's control socket.
    pub fn ssh_control(&self) -> PathBuf {
        self.path.join("ctl")
    }

    /// The socket on which the supervisor takes requests.
    pub fn supervisor_socket(&self) -> PathBuf {
        self.path.join("sup.sock")
    }

    /// The socket at which ssh's questions arrive.
    pub fn askpass_socket(&self) -> PathBuf {
        self.socket("askpass")
    }

    /// The socket that ssh forwards for the service behind the local port `local`.
    pub fn forward_socket(&self, local: u16) -> PathBuf {
        self.socket(&local.to_string())
    }

    /// The socket that ssh forwards for what listens on `listen` here.
    pub fn extra_socket(&self, listen: &Listen) -> PathBuf {
        match listen {
            Listen::Port(port) => self.forward_socket(*port),
            Listen::Socket(path) => self.socket(&format!("u{}", instance::digest(&path.to_string_lossy()))),
        }
    }

    /// A socket of the tunnel's own, by a short name.
    pub fn socket(&self, name: &str) -> PathBuf {
        self.path.join(format!("{name}.sock"))
    }

    /// Takes the lock if it is free.
    pub fn try_lock(&self) -> Result<Option<Lock>> {
        let path = self.path.join("lock");
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .custom_flags(libc::O_NOFOLLOW)
            .open(&path)
            .map_err(|error| Error::io("open", &path, error))?;
        match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(lock) => Ok(Some(lock)),
            Err((_, Errno::EWOULDBLOCK)) => Ok(None),
            Err((_, errno)) => Err(Error::io("lock", &path, errno.into())),
        }
    }

    /// Whether somebody holds the lock. Asks with a shared lock, so that askers do not see each
    /// other; a start that meets one tries again.
    pub fn is_locked(&self) -> Result<bool> {
        let path = self.path.join("lock");
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(Error::io("open", &path, error)),
        };
        match Flock::lock(file, FlockArg::LockSharedNonblock) {
            Ok(_free) => Ok(false),
            Err((_, Errno::EWOULDBLOCK)) => Ok(true),
            Err((_, errno)) => Err(Error::io("lock", &path, errno.into())),
        }
    }

    /// Whether `lock` is that of the file which others find here. It is not when somebody has deleted
    /// the directory; then another tunnel may have come to be in its place.
    pub fn is_held_by(&self, lock: &Lock) -> bool {
        match (lock.metadata(), fs::metadata(self.path.join("lock"))) {
            (Ok(ours), Ok(there)) => (ours.dev(), ours.ino()) == (there.dev(), there.ino()),
            (_, Err(error)) => error.kind() != io::ErrorKind::NotFound,
            (Err(_), Ok(_)) => true,
        }
    }

    /// Removes everything but the lock file, and the state if it is to be kept. Only for the one
    /// who holds the lock.
    pub fn clear(&self, lock: &Lock, keep_state: bool) {
        if !self.is_held_by(lock) {
            return;
        }
        let Ok(entries) = fs::read_dir(&self.path) else { return };
        for entry in entries.flatten() {
            let name = entry.file_name();
            if name != "lock" && !(keep_state && name == "state.toml") {
                // Whatever cannot be removed is replaced or refused by whoever needs the name next.
                let _ = fs::remove_file(entry.path());
            }
        }
    }

    /// Whether an ssh listens on the control socket although no supervisor holds the lock: one
    /// that outlived its supervisor.
    pub fn has_orphan(&self) -> bool {
        UnixStream::connect(self.ssh_control()).is_ok()
    }
}
