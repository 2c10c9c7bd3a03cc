//! The control socket, and the proof that the tunnel's own ssh listens on it.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use nix::unistd::geteuid;
use tokio::net::UnixStream;
use tokio::net::unix::UCred;

use crate::system::proc;

/// Control socket of the tunnel's ssh. Copies share it.
#[derive(Debug, Clone)]
pub struct Control {
    path: Arc<Path>,
    /// PID of ssh; 0 before the first one.
    ssh: Arc<AtomicU32>,
}

impl Control {
    /// Returns the socket at `path`. No process is trusted there before [`expect`](Self::expect).
    pub fn new(path: PathBuf) -> Self {
        Self { path: path.into(), ssh: Arc::default() }
    }

    /// Returns its path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Trusts the ssh with this PID, and no other process, from now on.
    pub fn expect(&self, ssh: Option<u32>) {
        self.ssh.store(ssh.unwrap_or_default(), Ordering::Relaxed);
    }

    /// Trusts the ssh that `other` trusts, and no other process, from now on.
    pub fn expect_same(&self, other: &Self) {
        self.ssh.store(other.ssh.load(Ordering::Relaxed), Ordering::Relaxed);
    }

    /// Connects. Fails with [`io::ErrorKind::PermissionDenied`] if another process than ssh listens there, as
    /// after a replacement of the directory.
    pub async fn connect(&self) -> io::Result<UnixStream> {
        let stream = UnixStream::connect(&self.path).await?;
        if is_ssh(&stream.peer_cred()?, self.ssh.load(Ordering::Relaxed)) {
            Ok(stream)
        } else {
            Err(io::Error::new(
                io::ErrorKind::PermissionDenied,
                "another process listens on its control socket",
            ))
        }
    }
}

/// Returns true if `peer` is our user's and is the process `ssh` or a descendant: the ssh program may be a
/// script. Without a PID from the kernel, the user must suffice.
fn is_ssh(peer: &UCred, ssh: u32) -> bool {
    let pid = peer.pid().map(i32::unsigned_abs);
    peer.uid() == geteuid().as_raw() && pid.is_none_or(|pid| descends(pid, ssh))
}

/// Returns true if the process `pid` is `ancestor` or a descendant.
fn descends(mut pid: u32, ancestor: u32) -> bool {
    const DEPTH_MAX: usize = 8;
    for _ in 0..DEPTH_MAX {
        if pid == ancestor {
            return ancestor != 0;
        }
        match parent(pid) {
            Some(parent) if parent > 1 => pid = parent,
            _ => return false,
        }
    }
    false
}

/// Returns the parent of the process `pid`, from `proc_pid_stat(5)`; `None` except on Linux.
fn parent(pid: u32) -> Option<u32> {
    proc::stat_field(pid, 4)
}

#[cfg(test)]
mod tests {
    use tokio::net::UnixListener;

    use super::*;

    #[test]
    fn only_the_expected_process_is_trusted() {
        let directory = tempfile::tempdir().unwrap();
        let control = Control::new(directory.path().join("ctl"));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let _listener = UnixListener::bind(control.path()).unwrap();
            let kind = async || control.connect().await.err().map(|error| error.kind());
            assert_eq!(kind().await, Some(io::ErrorKind::PermissionDenied), "before there is an ssh");
            control.expect(Some(std::process::id()));
            assert_eq!(kind().await, None);
            // A script whose child listens.
            control.expect(Some(std::os::unix::process::parent_id()));
            #[cfg(target_os = "linux")]
            assert_eq!(kind().await, None);
            control.expect(Some(1));
            #[cfg(target_os = "linux")]
            assert_eq!(kind().await, Some(io::ErrorKind::PermissionDenied));
        });
    }
}
