//! Yes-or-no questions on the terminal, in the style `Launch it? [y/N] `, for callers that hold signals back.

use std::io::{self, BufRead};
use std::os::fd::AsFd;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::system::signals::Watch;
use crate::terminal::print_error;
pub use crate::terminal::{answer, prompt};

/// Asks on the terminal; an empty answer means `default`. Returns `None` at the end of the input, and
/// [`io::ErrorKind::Interrupted`] if `watch` catches a signal.
pub fn confirm(question: &str, default: bool, watch: &Watch) -> io::Result<Option<bool>> {
    loop {
        let Some(line) = line(&prompt(question, default), watch)? else {
            print_error("\n");
            return Ok(None);
        };
        if let Some(answer) = answer(&line, default) {
            return Ok(Some(answer));
        }
    }
}

/// Shows `prompt` and reads a line; `None` at the end of the input.
pub fn line(prompt: &str, watch: &Watch) -> io::Result<Option<String>> {
    print_error(prompt);
    let stdin = io::stdin();
    loop {
        if watch.interrupted() {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let mut ends = [stdin.as_fd(), watch.as_fd()].map(|end| PollFd::new(end, PollFlags::POLLIN));
        // An interrupted poll is repeated after a look at the watch.
        let ready = poll(&mut ends, PollTimeout::NONE).is_ok() && ends[0].any() == Some(true);
        if ready && !watch.interrupted() {
            break;
        }
    }
    let mut text = String::new();
    let count = stdin.lock().read_line(&mut text)?;
    Ok((count > 0).then_some(text))
}
