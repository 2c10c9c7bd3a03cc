//! Signs of life of a link.
//!
//! ssh's keepalive notices a network that is gone only after a while, and not an ssh that hangs, and can be
//! disabled. So the relay reports traffic in both directions, and a link that owes an answer is checked (see
//! [`super::check`]): soon, and then at growing intervals, because most late answers are those of slow services.
//!
//! Prompts believe in a tunnel only as long as its supervisor promises, and the supervisor promises only what
//! it knows. So in time for the next promise, about once a minute, an idle link is checked unless ssh has just
//! read something from the server; nothing here wakes in between.

use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use super::timer;
use crate::runtime::prompt::RENEWAL;

/// Interval if ssh's keepalive is disabled, in seconds.
const USUAL_PACE: u32 = 5;
/// Time that an answer may take before the link is checked. A model that thinks takes longer; a check costs it
/// nothing.
const DOUBT: Duration = Duration::from_millis(1500);
/// Growth of the time from one check to the next while the link answers and the service does not.
const GROWTH: u32 = 3;
/// Time that the answer to a check may take before it is overdue, unless earlier ones took long.
const OVERDUE: Duration = Duration::from_secs(1);
/// The same, in round trips.
pub const OVERDUE_TRIPS: u32 = 8;
/// Longest time that late answers to earlier checks earn a check: they may have been late because nothing passed for a
/// while. Round trips that the kernel has measured count in full, as it does not measure across such times.
const OVERDUE_MAX: Duration = Duration::from_secs(5);

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
    /// ServerAliveInterval.
    pace: Duration,
    epoch: Instant,
    /// Number of connections to which an answer is owed.
    owing: AtomicUsize,
    /// Time of the first data since then that no check has covered, in milliseconds after `epoch`; 0 for none.
    sent: AtomicU64,
    /// Time of the last data received, likewise.
    received: AtomicU64,
    /// Time of the last proof that the link is alive, likewise.
    verified: AtomicU64,
    /// Number of checks in a row that the link answered while no service did.
    slow: AtomicU32,
    /// Number of checks since an answer is owed, and the time of the next one for that reason; 0 for none.
    checks: AtomicU32,
    again: AtomicU64,
    /// Time that answered checks took, in milliseconds; of earlier ones, half of it, a quarter, and so on.
    trip: AtomicU64,
    wake: Notify,
}

impl Liveness {
    /// Returns the state of a link that is alive. `keepalive` is ServerAliveInterval in seconds; a dead link
    /// is detected within three times that, as by ssh.
    pub fn new(keepalive: u32) -> Self {
        let pace = if keepalive == 0 { USUAL_PACE } else { keepalive };
        let this = Self {
            pace: Duration::from_secs(pace.into()),
            epoch: Instant::now(),
            owing: AtomicUsize::new(0),
            sent: AtomicU64::new(0),
            received: AtomicU64::new(0),
            verified: AtomicU64::new(0),
            slow: AtomicU32::new(0),
            checks: AtomicU32::new(0),
            again: AtomicU64::new(0),
            trip: AtomicU64::new(0),
            wake: Notify::new(),
        };
        this.received();
        this.renewed();
        this
    }

    /// Returns the interval of ssh's keepalive, or the usual one if that is disabled.
    pub fn pace(&self) -> Duration {
        self.pace
    }

