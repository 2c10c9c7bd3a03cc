//! A former ssh: another one has taken its place while its link was in doubt. It goes on as long as connections depend
//! on it, because the link may recover, and ends once it is certainly dead.

use std::sync::Arc;

use tokio::time::timeout;

use super::link::contact::Contact;
use super::link::liveness::{Patience, Tally};
use super::link::process::Link;
use super::link::tcp_progress::Connection;

/// A former ssh.
pub(super) struct Former {
    pub(super) link: Link,
    pub(super) contact: Arc<Contact>,
    /// Its connections.
    pub(super) tally: Arc<Tally>,
    pub(super) patience: Patience,
}

impl Former {
    /// Returns once ssh has ended. Dropping the result kills it.
    pub(super) async fn run_down(mut self) {
        let pid = self.link.pid();
        tokio::select! {
            _ = self.link.ended() => return,
            () = self.tally.until_none() => {}
            () = until_dead(&self.contact, pid, self.patience) => {}
        }
        self.link.kill().await;
    }
}

/// Waits until the link is certainly dead. Never returns once it has answered: ssh's keepalive looks after it.
async fn until_dead(contact: &Contact, pid: Option<u32>, patience: Patience) {
    let mut connection = pid.and_then(Connection::of);
    while !matches!(timeout(patience.busy, contact.probe.wait_for_reply()).await, Ok(true)) {
        let progress = connection.as_mut().map(Connection::progress).unwrap_or_default();
        if !progress.acked && !progress.read {
            return;
        }
    }
    std::future::pending().await
}
