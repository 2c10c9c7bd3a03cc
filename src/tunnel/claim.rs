//! What makes a process the supervisor of a tunnel: it holds the lock, and it answers on the socket.

use std::os::fd::IntoRawFd;
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::net::UnixListener;
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use crate::error::{Error, Result};
use crate::runtime::control;
use crate::runtime::directory::{Directory, Lock};

/// How long a start that finds the lock taken looks whether a tunnel is behind it, or only a
/// command that asked who holds it.
const LOCK_PATIENCE: Duration = Duration::from_secs(1);
const LOCK_PAUSE: Duration = Duration::from_millis(5);

/// How long to leave a socket alone that cannot accept.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The lock of the tunnel. While somebody holds it who is no supervisor, waits for a moment.
pub async fn lock(directory: &Directory) -> Result<Lock> {
    let deadline = Instant::now() + LOCK_PATIENCE;
    loop {
        if let Some(lock) = directory.try_lock()? {
            return Ok(lock);
        }
        if control::Supervisor::connect(directory).is_ok() || Instant::now() >= deadline {
            return Err(Error::AlreadyRunning);
        }
        sleep(LOCK_PAUSE).await;
    }
}

/// Serves the supervisor's socket.
pub async fn serve(listener: UnixListener, stopper: watch::Sender<bool>) {
    loop {
        let Ok((mut stream, _)) = listener.accept().await else {
            sleep(ACCEPT_PAUSE).await;
            continue;
        };
        let stopper = stopper.clone();
        tokio::spawn(async move {
            let mut request = [0; control::STOP.len()];
            if stream.read_exact(&mut request).await.is_ok() && request == control::STOP.as_bytes() {
                stopper.send_replace(true);
                // The client takes the end of this connection for that of the process, so closing it is
                // left to the kernel: this task ends before the process does.
                let _ = stream.into_std().map(IntoRawFd::into_raw_fd);
            }
        });
    }
}