    /// Counts a connection to which an answer is owed.
    pub fn owe(&self) {
        self.owing.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts one less.
    pub fn pay(&self) {
        self.owing.fetch_sub(1, Ordering::Relaxed);
    }

    /// Records data sent to ssh that needs an answer.
    pub fn sent(&self) {
        if self.sent.load(Ordering::Relaxed) == 0 {
            self.sent.store(self.now(), Ordering::Relaxed);
            self.wake.notify_one();
        }
    }

    /// Records data received. What is owed to other connections stays owed.
    pub fn received(&self) {
        self.received.store(self.now(), Ordering::Relaxed);
        self.slow.store(0, Ordering::Relaxed);
        if self.owing.load(Ordering::Relaxed) == 0 {
            self.sent.store(0, Ordering::Relaxed);
            self.checks.store(0, Ordering::Relaxed);
            self.again.store(0, Ordering::Relaxed);
        }
    }

    /// Records a proof of life other than data, after prompts were updated. If a service owes an answer, it is slow.
    pub fn verified(&self) {
        let now = self.now();
        if self.sent.swap(0, Ordering::Relaxed) != 0 || self.again.load(Ordering::Relaxed) != 0 {
            self.slow.fetch_add(1, Ordering::Relaxed);
            let checks = self.checks.fetch_add(1, Ordering::Relaxed) + 1;
            let is_owed = self.owing.load(Ordering::Relaxed) > 0;
            self.again.store(if is_owed { after(now, self.doubt(checks)) } else { 0 }, Ordering::Relaxed);
        }
        self.received.store(now, Ordering::Relaxed);
        self.renewed();
    }

    /// Records that a check was answered, and the time that this took.
    pub fn answered(&self, took: Duration) {
        let took = took.min(OVERDUE_MAX / OVERDUE_TRIPS);
        let took = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        self.trip.store(took.max(self.trip.load(Ordering::Relaxed) / 2), Ordering::Relaxed);
        self.verified();
    }

    /// Returns the time after which a check without an answer casts doubt on the link.
    pub fn overdue(&self) -> Duration {
        OVERDUE.max(OVERDUE_TRIPS * Duration::from_millis(self.trip.load(Ordering::Relaxed)))
    }

    /// Returns the time that an answer may take, after this number of checks.
    fn doubt(&self, checks: u32) -> Duration {
        DOUBT.min(self.pace).saturating_mul(GROWTH.saturating_pow(checks))
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
            let [sent, again, received, verified] = [&self.sent, &self.again, &self.received, &self.verified]
                .map(|time| time.load(Ordering::Relaxed));
            // However slow a service is, new data is not left in doubt for long. Data on another connection shows that
            // the link is alive, and no more.
            let doubt = self.doubt(self.slow.load(Ordering::Relaxed)).min(self.pace);
            let answer = if sent == 0 { 0 } else { after(sent.max(received), doubt) };
            let again = if again == 0 { 0 } else { again.max(after(received, self.doubt(0))) };
            match next(self.now(), [answer, again], verified) {
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

fn after(time: u64, wait: Duration) -> u64 {
    time.saturating_add(u64::try_from(wait.as_millis()).unwrap_or(u64::MAX))
}

/// Returns the next action at `now`, if answers are overdue at the times `answers`, 0 for none.
fn next(now: u64, answers: [u64; 2], verified: u64) -> Next {
    let answer = answers.into_iter().filter(|time| *time != 0).min().unwrap_or(u64::MAX);
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
            // now, overdue, again, verified
            ((1, 0, 0, 1), Next::Wait(62_001)),
            ((62_001, 0, 0, 1), Next::Ask(ProbeReason::Renewal)),
            ((1_000, 2_500, 0, 900), Next::Wait(2_500)),
            ((2_500, 2_500, 0, 900), Next::Ask(ProbeReason::NoAnswer)),
            ((3_000, 0, 8_000, 900), Next::Wait(8_000)),
            ((3_000, 5_000, 8_000, 900), Next::Wait(5_000)),
            ((8_000, 0, 8_000, 900), Next::Ask(ProbeReason::NoAnswer)),
            ((61_900, 62_500, 0, 1), Next::Wait(62_001)),
            ((90_000, 21_500, 0, 1), Next::Ask(ProbeReason::NoAnswer)),
        ];
        for ((now, overdue, again, verified), expected) in table {
            assert_eq!(next(now, [overdue, again], verified), expected, "{now} {overdue} {again} {verified}");
        }
    }

    /// A model that thinks for a minute costs four checks.
    #[test]
    fn the_checks_of_a_slow_service_become_rare() {
        let liveness = Liveness::new(5);
        let mut pauses = Vec::new();
        liveness.owe();
        liveness.sent();
        for _ in 0..4 {
            let (sent, again) =
                (liveness.sent.load(Ordering::Relaxed), liveness.again.load(Ordering::Relaxed));
            let checks = liveness.checks.load(Ordering::Relaxed);
            assert_eq!(sent == 0, checks > 0, "only the first is for new data");
            assert!(checks == 0 || again > liveness.now());
            pauses.push(liveness.doubt(checks).as_millis());
            // Answers of another service do not make them more frequent.
            liveness.received();
            liveness.verified();
        }
        assert_eq!(pauses, [1_500, 4_500, 13_500, 40_500]);
        liveness.pay();
        liveness.received();
        assert_eq!((liveness.checks.load(Ordering::Relaxed), liveness.again.load(Ordering::Relaxed)), (0, 0));
    }

    #[test]
    fn a_check_may_take_as_long_as_earlier_ones_took() {
        let liveness = Liveness::new(5);
        for (took, overdue) in [(0, 1_000), (50, 1_000), (200, 1_600), (9_000, 5_000), (0, 2_496), (0, 1_248)]
        {
            liveness.answered(Duration::from_millis(took));
            assert_eq!(liveness.overdue(), Duration::from_millis(overdue));
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
