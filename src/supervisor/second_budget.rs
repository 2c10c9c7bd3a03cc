//! When a second ssh may start beside the first: rarely, because servers and firewalls count logins.

use std::time::Duration;

use tokio::time::Instant;

/// Least time from one second ssh to the next. It doubles with each one that turns out needless.
const PAUSE: Duration = Duration::from_secs(30);
const PAUSE_MAX: Duration = Duration::from_secs(900);

/// Budget of a tunnel for second sshs.
#[derive(Debug)]
pub(super) struct SecondBudget {
    not_before: Instant,
    pause: Duration,
    /// True if one needs the user.
    is_over: bool,
}

impl SecondBudget {
    /// Returns the budget of a tunnel without one so far.
    pub(super) fn new(now: Instant) -> Self {
        Self { not_before: now, pause: PAUSE, is_over: false }
    }

    /// Returns true if one may start at `now`.
    pub(super) fn may_start(&self, now: Instant) -> bool {
        // Only Linux ends it with this process, whatever happens.
        cfg!(target_os = "linux") && !self.is_over && now >= self.not_before
    }

    /// Records the start of one.
    pub(super) fn begin(&mut self, now: Instant) {
        self.not_before = now + self.pause;
        self.pause = (2 * self.pause).min(PAUSE_MAX);
    }

    /// Records that the last one was needed.
    pub(super) fn succeed(&mut self) {
        self.pause = PAUSE;
    }

    /// Records that the last one failed for a reason that only the user can mend, such as a code that must be typed.
    pub(super) fn give_up(&mut self) {
        self.is_over = true;
    }
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use super::*;

    #[test]
    fn needless_ones_become_rare() {
        let begun = Instant::now();
        let mut budget = SecondBudget::new(begun);
        let after = |time: u64| begun + Duration::from_secs(time);
        for (start, next) in [(0, 30), (30, 90), (90, 210), (210, 450)] {
            assert!(budget.may_start(after(start)));
            budget.begin(after(start));
            assert!(!budget.may_start(after(next - 1)), "{start}");
            assert!(budget.may_start(after(next)), "{start}");
        }
        budget.succeed();
        budget.begin(after(450));
        assert!(budget.may_start(after(480)));
        for _ in 0..20 {
            budget.begin(after(480));
        }
        assert!(budget.may_start(after(480) + PAUSE_MAX));
        budget.give_up();
        assert!(!budget.may_start(after(480) + PAUSE_MAX));
    }
}
