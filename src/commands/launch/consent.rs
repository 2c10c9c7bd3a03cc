//! The question before money is spent. Signals are held back meanwhile, so it waits for them and for an answer.

use std::io::{self, BufRead};
use std::os::fd::AsFd;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::error::{Error, Result};
use crate::system::signals::Watch;
use crate::terminal::print_error;

/// Asks on the terminal; only `y` and `yes` agree.
pub(super) fn ask(question: &str, watch: &Watch) -> Result<bool> {
    loop {
        print_error(&format!("{question} [y/N] "));
        let Some(answer) = line(watch)? else {
            print_error("\n");
            return Ok(false);
        };
        match answer.trim().to_ascii_lowercase().as_str() {
            "y" | "yes" => return Ok(true),
            "" | "n" | "no" => return Ok(false),
            _ => {}
        }
    }
}

/// Reads a line from the terminal; `None` at its end.
fn line(watch: &Watch) -> Result<Option<String>> {
    let stdin = io::stdin();
    loop {
        if watch.interrupted() {
            print_error("\n");
            return Err(Error::interrupted());
        }
        let mut ends = [stdin.as_fd(), watch.as_fd()].map(|end| PollFd::new(end, PollFlags::POLLIN));
        // An interrupted poll is repeated after a look at the watch.
        let ready = poll(&mut ends, PollTimeout::NONE).is_ok() && ends[0].any() == Some(true);
        if ready && !watch.interrupted() {
            break;
        }
    }
    let mut text = String::new();
    let count = stdin.lock().read_line(&mut text).map_err(|error| Error::cannot("read the answer", error))?;
    Ok((count > 0).then_some(text))
}
