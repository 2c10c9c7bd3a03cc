//! How many connections each listener may have open: a share of its own and, beyond it, what is left of what all
//! have together. So a crowd at one service does not keep clients from the others.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

/// The part of all places that a listener has for itself.
const SHARE: usize = 16;
/// How often a connection that waits asks those that have finished to make room.
const ASK_AGAIN: Duration = Duration::from_millis(250);

/// The places of one listener. Copies share them.
#[derive(Debug, Clone)]
pub struct Room {
    all: Arc<All>,
    own: Arc<Own>,
}

/// The places of all listeners.
#[derive(Debug)]
struct All {
    free: Arc<Semaphore>,
    /// What a listener gets for itself.
    share: usize,
    /// Connections that wait for a place.
    waiting: AtomicUsize,
    crowded: Notify,
}

/// A listener's own places; they go back to all when it is gone.
#[derive(Debug)]
struct Own {
    all: Arc<All>,
    size: usize,
    free: Arc<Semaphore>,
}

impl Room {
    /// Room for `count` connections at once, of which no listener has any for itself yet.
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

    /// Sets places aside for one more listener, as long as half of all are left.
    #[must_use]
    pub fn for_listener(&self) -> Self {
        let all = &self.all;
        let wanted = all.share.min(all.free.available_permits() / 2);
        let size = all.free.forget_permits(wanted);
        let own = Own { all: Arc::clone(all), size, free: Arc::new(Semaphore::new(size)) };
        Self { all: Arc::clone(all), own: Arc::new(own) }
    }

    /// Takes a place for a connection as large as `count` ordinary ones, when there is one. It is free again when
    /// what is returned is dropped.
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

    /// Returns whether a connection waits for a place.
    pub fn is_crowded(&self) -> bool {
        self.all.waiting.load(Ordering::Relaxed) > 0
    }

    /// Resolves when a connection waits for a place, once for each time that it asks.
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
        // Those that are still taken stay out: connections outlive their listener.
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
    use crate::supervisor::relay::room::*;

    fn block_on<T>(work: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
    }

    #[test]
    fn a_crowd_at_one_listener_leaves_places_for_the_others() {
        block_on(async {
            let room = Room::new(160);
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
            let room = Room::new(32);
            for _ in 0..100 {
                drop(room.for_listener());
            }
            assert_eq!(room.all.free.available_permits(), 32);
        });
    }

    /// With few files there is still at least one place for everyone.
    #[test]
    fn however_few_there_are_half_stay_common() {
        for count in [1, 2, 12, 100] {
            let room = Room::new(count);
            let _listeners: Vec<Room> = (0..20).map(|_| room.for_listener()).collect();
            assert!(room.all.free.available_permits() >= 1, "{count}");
        }
    }

    #[test]
    fn who_has_finished_hears_of_those_that_wait() {
        block_on(async {
            let room = Room::new(1);
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
