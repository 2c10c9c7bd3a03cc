//! Former ssh: another one has taken its place while its link was in doubt. It goes on as long as connections or sessions
//! depend on it, because the link may recover. It ends when none is left, or when the link is certainly dead.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

use super::link::carrier::Carrier;
use super::link::contact::Contact;
use super::link::liveness::Patience;
use super::link::process::Link;
use super::link::sessions;
use super::link::tcp_progress::Connection;
use crate::runtime::log::Log;

/// Interval of counts of sessions, whose end causes no event.
const LOOK_AGAIN: Duration = Duration::from_secs(5);
/// Time for the relay to see what ssh has read before it was suspended.
const MOMENT: Duration = Duration::from_millis(20);

/// A former ssh.
pub(super) struct Former {
    pub(super) link: Link,
    pub(super) contact: Arc<Contact>,
    /// Its connections.
    pub(super) carrier: Arc<Carrier>,
    pub(super) patience: Patience,
    pub(super) log: Arc<Log>,
}

impl Former {
    /// Runs until ssh has ended. Dropping the result kills it.
    pub(super) async fn run_down(mut self) {
        if self.is_used() {
            self.log.write("the first ssh stays for its open connections");
        }
        loop {
            let connection = self.link.connection();
            let dead = until_dead(&self.contact, &self.carrier, connection, self.patience);
            let is_dead = tokio::select! {
                _ = self.link.ended() => return self.carrier.end(),
                () = until_unused(&self.carrier, &self.contact) => false,
                () = dead => true,
            };
            if is_dead {
                self.log.write("the first ssh shows no sign of life and ends with its connections");
                break;
            }
            // A link that recovers at this moment may have let ssh read a request.
            self.link.suspend();
            sleep(MOMENT).await;
            if !self.is_used() {
                break;
            }
            self.link.resume();
        }
        self.carrier.end();
        self.link.kill().await;
    }

    fn is_used(&self) -> bool {
        self.carrier.is_carrying() || sessions::count(self.contact.control.path()) > 0
    }
}

/// Waits until neither connections nor sessions depend on an ssh.
async fn until_unused(carrier: &Carrier, contact: &Contact) {
    loop {
        carrier.until_unused().await;
        if sessions::count(contact.control.path()) == 0 {
            return;
        }
        sleep(LOOK_AGAIN).await;
    }
}

/// Waits until the link is certainly dead. Never returns once it has answered: ssh's keepalive looks after it.
async fn until_dead(
    contact: &Contact,
    carrier: &Carrier,
    connection: Option<Connection>,
    patience: Patience,
) {
    let mut connection = connection.map(Connection::as_of_now);
    let mut sign = Instant::now();
    let pause = patience.busy / 5;
    while sign.elapsed() < patience.busy {
        match timeout(pause, contact.probe.wait_for_reply()).await {
            Ok(true) => return std::future::pending().await,
            Ok(false) => sleep(pause).await,
            Err(_) => {}
        }
        let progress = connection.as_mut().map(Connection::progress).unwrap_or_default();
        if progress.acked || progress.read {
            sign = Instant::now();
        }
        sign = sign.max(carrier.liveness.last_received());
    }
}
