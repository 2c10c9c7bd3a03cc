//! List of steps on stderr: what each did, with the time it took, and a spinner for the current one.

use std::io::{self, IsTerminal};
use std::time::{Duration, Instant};

use crate::system::spinner::Spinner;
use crate::terminal::print_error;

/// Columns of a time: `59 min 59 s`.
const TIME_WIDTH: usize = 11;

/// The current step.
#[derive(Debug)]
pub(super) struct Step {
    begun: Instant,
    _spinner: Spinner,
}

impl Step {
    /// Begins a step. `doing` is shown until it ends; it must be printable.
    pub fn begin(doing: &str) -> Self {
        if !io::stderr().is_terminal() {
            print_error(&format!("{doing}...\n"));
        }
        Self { begun: Instant::now(), _spinner: Spinner::on_terminal(doing) }
    }

    /// Begins a step of another program, which writes to the terminal itself.
    pub fn of_program(doing: &str) -> Self {
        print_error(&format!("{doing}...\n"));
        Self { begun: Instant::now(), _spinner: Spinner::hidden() }
    }

    /// Ends the step and says what it did.
    pub fn finish(self, done: &str) {
        let elapsed = elapsed(self.begun.elapsed());
        drop(self);
        print_error(&format!("{elapsed:>TIME_WIDTH$}  {done}\n"));
    }
}

/// Returns a time to the second.
fn elapsed(time: Duration) -> String {
    match time.as_secs() {
        0 => format!("{}.{} s", time.as_secs(), time.subsec_millis() / 100),
        seconds @ 1..60 => format!("{seconds} s"),
        seconds @ 60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        seconds => format!("{} h {} min", seconds / 3600, seconds / 60 % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_fit_their_column() {
        for (milliseconds, text) in [
            (340, "0.3 s"),
            (1500, "1 s"),
            (61_000, "1 min 1 s"),
            (3_599_000, "59 min 59 s"),
            (3_661_000, "1 h 1 min"),
        ] {
            let told = elapsed(Duration::from_millis(milliseconds));
            assert_eq!(told, text);
            assert!(told.len() <= TIME_WIDTH);
        }
    }
}
