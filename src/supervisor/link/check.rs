//! One check of a link: probes until an answer comes or the link has shown no sign of life for too long.
//!
//! Late is not dead: on a slow link the probe queues behind clients' data. Meanwhile, data on any connection
//! counts, and the kernel's view of ssh's TCP connection. ssh itself must answer on its control socket, which
//! is never slow: the kernel of an ssh that hangs still acknowledges.
//!
//! After a change of the network a link gets less time, unless connections depend on it and its TCP
//! connection can recover: its local address still exists on this machine. Without that address it is dead.

use std::pin::pin;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::carrier::Carrier;
use super::contact::Contact;
use super::liveness::{OVERDUE_TRIPS, Patience};
use super::mux;
use super::tcp_progress::Connection;
use crate::supervisor::system_events;

/// Number of looks in a row that must miss the link's local address: renewing a DHCP lease can remove it for
/// a moment.
const HOMELESS_MAX: u32 = 2;

/// Factor by which a link on which connections depend gets more time before it is in doubt.
const BUSY: u32 = 3;

/// A link to check.
#[derive(Debug)]
pub struct Check<'a> {
    /// The contact to its ssh.
    pub contact: &'a Contact,
    /// Its connections and signs of life.
    pub carrier: &'a Carrier,
    /// Its TCP connection, if it is known.
    pub connection: Option<Connection>,
    /// True after a change of the network.
    pub network_changed: bool,
}

impl Check<'_> {
    /// Returns true if the link is alive. Calls `late` from time to time while it shows signs of life without
    /// an answer.
    pub async fn is_alive(&self, patience: Patience, late: impl Fn()) -> bool {
        let asked = Instant::now();
        let answered = |answered: bool| {
            if answered {
                self.carrier.liveness.answered(asked.elapsed());
            }
            answered || self.carrier.liveness.received_since(asked)
        };
        let mut answer = pin!(self.contact.probe.wait_for_reply());
        let mut greeting = pin!(mux::responds(&self.contact.control));
        let (mut greeted, mut responds) = (false, false);
        let (mut sign, mut told) = (asked, asked);
        let (mut connection, mut homeless) = (self.connection.map(Connection::as_of_now), 0);
        loop {
            tokio::select! {
                outcome = &mut answer => return answered(outcome),
                outcome = &mut greeting, if !greeted => (greeted, responds) = (true, outcome),
                () = sleep(patience.idle / 8) => {}
            }
            let is_busy = self.is_busy();
            if is_alive_in_kernel(connection.as_mut(), is_busy) {
                sign = Instant::now();
            }
            sign = sign.max(self.carrier.liveness.last_received());
            responds |= self.carrier.liveness.received_since(asked);
            homeless = if self.has_lost_address(connection.as_ref()) { homeless + 1 } else { 0 };
            if homeless == HOMELESS_MAX {
                return false;
            }
            let can_recover = !self.network_changed || connection.is_some();
            let limit = if is_busy && can_recover { patience.busy } else { patience.idle };
            if sign.elapsed() >= limit || !responds && asked.elapsed() >= patience.idle {
                return false;
            }
            if sign > told && told.elapsed() >= patience.idle {
                told = Instant::now();
                late();
            }
        }
    }

    /// Returns the doubt in the link, which has not arisen yet.
    pub fn doubt(&self) -> Doubt<'_> {
        let connection = self.connection.map(Connection::as_of_now);
        Doubt { check: self, connection, sign: Instant::now() }
    }

    fn is_busy(&self) -> bool {
        self.carrier.is_carrying()
    }

    /// Returns true if nothing can reach the link any more.
    fn has_lost_address(&self, connection: Option<&Connection>) -> bool {
        self.network_changed && connection.is_some_and(|connection| !connection.has_address())
    }
}

/// Returns true if the kernel has seen a sign of life since the last call. Acknowledgements count only if
/// connections depend on the link: a middlebox may acknowledge for a server that is gone.
fn is_alive_in_kernel(connection: Option<&mut Connection>, is_busy: bool) -> bool {
    let progress = connection.map(Connection::progress).unwrap_or_default();
    progress.read || is_busy && progress.acked
}

/// Doubt in a link. Unlike the end of [`Check::is_alive`], it proves nothing.
#[derive(Debug)]
pub struct Doubt<'a> {
    check: &'a Check<'a>,
    connection: Option<Connection>,
    /// Time of the last sign of life.
    sign: Instant,
}

impl Doubt<'_> {
    /// Waits until the link has shown no sign of life for as long as an answer may take.
    pub async fn arise(&mut self) {
        let pause = self.pause();
        loop {
            sleep(pause).await;
            self.persists();
            if self.sign.elapsed() >= self.limit() {
                return;
            }
        }
    }

    /// Waits until the link shows a sign of life.
    pub async fn pass(&mut self) {
        let pause = self.pause();
        while self.persists() {
            sleep(pause).await;
        }
    }

    /// Returns the time between two looks for a sign of life.
    fn pause(&self) -> Duration {
        self.check.carrier.liveness.overdue() / 2
    }

    /// Returns the time that an answer may take, by earlier checks and by the kernel. It is longer if connections
    /// depend on the link, because what these send may wait for a lost packet or for a receiver, and after a change of
    /// the network.
    fn limit(&self) -> Duration {
        let in_kernel = self.connection.as_ref().map_or(Duration::ZERO, Connection::round_trip);
        let limit = self.check.carrier.liveness.overdue().max(OVERDUE_TRIPS * in_kernel);
        let limit = if self.check.is_busy() { BUSY * limit } else { limit };
        if self.check.network_changed { limit.max(system_events::PATIENCE) } else { limit }
    }

    /// Returns true if the link has shown no sign of life since the last call.
    pub fn persists(&mut self) -> bool {
        let before = self.sign;
        let progress = self.connection.as_mut().map(Connection::progress).unwrap_or_default();
        // Where everything is acknowledged, the check has arrived, too, and only its answer is missing.
        if progress.read || self.check.is_busy() && progress.acked && progress.waits {
            self.sign = Instant::now();
        }
        self.sign = self.sign.max(self.check.carrier.liveness.last_received());
        self.sign == before
    }
}
