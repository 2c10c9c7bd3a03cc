//! When to try again.

use std::time::Duration;

use crate::ssh::failure::Kind;

/// A link that was up this long was a good one: the next failure counts as the first.
pub const STEADY: Duration = Duration::from_secs(30);

const FIRST: Duration = Duration::from_millis(500);
const LONGEST: Duration = Duration::from_secs(15);
/// How long a server that is not there may take to be started again, before it counts as away.
const RESTART: Duration = Duration::from_secs(60);

/// How long to wait before the next attempt after `failures` attempts in a row have failed, the
/// last one for `kind`, `away` after the link was lost: not at all after none, then half a second,
/// doubling up to 15 s. `chance`, from 0 to 1, spreads the wait by a fifth either way, so that the
/// tunnels of many machines do not come back in step.
///
/// A machine that answers that no server listens has one soon, as a rule. It is asked every half
/// second for a while: the answer costs nobody anything, and the tunnel is back with the server.
pub fn delay(failures: u32, kind: Kind, away: Duration, chance: f64) -> Duration {
    if failures == 0 {
        return Duration::ZERO;
    }
    let doublings = if kind == Kind::Refused && away < RESTART { 0 } else { failures - 1 };
    let doubled = FIRST.saturating_mul(2u32.saturating_pow(doublings)).min(LONGEST);
    doubled.mul_f64(0.8 + 0.4 * chance.clamp(0.0, 1.0)).min(LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waits(kind: Kind, away: u64) -> Vec<u128> {
        let away = Duration::from_secs(away);
        (0..8).map(|failures| delay(failures, kind, away, 0.5).as_millis()).collect()
    }

    #[test]
    fn the_wait_doubles_up_to_its_limit() {
        assert_eq!(waits(Kind::Lost, 0), [0, 500, 1000, 2000, 4000, 8000, 15000, 15000]);
        assert_eq!(delay(u32::MAX, Kind::TimedOut, Duration::MAX, 0.5), LONGEST);
    }

    #[test]
    fn a_server_that_is_being_restarted_is_not_waited_for_in_vain() {
        assert_eq!(waits(Kind::Refused, 59), [0, 500, 500, 500, 500, 500, 500, 500]);
        assert_eq!(waits(Kind::Refused, 60), waits(Kind::Lost, 0));
    }

    #[test]
    fn chance_moves_it_by_a_fifth_but_not_over_the_limit() {
        let delay = |failures, chance| delay(failures, Kind::Lost, Duration::ZERO, chance);
        assert_eq!(delay(2, 0.0), Duration::from_millis(800));
        assert_eq!(delay(2, 1.0), Duration::from_millis(1200));
        assert_eq!(delay(9, 0.0), Duration::from_secs(12));
        assert_eq!(delay(9, 1.0), LONGEST);
    }
}
