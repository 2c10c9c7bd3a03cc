//! A line from the terminal that the terminal does not show.
//!
//! The line is edited by the terminal itself, so that Ctrl-U takes back what cannot be seen; and
//! the terminal shows again what is typed before any signal gets through. The crates that were
//! looked at do one or the other.

use std::io;
use std::os::fd::AsFd;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::termios::{LocalFlags, SetArg, SpecialCharacterIndices, Termios, tcgetattr, tcsetattr};
use nix::unistd::read;

use crate::interrupt::Watch;
use crate::term::print_error;

/// What a terminal takes for "no such character" (`_POSIX_VDISABLE`).
const NO_CHARACTER: u8 = if cfg!(target_os = "linux") { 0 } else { 0xff };

/// Asks `question` and reads a line, without its end, from standard input, which is a terminal. A
/// signal that `watch` catches ends it.
pub fn read_line(question: &str, watch: &Watch) -> io::Result<String> {
    // Before the question: whoever sees it can type without being seen.
    let _hidden = Hidden::new()?;
    print_error(&format!("{question}: "));
    let stdin = io::stdin();
    let mut line = Vec::new();
    loop {
        wait(watch)?;
        let mut buffer = [0; 4096];
        let count = match read(&stdin, &mut buffer) {
            Err(Errno::EINTR | Errno::EAGAIN) => continue,
            result => result?,
        };
        line.extend_from_slice(&buffer[..count]);
        if line.pop_if(|byte| *byte == b'\n').is_some() {
            return String::from_utf8(line).map_err(|_| io::Error::other("not valid UTF-8"));
        }
        if count == 0 {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof));
        }
    }
}

/// Waits until there is something to read. Not in `read` itself: the signal might come just before.
fn wait(watch: &Watch) -> io::Result<()> {
    let stdin = io::stdin();
    let mut polled =
        [PollFd::new(stdin.as_fd(), PollFlags::POLLIN), PollFd::new(watch.as_fd(), PollFlags::POLLIN)];
    match poll(&mut polled, PollTimeout::NONE) {
        Ok(_) | Err(Errno::EINTR) => {}
        Err(errno) => return Err(errno.into()),
    }
    if watch.interrupted() { Err(io::Error::from(io::ErrorKind::Interrupted)) } else { Ok(()) }
}

/// A terminal that does not show what is typed, until dropped.
struct Hidden(Termios);

impl Hidden {
    fn new() -> io::Result<Self> {
        let before = tcgetattr(io::stdin())?;
        let mut hidden = before.clone();
        hidden.local_flags.remove(LocalFlags::ECHO);
        hidden.local_flags.insert(LocalFlags::ICANON | LocalFlags::ISIG | LocalFlags::ECHONL);
        // After Ctrl-Z and `fg` the shell's settings would be in force, and show the rest.
        hidden.control_chars[SpecialCharacterIndices::VSUSP as usize] = NO_CHARACTER;
        tcsetattr(io::stdin(), SetArg::TCSADRAIN, &hidden)?;
        Ok(Self(before))
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        // Nobody is left to tell that it failed: the terminal is gone.
        let _ = tcsetattr(io::stdin(), SetArg::TCSADRAIN, &self.0);
    }
}
