//! File locks (`flock`), which the kernel releases when the process ends.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};

use crate::error::{Error, Result};
use crate::system::paths;

/// An exclusive lock, held until dropped.
pub type Lock = Flock<File>;

/// Time limit for locks of writers, which hold them for milliseconds.
pub const WRITER_PATIENCE: Duration = Duration::from_secs(10);
/// Time between two attempts.
const PAUSE: Duration = Duration::from_millis(5);

/// Locks the file `path`, creating it if missing. Fails if another process keeps the lock longer than
/// `patience`.
pub fn lock(path: &Path, patience: Duration) -> Result<Lock> {
    try_lock(path, patience)?.ok_or_else(|| Error::io("lock", path, Errno::EWOULDBLOCK.into()))
}

/// Locks the file `path` like [`lock`]; returns `None` if another process keeps the lock for longer than `patience`.
pub fn try_lock(path: &Path, patience: Duration) -> Result<Option<Lock>> {
    let deadline = Instant::now() + patience;
    let mut file = paths::open_private(path)?;
    loop {
        match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(lock) => return Ok(Some(lock)),
            Err((_, Errno::EWOULDBLOCK)) if Instant::now() >= deadline => return Ok(None),
            Err((same, Errno::EWOULDBLOCK)) => file = same,
            Err((_, errno)) => return Err(Error::io("lock", path, errno.into())),
        }
        sleep(PAUSE);
    }
}

/// Returns true if a process holds the lock of `path`. Asks with a shared lock, so that two processes that ask do not
/// take each other for the holder; a process that wants the lock at that moment tries again.
pub fn is_locked(path: &Path) -> Result<bool> {
    let file = match OpenOptions::new().read(true).custom_flags(libc::O_NOFOLLOW).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(Error::io("open", path, error)),
    };
    match Flock::lock(file, FlockArg::LockSharedNonblock) {
        Ok(_free) => Ok(false),
        Err((_, Errno::EWOULDBLOCK)) => Ok(true),
        Err((_, errno)) => Err(Error::io("lock", path, errno.into())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_exclusive_until_it_is_dropped() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("lock");
        assert!(!is_locked(&path).unwrap());
        let held = lock(&path, Duration::ZERO).unwrap();
        assert!(is_locked(&path).unwrap());
        assert!(try_lock(&path, Duration::from_millis(20)).unwrap().is_none());
        let refused = lock(&path, Duration::ZERO).unwrap_err().to_string();
        assert!(refused.starts_with("cannot lock "), "{refused}");
        drop(held);
        assert!(try_lock(&path, Duration::ZERO).unwrap().is_some());
        std::os::unix::fs::symlink(&path, directory.path().join("link")).unwrap();
        assert!(try_lock(&directory.path().join("link"), Duration::ZERO).is_err());
    }
}
