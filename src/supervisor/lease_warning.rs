//! Warnings before the end of a lease: decides when, as a pure function of the clock.

/// Minutes before the end at which a warning is due, the longest first.
const WARNINGS: [u64; 2] = [15, 5];
/// Seconds by which an end has to move away from a warning for that to be due again.
const SLACK: u64 = 60;

/// Warnings of one lease.
#[derive(Debug, Default)]
pub(super) struct LeaseWarnings {
    /// For each warning, true if it was given.
    given: [bool; WARNINGS.len()],
}

impl LeaseWarnings {
    /// Returns the minutes left, rounded up, if a warning is due at the time `now` before `end`; both are in seconds since
    /// the epoch. After a sleep past several warnings, the last one counts. A lease that is extended is warned of again.
    pub(super) fn due(&mut self, end: Option<u64>, now: u64) -> Option<u64> {
        let left = end?.checked_sub(now).filter(|left| *left > 0)?;
        let mut is_due = false;
        for (given, minutes) in self.given.iter_mut().zip(WARNINGS) {
            if left <= minutes * 60 {
                is_due |= !*given;
                *given = true;
            } else if left > minutes * 60 + SLACK {
                *given = false;
            }
        }
        is_due.then(|| left.div_ceil(60))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const END: u64 = 1_000_000;

    fn warnings(times: &[(u64, u64)]) -> Vec<Option<u64>> {
        let mut warnings = LeaseWarnings::default();
        times.iter().map(|(end, left)| warnings.due(Some(*end), end - left)).collect()
    }

    #[test]
    fn there_is_one_warning_a_quarter_of_an_hour_and_one_five_minutes_before_the_end() {
        let minute = |left: u64| (END, left * 60);
        let looks: Vec<(u64, u64)> = (0..=20).rev().map(minute).collect();
        let found: Vec<u64> = warnings(&looks).into_iter().flatten().collect();
        assert_eq!(found, [15, 5]);
        assert_eq!(
            warnings(&[(END, 901), (END, 899), (END, 330), (END, 299)]),
            [None, Some(15), None, Some(5)]
        );
    }

    #[test]
    fn only_the_last_of_the_warnings_slept_through_is_given() {
        assert_eq!(warnings(&[(END, 1200), (END, 120), (END, 60)]), [None, Some(2), None]);
        assert_eq!(warnings(&[(END, 1200), (END, 0)]), [None, None]);
        assert_eq!(LeaseWarnings::default().due(Some(END), END + 5), None, "over");
        assert_eq!(LeaseWarnings::default().due(None, END), None, "without a lease");
    }

    #[test]
    fn an_extended_lease_is_warned_of_again_and_one_that_wavers_is_not() {
        let later = END + 7200;
        assert_eq!(
            warnings(&[(END, 840), (later, 8000), (later, 890), (later, 290)]),
            [Some(14), None, Some(15), Some(5)]
        );
        assert_eq!(warnings(&[(END, 899), (END + 2, 901), (END, 898)]), [Some(15), None, None]);
    }
}
