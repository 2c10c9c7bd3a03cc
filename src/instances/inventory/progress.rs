//! Progress of a wait for an instance: a spinner on a terminal, lines elsewhere.

use std::io::{self, IsTerminal};
use std::time::{Duration, Instant};

use console::truncate_str;

use crate::system::spinner::Spinner;
use crate::terminal::print_error;

/// Columns for the description of the wait.
const SHOWN: usize = 40;

/// Shows the wait until dropped.
#[derive(Debug)]
pub struct Progress {
    name: String,
    begun: Instant,
    spinner: Spinner,
    quiet: bool,
}

impl Progress {
    /// Shows a wait for `what` of the instance `name`, with `limit`. Both texts must be printable.
    pub fn new(name: &str, what: &str, limit: Duration, quiet: bool) -> Self {
        let limit = Duration::from_secs((limit + Duration::from_millis(999)).as_secs());
        let message = format!(
            "Waiting for {}, at most {}",
            truncate_str(what, SHOWN, "…"),
            humantime::format_duration(limit)
        );
        if !quiet && !io::stderr().is_terminal() {
            print_error(&format!("{message}...\n"));
        }
        let spinner = if quiet { Spinner::hidden() } else { Spinner::on_terminal(&message) };
        Self { name: name.to_owned(), begun: Instant::now(), spinner, quiet }
    }

    /// Reports the time after which the instance was `reached`.
    pub fn finish(self, reached: Option<&str>) {
        drop(self.spinner);
        if let (Some(reached), false) = (reached, self.quiet) {
            let elapsed = humantime::format_duration(Duration::from_secs(self.begun.elapsed().as_secs()));
            print_error(&format!("{} {reached} after {elapsed}\n", self.name));
        }
    }
}
