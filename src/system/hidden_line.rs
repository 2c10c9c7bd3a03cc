//! A line from the terminal that the terminal does not show.
//!
//! The line is edited by the terminal itself, so that Ctrl-U takes back what cannot be seen; and
//! the terminal shows again what is typed before any signal gets through. The crates that were
//! looked at do one or the other.

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

/// What a terminal takes for "no such character" (`_POSIX_VDISABLE`).
const NO_CHARACTER: u8 = if cfg!(target_os = "linux") { 0 } else { 0xff };

/// The longest line, in bytes; terminals give no longer ones.
const LINE_MAX: usize = 4096;

/// A line to be read from standard input, which is a terminal.
#[derive(Debug, Clone, Copy)]
pub struct HiddenLine<'a> {
    /// A signal that it catches ends the reading, with [`io::ErrorKind::Interrupted`].
    pub watch: &'a Watch,
    /// So does this descriptor, when it can be read: nobody wants the line any more, which is
    /// [`io::ErrorKind::ConnectionAborted`].
    pub withdrawn: Option<BorrowedFd<'a>>,
    /// Whether the line is no secret after all, and shown.
    pub shown: bool,
}

impl HiddenLine<'_> {
    /// Writes `prompt` and reads a line, without its end.
    pub fn read(&self, prompt: &str) -> io::Result<Zeroizing<String>> {
        // Before the prompt: whoever sees it can type without being seen.
        let _hidden = Hidden::new(self.shown)?;
        print_error(prompt);
        let stdin = io::stdin();
        // With room for all, so that no copy is left behind when it grows.
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

    /// Waits until there is something to read. Not in `read` itself: the signal might come just
    /// before.
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

/// What was typed of a line that nobody will read must not become the shell's next command.
fn forget_typed() {
    let _ = tcflush(io::stdin(), FlushArg::TCIFLUSH);
}

/// A terminal that does not show what is typed, until dropped.
struct Hidden(Termios);

impl Hidden {
    fn new(shown: bool) -> io::Result<Self> {
        let before = tcgetattr(io::stdin())?;
        let mut hidden = before.clone();
        hidden.local_flags.set(LocalFlags::ECHO, shown);
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
