//! One check of a link: probes until an answer comes or the link has shown no sign of life for too long.
//!
//! Late is not dead: on a slow link the probe queues behind clients' data. Meanwhile, data on any connection
//! counts, and the kernel's view of ssh's TCP connection. ssh itself must answer on its control socket, which
//! is never slow: the kernel of an ssh that hangs still acknowledges.
//!
//! After a change of the network a link gets less time, unless connections depend on it and its TCP
//! connection can recover: its local address still exists on this machine. Without that address it is dead.

use std::pin::pin;

use tokio::time::{Instant, sleep};

use super::liveness::{Liveness, Patience};
use super::mux::{self, Control};
use super::probe::Probe;
use super::tcp_progress::Connection;

/// Number of looks in a row that must miss the link's local address: renewing a DHCP lease can remove it for
/// a moment.
const HOMELESS_MAX: u32 = 2;

/// A link to check.
#[derive(Debug)]
pub struct Check<'a> {
    /// Sends the probe.
    pub probe: &'a Probe,
    /// Times of received data.
    pub liveness: &'a Liveness,
    /// ssh's control socket.
    pub control: &'a Control,
    /// PID of ssh, if it still runs.
    pub pid: Option<u32>,
    /// True after a change of the network.
    pub network_changed: bool,
}

impl Check<'_> {
    /// Returns true if the link is alive. Calls `late` from time to time while it shows signs of life without
    /// an answer.
    pub async fn is_alive(&self, patience: Patience, late: impl Fn()) -> bool {
        let asked = Instant::now();
        let mut answer = pin!(self.probe.wait_for_reply());
        let mut greeting = pin!(mux::responds(self.control));
        let (mut greeted, mut responds) = (false, false);
        let (mut sign, mut told) = (asked, asked);
        let (mut connection, mut homeless) = (None, 0);
        loop {
            tokio::select! {
                answered = &mut answer => return answered || self.liveness.received_since(asked),
                outcome = &mut greeting, if !greeted => (greeted, responds) = (true, outcome),
                () = sleep(patience.idle / 8) => {}
            }
            let is_busy = self.liveness.is_carrying();
            if self.is_alive_in_kernel(&mut connection, is_busy) {
                sign = Instant::now();
            }
            sign = sign.max(self.liveness.last_received());
            responds |= self.liveness.received_since(asked);
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

    /// Returns true if nothing can reach the link any more.
    fn has_lost_address(&self, connection: Option<&Connection>) -> bool {
        self.network_changed && connection.is_some_and(|connection| !connection.has_address())
    }

    /// Returns true if the kernel has seen a sign of life since the last call. Acknowledgements count only if
    /// connections depend on the link: a middlebox may acknowledge for a server that is gone.
    fn is_alive_in_kernel(&self, connection: &mut Option<Connection>, is_busy: bool) -> bool {
        let Some(connection) = connection else {
            *connection = self.pid.and_then(Connection::of);
            return false;
        };
        let progress = connection.progress();
        progress.read || is_busy && progress.acked
    }
}
