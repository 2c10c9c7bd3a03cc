//! Demand for the link: connections that wait for it, and the time since clients last used it.
//!
//! An on-demand tunnel starts ssh while something waits, and ends it when no client has had a connection for a while.
//! An open connection counts as use even if it is silent: ending ssh would reset it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use crate::supervisor::link::timer;

/// Demand for the link of one tunnel.
#[derive(Debug)]
pub struct Demand {
    /// Number of connections and requests that wait for the link.
    waiting: AtomicUsize,
    /// Number of those that a user makes by a command: they try at once, whatever failed before.
    insisting: AtomicUsize,
    /// Number of open client connections, waiting ones included.
    open: AtomicUsize,
    /// Time at which the last client connection ended or the link came up.
    used: Mutex<Instant>,
    /// Notified when a number becomes zero or stops to be.
    changed: Notify,
    /// True while waiting connections are refused.
    refusing: watch::Sender<bool>,
}

/// An open client connection, until dropped.
#[derive(Debug)]
pub struct Use(Arc<Demand>);

/// A connection or request that waits for the link, until dropped.
#[derive(Debug)]
pub struct Waiting {
    demand: Arc<Demand>,
    insists: bool,
}

impl Demand {
    /// Counts a client connection.
    pub fn open(self: &Arc<Self>) -> Use {
        self.open.fetch_add(1, Ordering::Relaxed);
        Use(Arc::clone(self))
    }

    /// Counts a connection that waits for the link.
    pub fn wait(self: &Arc<Self>) -> Waiting {
        self.want(false)
    }

    /// Counts a request of a command that waits for the link.
    pub fn insist(self: &Arc<Self>) -> Waiting {
        self.want(true)
    }

    fn want(self: &Arc<Self>, insists: bool) -> Waiting {
        self.insisting.fetch_add(usize::from(insists), Ordering::Relaxed);
        self.waiting.fetch_add(1, Ordering::Relaxed);
        self.changed.notify_one();
        Waiting { demand: Arc::clone(self), insists }
    }

    /// Returns true if a command waits for the link.
    pub fn is_insistent(&self) -> bool {
        self.insisting.load(Ordering::Relaxed) > 0
    }

    /// Returns true if no client is connected and nothing waits.
    pub fn is_unused(&self) -> bool {
        self.open.load(Ordering::Relaxed) == 0 && self.waiting.load(Ordering::Relaxed) == 0
    }

    /// Records that the link came up.
    pub fn touch(&self) {
        *self.used.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    /// Waits until something waits for the link.
    pub async fn wanted(&self) {
        while self.waiting.load(Ordering::Relaxed) == 0 {
            self.changed.notified().await;
        }
    }

    /// Waits until nothing waits for the link.
    pub async fn unwanted(&self) {
        while self.waiting.load(Ordering::Relaxed) > 0 {
            self.changed.notified().await;
        }
    }

    /// Refuses everything that waits for the link.
    pub async fn refuse(&self) {
        self.refusing.send_replace(true);
        self.unwanted().await;
        self.refusing.send_replace(false);
    }

    /// Waits until waiting connections are refused.
    pub async fn refusal(&self) {
        let mut refusing = self.refusing.subscribe();
        if refusing.wait_for(|refusing| *refusing).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Waits until no client has been connected for `limit`. Sets a timer once in that time, not for each connection.
    pub async fn unused_for(&self, limit: Duration) {
        loop {
            while !self.is_unused() {
                self.changed.notified().await;
            }
            let due = *self.used.lock().unwrap_or_else(PoisonError::into_inner) + limit;
            if Instant::now() >= due {
                return;
            }
            timer::until(due).await;
        }
    }
}

impl Default for Demand {
    fn default() -> Self {
        Self {
            waiting: AtomicUsize::new(0),
            insisting: AtomicUsize::new(0),
            open: AtomicUsize::new(0),
            used: Mutex::new(Instant::now()),
            changed: Notify::new(),
            refusing: watch::Sender::new(false),
        }
    }
}

impl Drop for Use {
    fn drop(&mut self) {
        self.0.touch();
        if self.0.open.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.0.changed.notify_one();
        }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.demand.insisting.fetch_sub(usize::from(self.insists), Ordering::Relaxed);
        if self.demand.waiting.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.demand.changed.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use tokio::time::timeout;

    use super::*;

    const MOMENT: Duration = Duration::from_millis(1);

    fn block_on<T>(work: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
    }

    #[test]
    fn a_link_is_wanted_while_something_waits() {
        let demand = Arc::new(Demand::default());
        block_on(async {
            assert!(timeout(MOMENT, demand.wanted()).await.is_err());
            let (one, two) = (demand.wait(), demand.insist());
            demand.wanted().await;
            assert!(demand.is_insistent());
            drop(one);
            assert!(timeout(MOMENT, demand.unwanted()).await.is_err());
            drop(two);
            demand.unwanted().await;
            assert!(!demand.is_insistent() && demand.is_unused());
        });
    }

    #[test]
    fn a_refusal_reaches_what_waits_and_nothing_later() {
        let demand = Arc::new(Demand::default());
        block_on(async {
            let waiting = demand.wait();
            let refused = async {
                demand.refusal().await;
                drop(waiting);
            };
            tokio::join!(demand.refuse(), refused);
            assert!(timeout(MOMENT, demand.refusal()).await.is_err());
        });
    }

    #[test]
    fn an_open_connection_is_use_and_its_end_begins_the_wait_anew() {
        let demand = Arc::new(Demand::default());
        block_on(async {
            let open = demand.open();
            let mut unused = pin!(demand.unused_for(MOMENT));
            assert!(timeout(5 * MOMENT, &mut unused).await.is_err());
            drop(open);
            let ended = Instant::now();
            unused.await;
            assert!(ended.elapsed() >= MOMENT);
        });
    }
}
