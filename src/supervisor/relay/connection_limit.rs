//! Limits on open connections: each listener has a share of its own and, beyond it, uses what is left of the
//! total. So a crowd at one service does not block clients of others.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

/// A listener's own share of all places.
const SHARE: usize = 16;
/// Interval at which a waiting connection asks finished ones to end.
const ASK_AGAIN: Duration = Duration::from_millis(250);

/// Places of one listener. Copies share them.
#[derive(Debug, Clone)]
pub struct ConnectionLimit {
    all: Arc<All>,
    own: Arc<Own>,
}

/// Places of all listeners.
#[derive(Debug)]
struct All {
    free: Arc<Semaphore>,
    /// A listener's own places.
    share: usize,
    /// Number of connections that wait for a place.
    waiting: AtomicUsize,
    crowded: Notify,
}

/// A listener's own places; returned to the total when dropped.
#[derive(Debug)]
struct Own {
    all: Arc<All>,
    size: usize,
    free: Arc<Semaphore>,
}

impl ConnectionLimit {
    /// Returns `count` places in total, none of them reserved yet.
    pub fn new(count: usize) -> Self {
        let all = Arc::new(All {
            free: Arc::new(Semaphore::new(count)),
            share: (count / SHARE).max(2),
            waiting: AtomicUsize::new(0),
            crowded: Notify::new(),
        });
        let own = Arc::new(Own { all: Arc::clone(&all), size: 0, free: Arc::new(Semaphore::new(0)) });
        Self { all, own }
    }

    /// Reserves places for one more listener, while half of the total is left.
    #[must_use]
    pub fn for_listener(&self) -> Self {
        let all = &self.all;
        let wanted = all.share.min(all.free.available_permits() / 2);
        let size = all.free.forget_permits(wanted);
        let own = Own { all: Arc::clone(all), size, free: Arc::new(Semaphore::new(size)) };
        Self { all: Arc::clone(all), own: Arc::new(own) }
    }

    /// Waits for the places of a connection as large as `count` ordinary ones. Dropping the result frees
    /// them.
    pub async fn place(&self, count: u32) -> Option<OwnedSemaphorePermit> {
        let (own, free) = (|| Arc::clone(&self.own.free), || Arc::clone(&self.all.free));
        if let Ok(place) =
            own().try_acquire_many_owned(count).or_else(|_| free().try_acquire_many_owned(count))
        {
            return Some(place);
        }
        let _waiting = Waiting::begin(&self.all);
        let place = async {
            tokio::select! {
                place = own().acquire_many_owned(count) => place,
                place = free().acquire_many_owned(count) => place,
            }
        };
        let mut place = std::pin::pin!(place);
        loop {
            self.all.crowded.notify_one();
            if let Ok(place) = timeout(ASK_AGAIN, &mut place).await {
                return place.ok();
            }
        }
    }

    /// Returns true if a connection waits for a place.
    pub fn is_crowded(&self) -> bool {
        self.all.waiting.load(Ordering::Relaxed) > 0
    }

    /// Waits until a connection needs a place; returns once for each request.
    pub async fn crowded(&self) {
        loop {
            self.all.crowded.notified().await;
            if self.is_crowded() {
                return;
            }
        }
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        // Places in use stay out: connections outlive their listener.
        let free = self.free.forget_permits(self.size);
        self.all.free.add_permits(free);
    }
}

struct Waiting<'a>(&'a All);

impl<'a> Waiting<'a> {
    fn begin(all: &'a All) -> Self {
        all.waiting.fetch_add(1, Ordering::Relaxed);
        Self(all)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use crate::supervisor::relay::connection_limit::*;

    fn block_on<T>(work: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
    }

    #[test]
    fn a_crowd_at_one_listener_leaves_places_for_the_others() {
        block_on(async {
            let room = ConnectionLimit::new(160);
            let (crowded, quiet) = (room.for_listener(), room.for_listener());
            let mut crowd = Vec::new();
            for _ in 0..150 {
                crowd.push(crowded.place(1).await);
            }
            assert!(timeout(Duration::from_millis(20), crowded.place(1)).await.is_err());
            let mut others = Vec::new();
            for _ in 0..10 {
                others.push(timeout(ASK_AGAIN, quiet.place(1)).await.unwrap());
            }
            crowd.pop();
            timeout(ASK_AGAIN, crowded.place(1)).await.unwrap();
        });
    }

    #[test]
    fn a_listener_that_is_gone_gives_its_places_back() {
        block_on(async {
            let room = ConnectionLimit::new(32);
            for _ in 0..100 {
                drop(room.for_listener());
            }
            assert_eq!(room.all.free.available_permits(), 32);
        });
    }

    /// With few files, each listener still has at least one place.
    #[test]
    fn however_few_there_are_half_stay_common() {
        for count in [1, 2, 12, 100] {
            let room = ConnectionLimit::new(count);
            let _listeners: Vec<ConnectionLimit> = (0..20).map(|_| room.for_listener()).collect();
            assert!(room.all.free.available_permits() >= 1, "{count}");
        }
    }

    #[test]
    fn who_has_finished_hears_of_those_that_wait() {
        block_on(async {
            let room = ConnectionLimit::new(1);
            let taken = room.place(1).await;
            let finished = async {
                room.crowded().await;
                drop(taken);
            };
            let (place, ()) = tokio::join!(room.place(1), finished);
            assert!(place.is_some());
        });
    }
}
