//! Asking the status daemon, about once a minute while the link is up and whenever somebody wants it
//! asked, how long the instance lives, how busy its GPU is and which model it serves.
//!
//! Only when a token is configured; it is read anew each time, so that one that is configured
//! later counts. A daemon that does not answer is no reason to worry anybody.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::sync::Notify;
use tokio::time::{Instant, timeout};

use crate::config::credentials::Credentials;
use crate::daemon;
use crate::daemon::http::RESPONSE_MAX;
use crate::runtime::state::Facts;
use crate::system::paths::Paths;

const INTERVAL: Duration = Duration::from_secs(60);

/// Asks when it is woken. It has no clock of its own, so that a tunnel that is idle wakes for one
/// thing only: see [`DaemonPoll::remind`].
#[derive(Debug)]
pub struct DaemonPoll {
    paths: Paths,
    socket: Option<PathBuf>,
    wake: Arc<Notify>,
    /// Whether a question is wanted that has not been asked to its end.
    wanted: bool,
    due: Instant,
}

impl DaemonPoll {
    /// Asks the daemon behind `socket`, for the first time at once; never when there is no socket.
    /// `wake` makes the next question due.
    pub fn new(paths: &Paths, socket: Option<PathBuf>, wake: Arc<Notify>) -> Self {
        Self { paths: paths.clone(), socket, wake, wanted: true, due: Instant::now() }
    }

    /// Makes the next question due if the last one was long ago.
    pub fn poll_if_due(&self) {
        if Instant::now() >= self.due {
            self.wake.notify_one();
        }
    }

    /// The daemon's next answer that makes sense. May be dropped and called again at any time: a
    /// question that was cut off is asked again.
    pub async fn next(&mut self) -> Facts {
        let Some(socket) = self.socket.clone() else {
            return std::future::pending().await;
        };
        loop {
            if !self.wanted {
                self.wake.notified().await;
                self.wanted = true;
            }
            let facts = self.ask(&socket).await;
            self.wanted = false;
            self.due = Instant::now() + INTERVAL;
            if let Some(facts) = facts {
                return facts;
            }
        }
    }

    async fn ask(&self, socket: &Path) -> Option<Facts> {
        let token = Credentials::load_daemon_token(&self.paths).ok()??;
        let request = daemon::status_request(token.expose());
        let answer = timeout(daemon::PATIENCE, exchange(socket, &request)).await.ok()?.ok()?;
        daemon::facts(&answer).ok()
    }
}

async fn exchange(socket: &Path, request: &[u8]) -> io::Result<Vec<u8>> {
    let mut stream = UnixStream::connect(socket).await?;
    stream.write_all(request).await?;
    let mut answer = Vec::new();
    stream.take(RESPONSE_MAX as u64).read_to_end(&mut answer).await?;
    Ok(answer)
}
