//! One check of a link, from the question until it is answered or the link has shown no sign of life for too long.
//!
//! Late is not dead: on a slow link the question waits behind what clients send. What counts meanwhile is bytes
//! that come back over any connection, and what the kernel sees of ssh's TCP connection. ssh itself must answer
//! on its control socket, over which nothing is slow: an ssh that is stuck keeps its kernel's company.
//!
//! After a change of the network a link is given less time, unless connections are under way and its TCP
//! connection can still recover: its local address is still this machine's. Without that address it is dead.

use std::pin::pin;

use tokio::time::{Instant, sleep};

use super::liveness::{Liveness, Patience};
use super::mux::{self, Control};
use super::probe::Probe;
use super::tcp_progress::Connection;

/// How many looks in a row have to miss the local address of a link: a renewed lease may take it away for a moment.
const HOMELESS_MAX: u32 = 2;

/// A link to check.
#[derive(Debug)]
pub struct Check<'a> {
    /// Puts the question.
    pub probe: &'a Probe,
    /// Hears of what comes back over connections.
    pub liveness: &'a Liveness,
    /// ssh's control socket.
    pub control: &'a Control,
    /// ssh, if it still runs.
    pub pid: Option<u32>,
    /// The network has changed.
    pub network_changed: bool,
}

impl Check<'_> {
    /// Returns whether the link is alive. Calls `late` now and then while it shows signs of life and does not
    /// answer.
    pub async fn is_alive(&self, patience: Patience, late: impl Fn()) -> bool {
        let asked = Instant::now();
        let mut answer = pin!(self.probe.answer());
        let mut greeting = pin!(mux::responds(self.control));
        let (mut greeted, mut responds) = (false, false);
        let (mut sign, mut told) = (asked, asked);
        let (mut connection, mut homeless) = (None, 0);
        loop {
            tokio::select! {
                answered = &mut answer => return answered || self.liveness.heard_since(asked),
                outcome = &mut greeting, if !greeted => (greeted, responds) = (true, outcome),
                () = sleep(patience.idle / 8) => {}
            }
            let is_busy = self.liveness.is_carrying();
            if self.is_alive_in_kernel(&mut connection, is_busy) {
                sign = Instant::now();
            }
            sign = sign.max(self.liveness.last_heard());
            responds |= self.liveness.heard_since(asked);
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

    /// Returns whether nothing can reach the link any more.
    fn has_lost_address(&self, connection: Option<&Connection>) -> bool {
        self.network_changed && connection.is_some_and(|connection| !connection.has_address())
    }

    /// Whether the kernel has seen a sign of life since this was last asked. What the far end acknowledges counts
    /// only if something would be lost with the link: a middlebox may acknowledge for a server that is gone.
    fn is_alive_in_kernel(&self, connection: &mut Option<Connection>, is_busy: bool) -> bool {
        let Some(connection) = connection else {
            *connection = self.pid.and_then(Connection::of);
            return false;
        };
        let progress = connection.progress();
        progress.read || is_busy && progress.acked
    }
}
