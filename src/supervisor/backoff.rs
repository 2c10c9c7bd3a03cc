//! When to try again.

use std::time::Duration;

use crate::openssh::failure::Kind;
use crate::runtime::state::RETRY_MAX;

/// A link that was up this long was a good one.
const STEADY: Duration = Duration::from_secs(30);
/// One that was up this long was none that the server dropped at once.
const USABLE: Duration = Duration::from_secs(2);

const FIRST: Duration = Duration::from_millis(500);
/// How long a server that is not there may take to be started again, before it counts as away.
pub const RESTART: Duration = Duration::from_secs(60);

/// How long after the beginning of one attempt the next one begins, after `failures` attempts in a row have failed, the
/// last one for `kind`, `away` after the link was lost: at once after none, then half a second,
/// doubling up to 15 s. `chance`, from 0 to 1, spreads the wait by a fifth either way, so that the
/// tunnels of many machines do not come back in step.
///
/// It is counted from the beginning because an attempt into a network that drops everything lasts
/// for long and only asks now and then: it must not be followed by silence.
///
/// A machine that answers that no server listens has one soon, as a rule. It is asked every half
/// second for a while: the answer costs nobody anything, and the tunnel is back with the server.
/// That is not needed where somebody [knocks](crate::supervisor::link::tcp_probe) at its port: then `kind` is another.
pub fn delay(failures: u32, kind: Kind, away: Duration, chance: f64) -> Duration {
    if failures == 0 {
        return Duration::ZERO;
    }
    let doublings =
        if matches!(kind, Kind::Refused | Kind::HungUp) && away < RESTART { 0 } else { failures - 1 };
    let doubled = FIRST.saturating_mul(2u32.saturating_pow(doublings)).min(RETRY_MAX);
    doubled.mul_f64(0.8 + 0.4 * chance.clamp(0.0, 1.0)).min(RETRY_MAX)
}

/// How many failures there have been in a row when a link is lost that was `up` this long, and
/// `failures` before it: none if it was a good one, and at most one if it could be used. A network
/// that fails every few seconds is no reason to be longer without a link than it takes to make one.
pub fn after_link(failures: u32, up: Duration) -> u32 {
    if up >= STEADY {
        0
    } else if up >= USABLE {
        failures.min(1)
    } else {
        failures
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_that_could_be_used_makes_up_for_failures() {
        let after = |failures, up| after_link(failures, Duration::from_secs(up));
        assert_eq!([after(7, 0), after(7, 1), after(7, 2), after(7, 29), after(7, 30)], [7, 7, 1, 1, 0]);
        assert_eq!(after(0, 6), 0);
    }

    fn waits(kind: Kind, away: u64) -> Vec<u128> {
        let away = Duration::from_secs(away);
        (0..8).map(|failures| delay(failures, kind, away, 0.5).as_millis()).collect()
    }

    #[test]
    fn the_wait_doubles_up_to_its_limit() {
        assert_eq!(waits(Kind::Lost, 0), [0, 500, 1000, 2000, 4000, 8000, 15000, 15000]);
        assert_eq!(delay(u32::MAX, Kind::TimedOut, Duration::MAX, 0.5), RETRY_MAX);
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
        assert_eq!(delay(9, 1.0), RETRY_MAX);
    }
}
