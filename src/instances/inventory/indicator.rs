//! What shows that something is waited for: a line that turns on a terminal, plain lines elsewhere.

use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use dialoguer::console::{Term, truncate_str};

use super::Machine;
use crate::terminal::{self, print_error, printable};

/// The most of a name that stands in the line that turns, in columns.
const NAME_SHOWN: usize = 32;
/// How long the line stands still.
const TURN: Duration = Duration::from_millis(100);
/// What turns.
const FRAMES: [&str; 10] = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"];
/// Columns left free at the end of the line, for the `^C` that a terminal writes and for the
/// cursor: over the edge, they would begin another line, and the first would stay behind.
const FREE: u16 = 3;

/// Shows that a machine is waited for.
pub(super) enum Indicator {
    /// Not at all.
    Quiet,
    /// A line that turns.
    Spinner(Spinner, String),
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
        if !terminal::is_interactive() {
            print_error(&format!("Waiting for {name} to boot, at most {limit}...\n"));
            return Self::Lines(Instant::now(), name);
        }
        let shown = truncate_str(&name, NAME_SHOWN, "…");
        let spinner = Spinner::new(format!("{shown} to boot, at most {limit}"));
        Self::Spinner(spinner, name)
    }

    /// Removes the line, and says when the instance was reached.
    pub(super) fn finish(self, reached: bool) {
        let (elapsed, name) = match self {
            Self::Quiet => return,
            Self::Spinner(spinner, name) => (spinner.finish(), name),
            Self::Lines(begun, name) => (begun.elapsed(), name),
        };
        if reached {
            let elapsed = humantime::format_duration(Duration::from_secs(elapsed.as_secs()));
            print_error(&format!("{name} is up after {elapsed}\n"));
        }
    }
}

/// A line that turns until it is told to go.
pub(super) struct Spinner {
    begun: Instant,
    end: Sender<()>,
    turning: JoinHandle<()>,
}

impl Spinner {
    /// Begins to turn, with `message` and the time that has passed beside it.
    fn new(message: String) -> Self {
        let (end, ended) = mpsc::channel();
        let begun = Instant::now();
        let turning = thread::spawn(move || {
            let terminal = Term::stderr();
            let mut frames = FRAMES.iter().cycle();
            loop {
                let seconds = Duration::from_secs(begun.elapsed().as_secs());
                let frame = frames.next().unwrap_or(&" ");
                let line = format!("{frame} Waiting for {message}: {}", humantime::format_duration(seconds));
                let width = usize::from(terminal.size().1.saturating_sub(FREE).max(1));
                // A terminal that is gone shows nothing; the wait goes on.
                let _ = terminal.write_str(&format!("\r{}\x1b[K", truncate_str(&line, width, "")));
                if ended.recv_timeout(TURN) != Err(RecvTimeoutError::Timeout) {
                    let _ = terminal.clear_line();
                    return;
                }
            }
        });
        Self { begun, end, turning }
    }

    /// Removes the line. Returns how long it has turned.
    fn finish(self) -> Duration {
        let elapsed = self.begun.elapsed();
        let _ = self.end.send(());
        let _ = self.turning.join();
        elapsed
    }
}
