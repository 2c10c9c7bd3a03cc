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
use crate::supervisor::link::carrier::{Carrier, Exchange};

/// A connection's view of the link. Copies share it.
#[derive(Debug, Clone)]
pub struct Uplink {
    /// The present ssh while there is a link.
    pub link: watch::Receiver<Option<Arc<Carrier>>>,
    /// Time that a connection waits for a link.
    pub hold: Duration,
    /// Counts open and waiting connections.
    pub demand: Arc<Demand>,
    /// Limit on connections. At the limit, accepting pauses, and clients queue in the listener's backlog.
    pub limit: ConnectionLimit,
    /// Refuses other users of this machine, if the user wants that.
    pub guard: Guard,
    /// Gets told about traffic in both directions over the ssh of this connection, which need not be the present one.
    pub exchange: Exchange,
    /// Counts connections and bytes.
    pub counters: Arc<Counters>,
}

impl Uplink {
    /// Returns true if the link is up.
    pub fn is_up(&self) -> bool {
        self.link.borrow().is_some()
    }

    /// Returns the time until which a connection that arrives now waits.
    pub fn deadline(&self) -> Instant {
        Instant::now() + self.hold
    }

    /// Waits until the link is up, and chooses its ssh. Fails with [`io::ErrorKind::NotConnected`] if there will be none
    /// for now.
    pub async fn until_up(&mut self, deadline: Instant) -> io::Result<()> {
        if self.attach() {
            return Ok(());
        }
        let gone = |_| io::Error::from(io::ErrorKind::ConnectionAborted);
        let _waiting = self.demand.wait();
        tokio::select! {
            up = timeout_at(deadline, self.link.wait_for(Option::is_some)) => drop(up?.map_err(gone)?),
            () = self.demand.refusal() => return Err(io::ErrorKind::NotConnected.into()),
        }
        self.attach();
        Ok(())
    }

    /// Chooses the present ssh for this connection. Returns false if there is none. The connection must be made at
    /// once: another ssh can take over as soon as this thread waits.
    pub fn attach(&mut self) -> bool {
        let present = self.link.borrow_and_update().clone();
        let Some(present) = present else { return false };
        self.exchange = Exchange::new(present);
        // A service that speaks first owes data from now on.
        self.exchange.sent();
        true
    }

    /// Waits until the ssh of this connection has ended.
    pub async fn until_down(&self) {
        self.exchange.carrier().until_ended().await;
    }

    /// Waits until another ssh has taken over from that of this connection, which goes on.
    pub async fn until_replaced(&self) {
        let (mut link, own) = (self.link.clone(), self.exchange.carrier());
        let is_other = |present: &Option<_>| present.as_ref().is_some_and(|other| !Arc::ptr_eq(other, own));
        if link.wait_for(is_other).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// Returns true if ssh itself is gone, not only the connection that it closed: it also closes connections that a
/// service refuses.
pub(super) fn is_gone(remote: &UnixStream, uplink: &Uplink) -> bool {
    let is_ended = uplink.exchange.carrier().has_ended();
    is_ended || remote.peer_cred().is_ok_and(|peer| peer.pid().is_some_and(is_ending))
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
