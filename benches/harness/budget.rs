//! Time limits of the benchmarks: all of them together take less than ten minutes on two cores. Time left at
//! the end of one contest goes to the next in its group.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// The benchmarks in the order of the report, with their limits in seconds.
pub const GROUPS: [(&str, u64); 12] = [
    ("dispatch", 50),
    ("prompt", 75),
    ("completion", 25),
    ("start", 50),
    ("status", 15),
    ("ssh", 20),
    ("relay", 110),
    ("line", 60),
    ("connections", 30),
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
/// Duration of repeated starts; a minute of idleness follows.
pub const STARTING: Duration = Duration::from_secs(40);

static DEADLINE: OnceLock<Instant> = OnceLock::new();

/// Starts the clock of the group `name`.
pub fn begin(name: &str) {
    let seconds = GROUPS.iter().find(|(group, _)| *group == name).map_or(60, |(_, seconds)| *seconds);
    // Set once: a process measures one group.
    let _ = DEADLINE.set(Instant::now() + Duration::from_secs(seconds));
}

/// Returns the deadline of a contest that may take `limit`.
pub fn deadline(limit: Duration) -> Instant {
    let own = Instant::now() + limit;
    DEADLINE.get().map_or(own, |deadline| own.min(*deadline))
}
