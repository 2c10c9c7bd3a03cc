//! When to try again.

use std::time::Duration;

/// A link that was up this long was a good one: the next failure counts as the first.
pub const STEADY: Duration = Duration::from_secs(30);

const FIRST: Duration = Duration::from_millis(500);
const LONGEST: Duration = Duration::from_secs(15);

/// How long to wait before the next attempt after `failures` attempts in a row have failed: not at
/// all after none, then half a second, doubling up to 15 s. `chance`, from 0 to 1, spreads the
/// wait by a fifth either way, so that the tunnels of many machines do not come back in step.
pub fn delay(failures: u32, chance: f64) -> Duration {
    if failures == 0 {
        return Duration::ZERO;
    }
    let doubled = FIRST.saturating_mul(2u32.saturating_pow(failures - 1));
    doubled.min(LONGEST).mul_f64(0.8 + 0.4 * chance.clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_doubles_up_to_its_limit() {
        let waits: Vec<u128> = (0..8).map(|failures| delay(failures, 0.5).as_millis()).collect();
        assert_eq!(waits, [0, 500, 1000, 2000, 4000, 8000, 15000, 15000]);
        assert_eq!(delay(u32::MAX, 0.5), LONGEST);
    }

    #[test]
    fn chance_moves_it_by_a_fifth() {
        assert_eq!(delay(2, 0.0), Duration::from_millis(800));
        assert_eq!(delay(2, 1.0), Duration::from_millis(1200));
    }
}
