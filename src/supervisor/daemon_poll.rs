//! Polls the status daemon for lease, GPU load and model: about once a minute while the link is up, and on
//! request.
//!
//! Polls only if this instance has a token, which it reads anew each time, so that a later one counts. Failures
//! are ignored.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, timeout};

use crate::config::Config;
use crate::daemon;
use crate::daemon::http::RESPONSE_MAX;
use crate::runtime::state::{Facts, Target};
use crate::system::paths::Paths;

const INTERVAL: Duration = Duration::from_secs(60);

/// Poll of the daemon. It has no clock of its own, so that an idle tunnel wakes for one thing only: see
/// [`DaemonPoll::poll_if_due`].
#[derive(Debug)]
pub struct DaemonPoll {
    paths: Paths,
    instance: Target,
    socket: Option<PathBuf>,
    wake: Arc<Notify>,
    /// True if a poll is wanted that has not been completed.
    wanted: bool,
    due: Instant,
}

impl DaemonPoll {
    /// Polls the daemon of `instance` behind `socket`, at once for the first time; never without a socket. `wake`
    /// makes the next poll due.
    pub fn new(paths: &Paths, instance: &Target, socket: Option<PathBuf>, wake: Arc<Notify>) -> Self {
        let (paths, instance) = (paths.clone(), instance.clone());
        Self { paths, instance, socket, wake, wanted: true, due: Instant::now() }
    }

    /// Makes the next poll due if the last one is old.
    pub fn poll_if_due(&self) {
        if Instant::now() >= self.due {
            self.wake.notify_one();
        }
    }

    /// Returns the daemon's next valid answer. Cancel-safe: an interrupted poll is repeated.
    pub async fn next(&mut self) -> Facts {
        let Some(socket) = self.socket.clone() else {
            return std::future::pending().await;
        };
        loop {
            if !self.wanted {
                self.wake.notified().await;
                self.wanted = true;
            }
            let facts = self.fetch(&socket).await;
            self.wanted = false;
            self.due = Instant::now() + INTERVAL;
            if let Some(facts) = facts {
                return facts;
            }
        }
    }

    async fn fetch(&self, socket: &Path) -> Option<Facts> {
        let config = if let Ok(config) = Config::load(&self.paths) {
            config
        } else {
            // An editor may be writing it; the next poll is a minute away.
            sleep(Duration::from_secs(1)).await;
            Config::load(&self.paths).ok()?
        };
        let token =
            daemon::client::token(&self.instance.id, &self.instance.name, &config, &self.paths).ok()??;
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
