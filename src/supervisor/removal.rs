//! Notices that the tunnel's directory was deleted or replaced, without polling.
//!
//! A tunnel that is up looks once a minute. An idle one sleeps, so on Linux the kernel tells it (`inotify(7)`); elsewhere
//! or among many tunnels, the next connection shows it.

use std::path::Path;

#[cfg(target_os = "linux")]
use tokio::io::unix::AsyncFd;

/// Largest number of tunnels with which a supervisor still watches its directory. A watch takes one of the 128 `inotify`
/// instances of a user (`fs.inotify.max_user_instances`), which editors and service managers need, too.
#[cfg(target_os = "linux")]
const WATCHED_MAX: usize = 32;

/// Watch of a directory.
pub(super) struct RemovalWatch {
    #[cfg(target_os = "linux")]
    events: Option<AsyncFd<std::os::fd::OwnedFd>>,
}

#[cfg(target_os = "linux")]
impl RemovalWatch {
    /// Watches `directory`, the directory of one of so many `tunnels`. If those are too many, or the system refuses, no
    /// removal is noticed.
    pub(super) fn new(directory: &Path, tunnels: usize) -> Self {
        let events = if tunnels > WATCHED_MAX { None } else { watch(directory).ok() };
        Self { events }
    }

    /// Waits until something was removed there, or the directory itself.
    pub(super) async fn removal(&mut self) {
        let mut buffer = [0; 4096];
        match &self.events {
            Some(events) => {
                if let Ok(mut ready) = events.readable().await {
                    // Drains the queue, so that it becomes readable again for later events only.
                    let _ = ready.try_io(|events| Ok(nix::unistd::read(events, &mut buffer)?));
                }
            }
            None => std::future::pending().await,
        }
    }
}

#[cfg(not(target_os = "linux"))]
impl RemovalWatch {
    pub(super) fn new(_directory: &Path, _tunnels: usize) -> Self {
        Self {}
    }

    pub(super) async fn removal(&mut self) {
        std::future::pending().await
    }
}

#[cfg(target_os = "linux")]
fn watch(directory: &Path) -> std::io::Result<AsyncFd<std::os::fd::OwnedFd>> {
    use std::ffi::CString;
    use std::io;
    use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
    use std::os::unix::ffi::OsStrExt;

    const REMOVALS: u32 = libc::IN_DELETE | libc::IN_MOVED_FROM | libc::IN_DELETE_SELF | libc::IN_MOVE_SELF;
    let path = CString::new(directory.as_os_str().as_bytes())?;
    // SAFETY: inotify_init1 takes flags and returns a new descriptor or -1.
    let descriptor = unsafe { libc::inotify_init1(libc::IN_NONBLOCK | libc::IN_CLOEXEC) };
    if descriptor == -1 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just made this descriptor, and no other code has it.
    let events = unsafe { OwnedFd::from_raw_fd(descriptor) };
    // SAFETY: the path is a string that ends with a zero byte and lives during the call.
    if unsafe { libc::inotify_add_watch(events.as_raw_fd(), path.as_ptr(), REMOVALS) } == -1 {
        return Err(io::Error::last_os_error());
    }
    crate::supervisor::system_events::watched(events)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_few_supervisors_take_an_inotify_instance() {
        let directory = tempfile::tempdir().unwrap();
        for (tunnels, expected) in [(1, true), (WATCHED_MAX, true), (WATCHED_MAX + 1, false)] {
            assert_eq!(RemovalWatch::new(directory.path(), tunnels).events.is_some(), expected, "{tunnels}");
        }
    }
}
