//! One ssh as its connections see it: how many depend on it, which of them wait for an answer, and whether it has
//! ended.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tokio::sync::{Notify, watch};

use super::liveness::Liveness;

/// One ssh that carries connections.
#[derive(Debug)]
pub struct Carrier {
    /// Signs of life of its link.
    pub liveness: Liveness,
    under_way: AtomicUsize,
    none_left: Notify,
    ended: watch::Sender<bool>,
}

/// A connection that depends on an ssh, until dropped: ending ssh would break it.
#[derive(Debug)]
pub struct UnderWay(Arc<Carrier>);

/// Data of one connection in both directions, as far as it concerns the liveness of its link.
#[derive(Debug)]
pub struct Exchange {
    carrier: Arc<Carrier>,
    /// True if an answer is owed.
    is_owed: AtomicBool,
}

impl Carrier {
    /// Returns an ssh whose link has just come up. `keepalive` is `ServerAliveInterval` in seconds.
    pub fn new(keepalive: u32) -> Self {
        Self {
            liveness: Liveness::new(keepalive),
            under_way: AtomicUsize::new(0),
            none_left: Notify::new(),
            ended: watch::Sender::new(false),
        }
    }

    /// Counts a connection.
    pub fn carry(self: &Arc<Self>) -> UnderWay {
        self.under_way.fetch_add(1, Ordering::Relaxed);
        UnderWay(Arc::clone(self))
    }

    /// Returns true if connections are left.
    pub fn is_carrying(&self) -> bool {
        self.under_way.load(Ordering::Relaxed) > 0
    }

    /// Waits until no connection is left.
    pub async fn until_unused(&self) {
        while self.is_carrying() {
            self.none_left.notified().await;
        }
    }

    /// Records that ssh has ended or is about to be killed.
    pub fn end(&self) {
        self.ended.send_replace(true);
    }

    /// Returns true if ssh has ended.
    pub fn has_ended(&self) -> bool {
        *self.ended.borrow()
    }

    /// Waits until ssh has ended.
    pub async fn until_ended(&self) {
        // The sender lives as long as this.
        let _ = self.ended.subscribe().wait_for(|ended| *ended).await;
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        if self.0.under_way.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.0.none_left.notify_one();
        }
    }
}

impl Exchange {
    /// Returns an exchange over the ssh of `carrier`, still without data.
    pub fn new(carrier: Arc<Carrier>) -> Self {
        Self { carrier, is_owed: AtomicBool::new(false) }
    }

    /// Returns the ssh that carries it.
    pub fn carrier(&self) -> &Arc<Carrier> {
        &self.carrier
    }

    /// Records data that needs an answer.
    pub fn sent(&self) {
        if !self.is_owed.swap(true, Ordering::Relaxed) {
            self.carrier.liveness.owe();
        }
        self.carrier.liveness.sent();
    }

    /// Records data received.
    pub fn received(&self) {
        self.pay();
        self.carrier.liveness.received();
    }

    /// Records that ssh accepts data again: it is not stuck, and has sent what it could not send before. What it takes
    /// now owes an answer.
    pub fn unblocked(&self) {
        self.carrier.liveness.received();
        self.sent();
    }

    fn pay(&self) {
        if self.is_owed.swap(false, Ordering::Relaxed) {
            self.carrier.liveness.pay();
        }
    }
}

/// An exchange that no ssh carries yet.
impl Default for Exchange {
    fn default() -> Self {
        let carrier = Carrier::new(0);
        carrier.end();
        Self::new(Arc::new(carrier))
    }
}

/// Another connection's exchange over the same ssh.
impl Clone for Exchange {
    fn clone(&self) -> Self {
        Self::new(Arc::clone(&self.carrier))
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        self.pay();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_count_while_they_are_carried() {
        let carrier = Arc::new(Carrier::new(5));
        let connection = carrier.carry();
        assert!(carrier.is_carrying());
        drop(connection);
        assert!(!carrier.is_carrying());
    }

    /// Otherwise a stream would hide that another client gets no answer.
    #[test]
    fn an_answer_is_owed_until_that_client_has_it() {
        let carrier = Arc::new(Carrier::new(5));
        let [stream, waiting] = [(); 2].map(|()| Exchange::new(Arc::clone(&carrier)));
        for exchange in [&stream, &waiting] {
            exchange.sent();
        }
        stream.received();
        assert!(carrier.liveness.owes_answer());
        waiting.received();
        assert!(!carrier.liveness.owes_answer());
    }

    /// A client that gives up and tries again soon would never put the link in doubt.
    #[test]
    fn a_client_that_goes_leaves_the_doubt() {
        let carrier = Arc::new(Carrier::new(5));
        let [gone, other] = [(); 2].map(|()| Exchange::new(Arc::clone(&carrier)));
        gone.sent();
        drop(gone);
        assert!(carrier.liveness.owes_answer());
        other.received();
        assert!(!carrier.liveness.owes_answer());
    }
}
