//! How long each benchmark may take, so that all of them together take less than ten minutes on two
//! cores. What is left of a group's time at the end of one contest goes to the next.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// The benchmarks in the order in which a reader wants them, and the seconds that each has.
pub const GROUPS: [(&str, u64); 10] = [
    ("dispatch", 50),
    ("prompt", 75),
    ("completion", 25),
    ("start", 35),
    ("status", 15),
    ("ssh", 20),
    ("relay", 110),
    ("recovery", 100),
    ("scale", 110),
    ("size", 10),
];

/// Limit for one contest of several in a group.
pub const PROMPT: Duration = Duration::from_secs(21);
/// Likewise.
pub const TRANSFERS: Duration = Duration::from_secs(11);
/// Likewise.
pub const CUTS: Duration = Duration::from_secs(35);
/// Likewise.
pub const RESTARTS: Duration = Duration::from_secs(25);
/// How long tunnels are started; then a minute of idleness follows.
pub const STARTING: Duration = Duration::from_secs(40);

static DEADLINE: OnceLock<Instant> = OnceLock::new();

/// Starts the clock of the group `name`.
pub fn begin(name: &str) {
    let seconds = GROUPS.iter().find(|(group, _)| *group == name).map_or(60, |(_, seconds)| *seconds);
    // Set once: a process measures one group.
    let _ = DEADLINE.set(Instant::now() + Duration::from_secs(seconds));
}

/// When a contest has to be over that has `limit` at most.
pub fn deadline(limit: Duration) -> Instant {
    let own = Instant::now() + limit;
    DEADLINE.get().map_or(own, |deadline| own.min(*deadline))
}
