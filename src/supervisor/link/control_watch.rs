//! Waits for ssh's control socket to appear: ssh makes it once it has logged in.
//!
//! Linux reports new files (`inotify(7)`). Elsewhere, or if the system has no watch left, the caller looks at
//! intervals that grow with the elapsed time, adding at most a two-hundredth of it, or a millisecond, the
//! timer's resolution.

use std::path::Path;
use std::time::Duration;

use tokio::time::{Instant, sleep};

/// Longest interval.
const INTERVAL_MAX: Duration = Duration::from_millis(100);

/// A watch of the directory in which the socket appears.
#[derive(Debug)]
pub struct ControlWatch {
    begun: Instant,
    #[cfg(target_os = "linux")]
    new_files: Option<linux::NewFiles>,
}

impl ControlWatch {
    /// Watches the directory of `socket` from now on.
    pub fn new(socket: &Path) -> Self {
        #[cfg(not(target_os = "linux"))]
        let _ = socket;
        Self {
            begun: Instant::now(),
            #[cfg(target_os = "linux")]
            new_files: socket.parent().and_then(|directory| linux::NewFiles::of(directory).ok()),
        }
    }

    /// Waits until the socket may have appeared.
    pub async fn changed(&self) {
        #[cfg(target_os = "linux")]
        if let Some(new_files) = &self.new_files {
            tokio::select! {
                () = new_files.next() => {}
                // The socket may have appeared before the watch began.
                () = sleep(INTERVAL_MAX) => {}
            }
            return;
        }
        sleep((self.begun.elapsed() / 200).clamp(Duration::from_millis(1), INTERVAL_MAX)).await;
    }
}

#[cfg(target_os = "linux")]
mod linux {
    use std::future::pending;
    use std::io;
    use std::os::fd::OwnedFd;
    use std::path::Path;

    use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
    use tokio::io::unix::AsyncFd;

    use crate::supervisor::system_events::watched;

    /// Reports of new files in a directory.
    #[derive(Debug)]
    pub struct NewFiles(AsyncFd<OwnedFd>);

    impl NewFiles {
        /// Watches `directory` from now on.
        pub fn of(directory: &Path) -> io::Result<Self> {
            let watch = Inotify::init(InitFlags::IN_NONBLOCK | InitFlags::IN_CLOEXEC)?;
            watch.add_watch(directory, AddWatchFlags::IN_CREATE)?;
            Ok(Self(watched(watch.into())?))
        }

        /// Waits until there are new files since the last call.
        pub async fn next(&self) {
            match self.0.readable().await {
                Ok(mut ready) => {
                    self.drain();
                    ready.clear_ready();
                }
                Err(_) => pending().await,
            }
        }

        fn drain(&self) {
            // More than the largest report (`inotify(7)`).
            let mut reports = [0; 1024];
            while nix::unistd::read(self.0.get_ref(), &mut reports).is_ok_and(|length| length > 0) {}
        }
    }

    #[cfg(test)]
    mod tests {
        use std::fs::{self, File};
        use std::time::Duration;

        use tokio::time::timeout;

        use super::*;

        #[test]
        fn each_new_file_is_reported_and_nothing_else() {
            let directory = tempfile::tempdir().unwrap();
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let new_files = NewFiles::of(directory.path()).unwrap();
                for name in ["ctl.random", "ctl"] {
                    let path = directory.path().join(name);
                    let next = async {
                        tokio::task::yield_now().await;
                        File::create(&path).unwrap();
                    };
                    tokio::join!(new_files.next(), next);
                    fs::write(&path, "more").unwrap();
                }
                assert!(timeout(Duration::from_millis(20), new_files.next()).await.is_err());
            });
            assert!(NewFiles::of(&directory.path().join("gone")).is_err());
        }
    }
}
