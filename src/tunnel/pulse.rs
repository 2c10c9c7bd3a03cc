//! Looking now and then whether the link still carries anything, for those who cannot look
//! themselves: a prompt believes that a tunnel is up only for as long as its supervisor has
//! promised, and the supervisor promises nothing that it does not know.
//!
//! A link that does not answer is not ended here: it may only be busy, and ssh's keepalive decides.

use tokio::time::{Duration, Instant, sleep_until};

use super::probe;
use crate::runtime::directory::Directory;
use crate::runtime::prompt::RENEWAL;

/// How long a link that did not answer is left alone before it is asked again.
const PAUSE: Duration = Duration::from_secs(10);

/// Asks the far end of a link for a sign of life at intervals.
#[derive(Debug)]
pub struct Pulse {
    directory: Directory,
    due: Instant,
}

impl Pulse {
    /// The pulse of the link in `directory`, which is known to be alive now.
    pub fn new(directory: &Directory) -> Self {
        Self { directory: directory.clone(), due: Instant::now() + RENEWAL }
    }

    /// Notes that the link has just proved to be alive in another way.
    pub fn felt(&mut self) {
        self.due = Instant::now() + RENEWAL;
    }

    /// Returns at the next sign of life that had to be asked for. May be dropped and called again
    /// at any time.
    pub async fn next(&mut self) {
        loop {
            sleep_until(self.due).await;
            if probe::is_alive(&self.directory).await {
                return self.felt();
            }
            self.due = Instant::now() + PAUSE;
        }
    }
}
