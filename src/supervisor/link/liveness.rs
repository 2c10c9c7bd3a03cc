//! Signs of life of a link.
//!
//! ssh's keepalive notices a network that is gone, but not an ssh that hangs, and can be disabled. So the
//! relay reports traffic in both directions, and a link that owes an answer is checked (see
//! [`super::check`]).
//!
//! Prompts believe in a tunnel only as long as its supervisor promises, and the supervisor promises only what
//! it knows. So an idle link is checked in time for the next promise, about once a minute; nothing here wakes
//! in between.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use super::timer;
use crate::runtime::prompt::RENEWAL;

/// Interval if ssh's keepalive is disabled, in seconds.
const USUAL_PACE: u32 = 5;

/// Reason to check a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProbeReason {
    /// An answer is overdue.
    NoAnswer,
    /// The promise for prompts must be renewed.
    Renewal,
}

/// Time that a link may show no sign of life, and that ssh may take to answer by itself.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// While no connection depends on the link.
    pub idle: Duration,
    /// While connections depend on the link.
    pub busy: Duration,
}

/// Next action for a link.
#[derive(Debug, PartialEq, Eq)]
enum Next {
    /// Look again at this time, in milliseconds.
    Wait(u64),
    /// Check the link.
    Ask(ProbeReason),
}

/// Times at which a link was last used and last answered.
#[derive(Debug)]
pub struct Liveness {
    /// Time that an answer may take before the link is checked. A model that thinks takes longer; a check
    /// costs it nothing.
    pace: Duration,
    epoch: Instant,
    /// Time of the first unanswered data, in milliseconds after `epoch`; 0 for none.
    sent: AtomicU64,
    /// Time of the last data received, likewise.
    received: AtomicU64,
    /// Time of the last proof that the link is alive, likewise.
    verified: AtomicU64,
    /// Number of connections that depend on the link.
    under_way: AtomicUsize,
    wake: Notify,
}

/// A connection that depends on the link, until dropped.
#[derive(Debug)]
pub struct UnderWay(Arc<Liveness>);

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.under_way.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Liveness {
    /// Returns the state of a link that is alive. `keepalive` is ServerAliveInterval in seconds; a dead link
    /// is detected within three times that, as by ssh.
    pub fn new(keepalive: u32) -> Self {
        let pace = if keepalive == 0 { USUAL_PACE } else { keepalive };
        Self {
            pace: Duration::from_secs(pace.into()),
            epoch: Instant::now(),
            sent: AtomicU64::new(0),
            received: AtomicU64::new(0),
            verified: AtomicU64::new(0),
            under_way: AtomicUsize::new(0),
            wake: Notify::new(),
        }
    }

    /// Counts a connection that depends on the link.
    pub fn carry(self: &Arc<Self>) -> UnderWay {
        self.under_way.fetch_add(1, Ordering::Relaxed);
        UnderWay(Arc::clone(self))
    }

    /// Records data sent to ssh that needs an answer.
    pub fn sent(&self) {
        if self.sent.load(Ordering::Relaxed) == 0 {
            self.sent.store(self.now(), Ordering::Relaxed);
            self.wake.notify_one();
        }
    }

    /// Records data received.
    pub fn received(&self) {
        self.received.store(self.now(), Ordering::Relaxed);
        self.sent.store(0, Ordering::Relaxed);
    }

    /// Records a proof of life, after prompts were updated.
    pub fn verified(&self) {
        self.received();
        self.renewed();
    }

    /// Records a renewed promise, based on earlier data. An answer that is owed stays owed.
    pub fn renewed(&self) {
        self.verified.store(self.now(), Ordering::Relaxed);
    }

    /// Returns true if enough data came recently to skip a check.
    pub fn is_recent(&self) -> bool {
        Instant::now().checked_sub(self.pace).is_some_and(|lately| self.received_since(lately))
    }

    /// Returns true if data that was sent has had no answer yet.
    #[cfg(test)]
    pub fn owes_answer(&self) -> bool {
        self.sent.load(Ordering::Relaxed) != 0
    }

    /// Returns the time limits of a check.
    pub fn patience(&self) -> Patience {
        Patience { idle: 2 * self.pace, busy: 5 * self.pace }
    }

    /// Returns true if connections depend on the link.
    pub fn is_carrying(&self) -> bool {
        self.under_way.load(Ordering::Relaxed) > 0
    }

    /// Returns the time of the last data received.
    pub fn last_received(&self) -> Instant {
        self.epoch + Duration::from_millis(self.received.load(Ordering::Relaxed))
    }

    /// Returns true if data was received since `time`.
    pub fn received_since(&self, time: Instant) -> bool {
        self.last_received() >= time
    }

    /// Waits for a reason to check the link. Cancel-safe; returns reasons until the link is
    /// [`verified`](Self::verified).
    pub async fn probe_reason(&self) -> ProbeReason {
        loop {
            let (sent, verified) = (self.sent.load(Ordering::Relaxed), self.verified.load(Ordering::Relaxed));
            match next(self.now(), sent, verified, self.pace) {
                Next::Ask(reason) => return reason,
                Next::Wait(until) => tokio::select! {
                    () = timer::until(self.epoch + Duration::from_millis(until)) => {}
                    () = self.wake.notified() => {}
                },
            }
        }
    }

    /// Returns milliseconds since the epoch, at least 1.
    fn now(&self) -> u64 {
        u64::try_from(self.epoch.elapsed().as_millis()).unwrap_or(u64::MAX).max(1)
    }
}

