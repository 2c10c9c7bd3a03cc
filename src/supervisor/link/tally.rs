//! Counts the connections that depend on one ssh: ending it would break them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Notify;

/// Number of connections that depend on one ssh.
#[derive(Debug, Default)]
pub struct Tally {
    under_way: AtomicUsize,
    none_left: Notify,
}

/// A connection that depends on an ssh, until dropped.
#[derive(Debug)]
pub struct UnderWay(Arc<Tally>);

impl Tally {
    /// Counts a connection.
    pub fn carry(self: &Arc<Self>) -> UnderWay {
        self.under_way.fetch_add(1, Ordering::Relaxed);
        UnderWay(Arc::clone(self))
    }

    /// Returns true if connections are left.
    pub fn is_carrying(&self) -> bool {
        self.under_way.load(Ordering::Relaxed) > 0
    }

    /// Waits until none is left.
    pub async fn until_none(&self) {
        while self.is_carrying() {
            self.none_left.notified().await;
        }
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        if self.0.under_way.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.0.none_left.notify_one();
        }
    }
}
