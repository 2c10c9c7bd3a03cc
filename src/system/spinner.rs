//! Spinner: a line on stderr with what a command waits for and the elapsed time. indicatif draws it on a
//! terminal, after a second. Elsewhere, a plain line says the same once.

use std::io::{self, IsTerminal, PipeWriter};
use std::os::fd::{AsFd, BorrowedFd};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use console::{Term, truncate_str};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use nix::poll::{PollFd, PollFlags, poll};

use crate::system::signals::{self, Watch};
use crate::terminal::print_error;

/// Shorter waits show nothing.
const DELAY: Duration = Duration::from_secs(1);
/// Time between two frames.
const FRAME: Duration = Duration::from_millis(100);
/// Columns beside the message: the spinner, the elapsed time, and room for the `^C` that a terminal writes.
const RESERVED: usize = 12;

/// A spinner; removes its line when dropped.
#[derive(Debug)]
pub struct Spinner {
    bar: ProgressBar,
    /// Drawing thread, and the pipe whose end stops it.
    drawing: Option<(PipeWriter, JoinHandle<()>)>,
}

/// Output where stderr is not a terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Elsewhere {
    /// A plain line after [`DELAY`].
    Line,
    /// Nothing.
    Nothing,
}

impl Spinner {
    /// Shows `message` until dropped. For callers that hold a [`Watch`] and drop it later.
    pub fn new(message: &str) -> Self {
        Self::start(message, Elsewhere::Line, || None)
    }

    /// Like [`Spinner::new`], for callers that print lines of their own where stderr is not a terminal.
    pub fn on_terminal(message: &str) -> Self {
        Self::start(message, Elsewhere::Nothing, || None)
    }

    /// Shows `message` until dropped, and removes the line before a signal ends the program. For callers
    /// without a [`Watch`].
    pub fn watching(message: &str) -> Self {
        Self::start(message, Elsewhere::Line, || Watch::new().ok())
    }

    /// Like [`Spinner::watching`], for callers that print lines of their own where stderr is not a terminal.
    pub fn watching_on_terminal(message: &str) -> Self {
        Self::start(message, Elsewhere::Nothing, || Watch::new().ok())
    }

    /// Shows nothing.
    pub fn hidden() -> Self {
        Self { bar: ProgressBar::hidden(), drawing: None }
    }

    fn start(message: &str, elsewhere: Elsewhere, watch: impl FnOnce() -> Option<Watch>) -> Self {
        let mut spinner = Self::hidden();
        let is_terminal = io::stderr().is_terminal();
        if !is_terminal && elsewhere == Elsewhere::Nothing {
            return spinner;
        }
        let Ok((reader, writer)) = io::pipe() else { return spinner };
        if !is_terminal {
            let line = format!("{message}...\n");
            let say = move || {
                if !is_over(DELAY, reader.as_fd(), None) {
                    print_error(&line);
                }
            };
            spinner.drawing = thread::Builder::new().spawn(say).ok().map(|thread| (writer, thread));
            return spinner;
        }
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg}: {elapsed}") {
            spinner.bar.set_style(style);
        }
        let (bar, watch, message) = (spinner.bar.clone(), watch(), message.to_owned());
        let draw = move || draw(&bar, &message, reader.as_fd(), watch.as_ref());
        spinner.drawing = thread::Builder::new().spawn(draw).ok().map(|thread| (writer, thread));
        spinner
    }

    /// Runs `print` while the line is removed.
    pub fn suspend(&self, print: impl FnOnce()) {
        self.bar.suspend(print);
    }
}

impl Drop for Spinner {
    fn drop(&mut self) {
        if let Some((writer, thread)) = self.drawing.take() {
            drop(writer);
            // A thread that panicked draws no more.
            let _ = thread.join();
        }
    }
}

/// Draws until the other end of `stop` closes or `watch` catches a signal, which takes effect when it is
/// dropped.
fn draw(bar: &ProgressBar, message: &str, stop: BorrowedFd<'_>, watch: Option<&Watch>) {
    if is_over(DELAY, stop, watch) {
        return;
    }
    bar.set_draw_target(ProgressDrawTarget::stderr());
    loop {
        let width = usize::from(Term::stderr().size().1).saturating_sub(RESERVED);
        bar.set_message(truncate_str(message, width, "…").into_owned());
        bar.tick();
        if is_over(FRAME, stop, watch) {
            break;
        }
    }
    bar.finish_and_clear();
}

/// Waits for `time`; returns true if the wait ended before.
fn is_over(time: Duration, stop: BorrowedFd<'_>, watch: Option<&Watch>) -> bool {
    let watched = watch.map_or(stop, AsFd::as_fd);
    let mut ends = [stop, watched].map(|end| PollFd::new(end, PollFlags::POLLIN));
    // A poll that a signal interrupts counts as a frame: the next one sees the signal.
    poll(&mut ends, signals::timeout(time)).is_ok_and(|count| count > 0)
}
