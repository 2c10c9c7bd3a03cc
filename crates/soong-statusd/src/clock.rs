//! Time for leases: a line that steps of the wall clock do not touch and that goes on over
//! restarts, suspends and reboots.
//!
//! Within a boot, `CLOCK_BOOTTIME` counts, which includes suspends. Over a reboot the wall clock
//! tells how long the machine was down, but never less than the time since the boot: a clock that
//! was set back in between loses no time that is certain.

use std::fs;
use std::time::Duration;

use nix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};

/// A point on the line: milliseconds since the daemon first ran on this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Moment(pub u64);

impl Moment {
    /// The moment `duration` later.
    #[must_use]
    pub fn after(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(milliseconds(duration)))
    }

    /// The time from `earlier` to this moment; zero if `earlier` is later.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

/// Reading of the machine's clocks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// Identifies the boot.
    pub boot_id: String,
    /// Milliseconds since the boot, suspends included.
    pub boottime: u64,
    /// Milliseconds since the epoch.
    pub wall: u64,
}

impl Reading {
    /// Reads the clocks.
    pub fn take() -> Self {
        let boot_id = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        Self {
            boot_id: boot_id.trim().to_owned(),
            boottime: read(ClockId::CLOCK_BOOTTIME),
            wall: read(ClockId::CLOCK_REALTIME),
        }
    }
}

fn read(clock: ClockId) -> u64 {
    clock_gettime(clock).map_or(0, |time| milliseconds(Duration::from(time)))
}

/// A reading of the clocks together with its moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Anchor {
    boot_id: String,
    boottime: u64,
    wall: u64,
    moment: Moment,
}

/// How the line goes on when the daemon starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Continuation {
    /// The machine has not been booted since.
    SameBoot,
    /// The machine has been booted since.
    Reboot,
}

impl Anchor {
    /// The beginning of a line.
    pub fn first(reading: &Reading) -> Self {
        Self::at(reading, Moment(0))
    }

    fn at(reading: &Reading, moment: Moment) -> Self {
        Self { boot_id: reading.boot_id.clone(), boottime: reading.boottime, wall: reading.wall, moment }
    }

    /// The moment of the reading that the anchor holds.
    pub fn last(&self) -> Moment {
        self.moment
    }

    /// The moment of `reading`, which is of the same boot as the anchor or a later one.
    pub fn moment(&self, reading: &Reading) -> (Moment, Continuation) {
        if self.boot_id == reading.boot_id && reading.boottime >= self.boottime {
            let passed = reading.boottime - self.boottime;
            return (self.moment.after(Duration::from_millis(passed)), Continuation::SameBoot);
        }
        let passed = reading.wall.saturating_sub(self.wall).max(reading.boottime);
        (self.moment.after(Duration::from_millis(passed)), Continuation::Reboot)
    }

    /// Moves the anchor to `reading`; returns its moment.
    pub fn advance(&mut self, reading: &Reading) -> (Moment, Continuation) {
        let (moment, continuation) = self.moment(reading);
        *self = Self::at(reading, moment);
        (moment, continuation)
    }

    /// The wall clock's time, in milliseconds since the epoch, at `moment`.
    pub fn wall_at(&self, moment: Moment) -> u64 {
        let (now, then) = (self.moment.0, moment.0);
        if then >= now { self.wall.saturating_add(then - now) } else { self.wall.saturating_sub(now - then) }
    }

    /// The moment at which the wall clock shows `wall` milliseconds since the epoch, if that is not
    /// past.
    pub fn moment_at(&self, wall: u64) -> Option<Moment> {
        wall.checked_sub(self.wall).map(|ahead| Moment(self.moment.0.saturating_add(ahead)))
    }
}

/// Whole milliseconds; the largest number for what is longer than that.
pub fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// RFC 3339, UTC, whole seconds, for milliseconds since the epoch.
pub fn rfc3339(wall: u64) -> String {
    /// 9999-12-31T23:59:59Z, the last second that the format can write.
    const LAST: u64 = 253_402_300_799;
    let time = std::time::UNIX_EPOCH + Duration::from_secs((wall / 1000).min(LAST));
    humantime::format_rfc3339_seconds(time).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: u64 = 60_000;

    fn reading(boot: &str, boottime: u64, wall: u64) -> Reading {
        Reading { boot_id: boot.into(), boottime, wall }
    }

    #[test]
    fn steps_of_the_wall_clock_do_not_move_a_moment() {
        let start = reading("a", 5 * MINUTE, 1000 * MINUTE);
        let anchor = Anchor::first(&start);
        for wall in [0, 900 * MINUTE, 1010 * MINUTE, 9_000_000 * MINUTE] {
            let (moment, continuation) = anchor.moment(&reading("a", 15 * MINUTE, wall));
            assert_eq!((moment, continuation), (Moment(10 * MINUTE), Continuation::SameBoot), "{wall}");
        }
    }

    #[test]
    fn a_reboot_counts_the_time_the_machine_was_down() {
        let mut anchor = Anchor::first(&reading("a", 5 * MINUTE, 1000 * MINUTE));
        anchor.advance(&reading("a", 15 * MINUTE, 1010 * MINUTE));
        let table = [
            ("down for 20 minutes", MINUTE, 1030 * MINUTE, 30 * MINUTE),
            ("wall clock set back", 2 * MINUTE, 400 * MINUTE, 12 * MINUTE),
            ("wall clock stands still", 3 * MINUTE, 1010 * MINUTE, 13 * MINUTE),
        ];
        for (name, boottime, wall, expected) in table {
            let (moment, continuation) = anchor.moment(&reading("b", boottime, wall));
            assert_eq!((moment, continuation), (Moment(expected), Continuation::Reboot), "{name}");
        }
    }

    #[test]
    fn the_wall_clock_of_a_moment_follows_its_steps() {
        let mut anchor = Anchor::first(&reading("a", 0, 1000 * MINUTE));
        assert_eq!(anchor.wall_at(Moment(5 * MINUTE)), 1005 * MINUTE);
        anchor.advance(&reading("a", MINUTE, 500 * MINUTE));
        assert_eq!(anchor.wall_at(Moment(5 * MINUTE)), 504 * MINUTE);
        assert_eq!(anchor.wall_at(Moment(0)), 499 * MINUTE);
        assert_eq!(anchor.moment_at(504 * MINUTE), Some(Moment(5 * MINUTE)));
        assert_eq!(anchor.moment_at(499 * MINUTE), None);
    }

    #[test]
    fn the_clocks_of_this_machine_can_be_read() {
        let reading = Reading::take();
        assert!(!reading.boot_id.is_empty() && reading.boottime > 0 && reading.wall > 1_600_000_000_000);
        assert_eq!(rfc3339(1_767_323_045_678), "2026-01-02T03:04:05Z");
        assert_eq!(rfc3339(u64::MAX), "9999-12-31T23:59:59Z");
    }
}
