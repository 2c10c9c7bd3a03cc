//! A connection's view of the link: whether it is up, how long to wait for it, and whom to tell about traffic.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::UnixStream;
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

use super::connection_limit::ConnectionLimit;
use super::demand::Demand;
use super::metrics::Counters;
use super::owner::Guard;
use crate::supervisor::link::liveness::Liveness;
use crate::supervisor::link::tally::Tally;

/// A connection's view of the link. Copies share it.
#[derive(Debug, Clone)]
pub struct Uplink {
    /// True while there is a link.
    pub link: watch::Receiver<bool>,
    /// Time that a connection waits for a link.
    pub hold: Duration,
    /// Counts open and waiting connections.
    pub demand: Arc<Demand>,
    /// Limit on connections. At the limit, accepting pauses, and clients queue in the listener's backlog.
    pub limit: ConnectionLimit,
    /// Refuses other users of this machine, if the user wants that.
    pub guard: Guard,
    /// Gets told about traffic in both directions.
    pub liveness: Arc<Liveness>,
    /// Connections that depend on the same ssh as this one.
    pub tally: Arc<Tally>,
    /// Counts connections and bytes.
    pub counters: Arc<Counters>,
}

impl Uplink {
    /// Returns true if the link is up.
    pub fn is_up(&self) -> bool {
        *self.link.borrow()
    }

    /// Returns the time until which a connection that arrives now waits.
    pub fn deadline(&self) -> Instant {
        Instant::now() + self.hold
    }

    /// Waits until the link is up. Fails with [`io::ErrorKind::NotConnected`] if there will be none for now.
    pub async fn until_up(&mut self, deadline: Instant) -> io::Result<()> {
        if *self.link.borrow_and_update() {
            return Ok(());
        }
        let gone = |_| io::Error::from(io::ErrorKind::ConnectionAborted);
        let _waiting = self.demand.wait();
        tokio::select! {
            up = timeout_at(deadline, self.link.wait_for(|up| *up)) => up?.map_err(gone).map(drop),
            () = self.demand.refusal() => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    /// Chooses the count of the present ssh. Called before a connection is made: if another ssh takes over in between,
    /// the former one is kept for longer than necessary, and none ends too early.
    pub fn attach(&mut self) {
        self.tally = self.liveness.tally();
    }

    /// Waits until the link is down or the supervisor ends.
    pub async fn until_down(&mut self) {
        let _ = self.link.wait_for(|up| !*up).await;
    }
}

/// Returns true if ssh itself is gone, not only the connection that it closed: it also closes connections that a
/// service refuses.
pub(super) fn is_gone(remote: &UnixStream, uplink: &Uplink) -> bool {
    // A link that is up again is another one.
    let is_another = uplink.link.has_changed().unwrap_or(true);
    is_another || !uplink.is_up() || remote.peer_cred().is_ok_and(|peer| peer.pid().is_some_and(is_ending))
}

/// Returns true if a process is ending or gone. It begins to end before its sockets are closed.
#[cfg(target_os = "linux")]
fn is_ending(pid: i32) -> bool {
    use std::io::Read as _;

    /// `PF_EXITING`, among the flags in `proc_pid_stat(5)`.
    const EXITING: u32 = 4;
    // One read is enough, and happens at the end of each connection.
    let mut buffer = [0; 256];
    let read = std::fs::File::open(format!("/proc/{pid}/stat")).and_then(|mut file| file.read(&mut buffer));
    let Ok(length) = read else { return true };
    let stat = String::from_utf8_lossy(&buffer[..length]);
    // After the name, which can contain anything: state, four numbers, the terminal's group, flags.
    let flags = stat.rsplit(')').next().and_then(|rest| rest.split_whitespace().nth(6)?.parse().ok());
    flags.is_none_or(|flags: u32| flags & EXITING != 0)
}

#[cfg(not(target_os = "linux"))]
fn is_ending(_pid: i32) -> bool {
    false
}
