//! Signs of life of a link, and their absence.
//!
//! ssh's own keepalive notices a network that is gone, but not an ssh that is stuck, and may be
//! switched off. So the relay says when something was sent to ssh and when something came back;
//! when nothing has come back for a while the link is asked itself (see [`super::probe`]).
//!
//! Prompts believe that a tunnel is up only for as long as its supervisor has promised, and it
//! promises nothing that it does not know. So a link that nobody uses is asked in time for the next
//! promise, about once a minute; nothing here wakes in between.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use super::timer;
use crate::runtime::prompt::RENEWAL;

/// The pace where ssh's keepalive is switched off, in seconds.
const USUAL_PACE: u32 = 5;

/// Why a link should be asked whether it is alive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProbeReason {
    /// Something was sent and nothing came back.
    NoAnswer,
    /// The promise that it is alive is to be renewed.
    Renewal,
}

/// Time that a link may show no sign of life, and that ssh may take to answer by itself.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// While no connection would be lost with the link.
    pub idle: Duration,
    /// While connections are under way.
    pub busy: Duration,
}

/// What to do about a link now.
#[derive(Debug, PartialEq, Eq)]
enum Next {
    /// Look again at this time, in milliseconds.
    Wait(u64),
    /// Ask it.
    Ask(ProbeReason),
}

/// When a link was last used, and when it last answered.
#[derive(Debug)]
pub struct Liveness {
    /// How long what was sent may go without an answer before the link is asked. A model that
    /// thinks takes longer; being asked costs it nothing.
    pace: Duration,
    epoch: Instant,
    /// When the first thing was sent that has not been answered, in milliseconds after `epoch`; 0 for
    /// none.
    sent: AtomicU64,
    /// When something last came back, likewise.
    heard: AtomicU64,
    /// When it was last said for certain that the link is alive, likewise.
    verified: AtomicU64,
    /// Connections that would not survive the link.
    under_way: AtomicUsize,
    wake: Notify,
}

/// A connection that has begun to be carried, as long as this lives.
#[derive(Debug)]
pub struct UnderWay(Arc<Liveness>);

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.under_way.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Liveness {
    /// A liveness that is felt now, of a link with this many seconds between ssh's keepalive questions.
    /// A link that is dead is known to be within three times that, as it is to ssh.
    pub fn new(keepalive: u32) -> Self {
        let pace = if keepalive == 0 { USUAL_PACE } else { keepalive };
        Self {
            pace: Duration::from_secs(pace.into()),
            epoch: Instant::now(),
            sent: AtomicU64::new(0),
            heard: AtomicU64::new(0),
            verified: AtomicU64::new(0),
            under_way: AtomicUsize::new(0),
            wake: Notify::new(),
        }
    }

    /// Counts a connection that would not survive the link.
    pub fn carry(self: &Arc<Self>) -> UnderWay {
        self.under_way.fetch_add(1, Ordering::Relaxed);
        UnderWay(Arc::clone(self))
    }

    /// Something was given to ssh that should have an answer.
    pub fn sent(&self) {
        if self.sent.load(Ordering::Relaxed) == 0 {
            self.sent.store(self.now(), Ordering::Relaxed);
            self.wake.notify_one();
        }
    }

    /// Something came back.
    pub fn heard(&self) {
        self.heard.store(self.now(), Ordering::Relaxed);
        self.sent.store(0, Ordering::Relaxed);
    }

    /// The link has answered, and whoever has to know was told.
    pub fn verified(&self) {
        self.heard();
        self.renewed();
    }

    /// The promise was renewed because of what came back before. What is owed an answer stays so.
    pub fn renewed(&self) {
        self.verified.store(self.now(), Ordering::Relaxed);
    }

    /// Whether so much has come back lately that the link need not be asked.
    pub fn is_recent(&self) -> bool {
        Instant::now().checked_sub(self.pace).is_some_and(|lately| self.heard_since(lately))
    }

    /// How long a link that is asked may go without a sign of life.
    pub fn patience(&self) -> Patience {
        Patience { idle: 2 * self.pace, busy: 5 * self.pace }
    }

    /// Whether there are connections that would not survive the link.
    pub fn is_carrying(&self) -> bool {
        self.under_way.load(Ordering::Relaxed) > 0
    }

    /// When something last came back.
    pub fn last_heard(&self) -> Instant {
        self.epoch + Duration::from_millis(self.heard.load(Ordering::Relaxed))
    }

    /// Whether something has come back since `time`.
    pub fn heard_since(&self, time: Instant) -> bool {
        self.last_heard() >= time
    }

    /// Waits until there is reason to ask the link. May be dropped and called again; goes on giving
    /// reasons until the link is [`verified`](Self::verified).
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

    /// Milliseconds since the epoch, and never 0.
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

    /// An ssh that sticks right after the renewal owes an answer to what was sent before it.
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
    fn only_the_first_thing_sent_counts_until_something_is_heard() {
        let liveness = Liveness::new(5);
        liveness.sent();
        let first = liveness.sent.load(Ordering::Relaxed);
        std::thread::sleep(Duration::from_millis(2));
        liveness.sent();
        assert_eq!(liveness.sent.load(Ordering::Relaxed), first);
        let before = Instant::now();
        std::thread::sleep(Duration::from_millis(2));
        assert!(!liveness.heard_since(before));
        liveness.heard();
        assert!(liveness.heard_since(before));
        assert_eq!(liveness.sent.load(Ordering::Relaxed), 0);
    }
}
