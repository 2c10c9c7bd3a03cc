//! Asking the status daemon, once a minute while the link is up, how long the instance lives, how
//! busy its GPU is and which model it serves.
//!
//! Only when a token is configured; it is read anew each time, so that one that is configured
//! later counts. A daemon that does not answer is no reason to worry anybody.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::time::{Instant, sleep_until, timeout};

use crate::credentials::Credentials;
use crate::daemon::http::ANSWER_MAX;
use crate::daemon::{self, Facts};
use crate::paths::Paths;

const INTERVAL: Duration = Duration::from_secs(60);

/// Asks at intervals.
#[derive(Debug)]
pub struct Inquiry {
    paths: Paths,
    socket: Option<PathBuf>,
    due: Instant,
}

impl Inquiry {
    /// Asks the daemon behind `socket`, for the first time at once; never when there is no socket.
    pub fn new(paths: &Paths, socket: Option<PathBuf>) -> Self {
        Self { paths: paths.clone(), socket, due: Instant::now() }
    }

    /// The daemon's next answer that makes sense. May be dropped and called again at any time.
    pub async fn next(&mut self) -> Facts {
        let Some(socket) = self.socket.clone() else {
            return std::future::pending().await;
        };
        loop {
            sleep_until(self.due).await;
            self.due = Instant::now() + INTERVAL;
            let Some(token) =
                Credentials::load(&self.paths).ok().and_then(|credentials| credentials.daemon_token)
            else {
                continue;
            };
            let request = daemon::status_request(token.expose());
            if let Ok(Ok(answer)) = timeout(daemon::PATIENCE, exchange(&socket, &request)).await
                && let Ok(facts) = daemon::facts(&answer)
            {
                return facts;
            }
        }
    }
}

async fn exchange(socket: &PathBuf, request: &[u8]) -> io::Result<Vec<u8>> {
    let mut stream = UnixStream::connect(socket).await?;
    stream.write_all(request).await?;
    let mut answer = Vec::new();
    stream.take(ANSWER_MAX as u64).read_to_end(&mut answer).await?;
    Ok(answer)
}
