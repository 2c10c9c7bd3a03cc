//! Reads a line from the terminal without echo.
//!
//! The terminal edits the line, so Ctrl-U works, and echo is restored before a signal takes effect. The
//! crates that we evaluated do one or the other.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::termios::{
    FlushArg, LocalFlags, SetArg, SpecialCharacterIndices, Termios, tcflush, tcgetattr, tcsetattr,
};
use nix::unistd::read;
use zeroize::Zeroizing;

use crate::system::signals::Watch;
use crate::terminal::print_error;

/// Value for "no such character" in terminal settings (`_POSIX_VDISABLE`).
const NO_CHARACTER: u8 = if cfg!(target_os = "linux") { 0 } else { 0xff };

/// Longest line, in bytes; terminals deliver no longer ones.
const LINE_MAX: usize = 4096;

/// A line to read from standard input, a terminal.
#[derive(Debug, Clone, Copy)]
pub struct HiddenLine<'a> {
    /// Signals that end the reading with [`io::ErrorKind::Interrupted`].
    pub watch: &'a Watch,
    /// Descriptor that ends the reading with [`io::ErrorKind::ConnectionAborted`] when it becomes readable.
    pub withdrawn: Option<BorrowedFd<'a>>,
    /// True if the line is not a secret and is echoed.
    pub shown: bool,
}

impl HiddenLine<'_> {
    /// Writes `prompt` and reads a line without its end.
    pub fn read(&self, prompt: &str) -> io::Result<Zeroizing<String>> {
        // Before the prompt, so that an early answer is not echoed.
        let _hidden = Hidden::new(self.shown)?;
        print_error(prompt);
        let stdin = io::stdin();
        // With full capacity, so that growing leaves no copy behind.
        let mut line = Zeroizing::new(Vec::with_capacity(LINE_MAX));
        loop {
            self.wait().inspect_err(|_| forget_typed())?;
            let mut buffer = Zeroizing::new([0; LINE_MAX]);
            let count = match read(&stdin, buffer.as_mut_slice()) {
                Err(Errno::EINTR | Errno::EAGAIN) => continue,
                result => result?,
            };
            if line.len() + count > LINE_MAX {
                return Err(io::Error::other("the line is too long"));
            }
            line.extend_from_slice(&buffer[..count]);
            if line.pop_if(|byte| *byte == b'\n').is_some() {
                let text = std::str::from_utf8(&line).map_err(|_| io::Error::other("not valid UTF-8"))?;
                return Ok(Zeroizing::new(text.to_owned()));
            }
            if count == 0 {
                return Err(io::Error::from(io::ErrorKind::UnexpectedEof));
            }
        }
    }

    /// Waits for input. Not in `read` itself, which could miss a signal that comes just before.
    fn wait(&self) -> io::Result<()> {
        let stdin = io::stdin();
        let mut polled = vec![
            PollFd::new(stdin.as_fd(), PollFlags::POLLIN),
            PollFd::new(self.watch.as_fd(), PollFlags::POLLIN),
        ];
        polled.extend(self.withdrawn.map(|descriptor| PollFd::new(descriptor, PollFlags::POLLIN)));
        match poll(&mut polled, PollTimeout::NONE) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno.into()),
        }
        if self.watch.interrupted() {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let withdrawn = polled.get(2).and_then(PollFd::any).unwrap_or(false);
        if withdrawn { Err(io::ErrorKind::ConnectionAborted.into()) } else { Ok(()) }
    }
}

/// Discards the unread part of a line, which must not become the shell's next command.
fn forget_typed() {
    let _ = tcflush(io::stdin(), FlushArg::TCIFLUSH);
}

/// Terminal without echo, until dropped.
struct Hidden(Termios);

impl Hidden {
    fn new(shown: bool) -> io::Result<Self> {
        let before = tcgetattr(io::stdin())?;
        let mut hidden = before.clone();
        hidden.local_flags.set(LocalFlags::ECHO, shown);
        hidden.local_flags.insert(LocalFlags::ICANON | LocalFlags::ISIG | LocalFlags::ECHONL);
        // After Ctrl-Z and `fg`, the shell's settings would echo the rest.
        hidden.control_chars[SpecialCharacterIndices::VSUSP as usize] = NO_CHARACTER;
        tcsetattr(io::stdin(), SetArg::TCSADRAIN, &hidden)?;
        Ok(Self(before))
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        // Failure needs no report: the terminal is gone.
        let _ = tcsetattr(io::stdin(), SetArg::TCSADRAIN, &self.0);
    }
}
