//! What shows that something is waited for: a line that turns on a terminal, plain lines elsewhere.

use std::io;
use std::time::{Duration, Instant};

use dialoguer::console::{Term, truncate_str};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle, TermLike};

use super::Machine;
use crate::term::{self, print_error, printable};

/// The most of a name that stands in the line that turns, in columns.
const NAME_SHOWN: usize = 32;
/// How often the line is drawn each second.
const DRAWN: u8 = 10;

/// Shows that a machine is waited for.
pub(super) enum Indicator {
    /// Not at all.
    Quiet,
    /// A line that turns.
    Spinner(ProgressBar, String),
    /// Lines for a log.
    Lines(Instant, String),
}

impl Indicator {
    /// Begins to show that `machine` is waited for, at most for `limit`.
    pub(super) fn new(machine: &Machine, limit: Duration, quiet: bool) -> Self {
        if quiet {
            return Self::Quiet;
        }
        let name = printable(&machine.name).into_owned();
        let limit = humantime::format_duration(limit);
        if !term::is_interactive() {
            print_error(&format!("Waiting for {name} to boot, at most {limit}...\n"));
            return Self::Lines(Instant::now(), name);
        }
        let spinner = ProgressBar::new_spinner();
        let terminal = Box::new(Narrow(Term::stderr()));
        spinner.set_draw_target(ProgressDrawTarget::term_like_with_hz(terminal, DRAWN));
        if let Ok(style) = ProgressStyle::with_template("{spinner} Waiting for {msg}: {elapsed}") {
            spinner.set_style(style);
        }
        spinner.set_message(format!("{} to boot, at most {limit}", truncate_str(&name, NAME_SHOWN, "…")));
        spinner.enable_steady_tick(Duration::from_secs(1) / DRAWN.into());
        Self::Spinner(spinner, name)
    }

    /// Removes the line, and says when the instance was reached.
    pub(super) fn finish(self, reached: bool) {
        let (elapsed, name) = match self {
            Self::Quiet => return,
            Self::Spinner(spinner, name) => {
                let elapsed = spinner.elapsed();
                spinner.finish_and_clear();
                (elapsed, name)
            }
            Self::Lines(begun, name) => (begun.elapsed(), name),
        };
        if reached {
            let elapsed = humantime::format_duration(Duration::from_secs(elapsed.as_secs()));
            print_error(&format!("{name} is up after {elapsed}\n"));
        }
    }
}

/// A terminal whose last columns stay free. indicatif fills its line to the edge; the `^C` that the
/// terminal then writes would begin another line, and the first would stay behind.
#[derive(Debug)]
struct Narrow(Term);

/// Room for `^C` and the cursor.
const FREE: u16 = 3;

impl TermLike for Narrow {
    fn width(&self) -> u16 {
        self.0.size().1.saturating_sub(FREE).max(1)
    }

    fn height(&self) -> u16 {
        self.0.size().0
    }

    fn move_cursor_up(&self, lines: usize) -> io::Result<()> {
        self.0.move_cursor_up(lines)
    }

    fn move_cursor_down(&self, lines: usize) -> io::Result<()> {
        self.0.move_cursor_down(lines)
    }

    fn move_cursor_right(&self, columns: usize) -> io::Result<()> {
        self.0.move_cursor_right(columns)
    }

    fn move_cursor_left(&self, columns: usize) -> io::Result<()> {
        self.0.move_cursor_left(columns)
    }

    fn write_line(&self, text: &str) -> io::Result<()> {
        self.0.write_line(text)
    }

    fn write_str(&self, text: &str) -> io::Result<()> {
        self.0.write_str(text)
    }

    fn clear_line(&self) -> io::Result<()> {
        self.0.clear_line()
    }

    fn flush(&self) -> io::Result<()> {
        self.0.flush()
    }
}