fn next(now: u64, sent: u64, verified: u64, pace: Duration) -> Next {
    let after = |time: u64, wait: Duration| time + u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
    let answer = if sent == 0 { u64::MAX } else { after(sent, pace) };
    let renewal = after(verified, RENEWAL);
    if now >= answer {
        Next::Ask(ProbeReason::NoAnswer)
    } else if now >= renewal {
        Next::Ask(ProbeReason::Renewal)
    } else {
        Next::Wait(answer.min(renewal))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_asked_when_it_owes_an_answer_and_when_a_promise_runs_out() {
        let table = [
            // now, sent, verified
            ((1, 0, 1), Next::Wait(62_001)),
            ((62_001, 0, 1), Next::Ask(ProbeReason::Renewal)),
            ((1_000, 1_000, 900), Next::Wait(6_000)),
            ((5_999, 1_000, 900), Next::Wait(6_000)),
            ((6_000, 1_000, 900), Next::Ask(ProbeReason::NoAnswer)),
            ((59_000, 58_000, 1), Next::Wait(62_001)),
            ((90_000, 20_000, 1), Next::Ask(ProbeReason::NoAnswer)),
        ];
        for ((now, sent, verified), expected) in table {
            assert_eq!(
                next(now, sent, verified, Duration::from_secs(5)),
                expected,
                "{now} {sent} {verified}"
            );
        }
    }

    /// A hang right after the renewal still owes the answer to earlier data.
    #[test]
    fn a_renewal_pays_no_answer_that_is_owed() {
        let liveness = Liveness::new(5);
        liveness.verified();
        liveness.sent();
        liveness.renewed();
        assert_ne!(liveness.sent.load(Ordering::Relaxed), 0);
        liveness.verified();
        assert_eq!(liveness.sent.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn connections_count_while_they_are_carried() {
        let liveness = Arc::new(Liveness::new(5));
        let carried = liveness.carry();
        assert!(liveness.is_carrying());
        drop(carried);
        assert!(!liveness.is_carrying());
    }

    #[test]
    fn only_the_first_thing_sent_counts_until_something_is_received() {
        let liveness = Liveness::new(5);
        liveness.sent();
        let first = liveness.sent.load(Ordering::Relaxed);
        std::thread::sleep(Duration::from_millis(2));
        liveness.sent();
        assert_eq!(liveness.sent.load(Ordering::Relaxed), first);
        let before = Instant::now();
        std::thread::sleep(Duration::from_millis(2));
        assert!(!liveness.received_since(before));
        liveness.received();
        assert!(liveness.received_since(before));
        assert_eq!(liveness.sent.load(Ordering::Relaxed), 0);
    }
}
