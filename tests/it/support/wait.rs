//! Waiting for a condition, never for a time: each wait ends as soon as it is true and fails at a deadline.

use std::thread;
use std::time::{Duration, Instant};

/// Limit for a condition on a busy machine.
pub const DEADLINE: Duration = Duration::from_secs(60);

/// Pause between two checks of a condition.
const PAUSE: Duration = Duration::from_millis(10);

/// Waits until `condition` returns a value, and returns it. `what` completes the sentence "waited for …".
#[track_caller]
pub fn until<T>(what: &str, condition: impl FnMut() -> Option<T>) -> T {
    until_within(DEADLINE, what, condition)
}

/// Waits as [`until`] does, for a condition that takes its time.
#[track_caller]
pub fn until_within<T>(limit: Duration, what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + limit;
    loop {
        if let Some(value) = condition() {
            return value;
        }
        assert!(Instant::now() < end, "waited {limit:?} for {what}");
        thread::sleep(PAUSE);
    }
}

/// Waits until `condition` is true.
#[track_caller]
pub fn until_true(what: &str, mut condition: impl FnMut() -> bool) {
    until(what, || condition().then_some(()));
}
