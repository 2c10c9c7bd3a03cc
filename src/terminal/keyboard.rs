//! A terminal that hands every key to the program, for as long as a question stands.
//!
//! `console` sets the terminal up anew for each key and back after it. Between two keys Ctrl-C
//! would be a signal, which comes when nobody looks for one, and the question would stand for ever;
//! with [`Keyboard`] it is a key like any other, and `console` makes the signal of it when it
//! reads it.

use std::io;

use nix::sys::termios::{LocalFlags, SetArg, SpecialCharacterIndices, Termios, tcgetattr, tcsetattr};

/// The settings of standard input, which is a terminal, until dropped.
#[derive(Debug)]
pub struct Keyboard(Termios);

impl Keyboard {
    /// Takes the keyboard. Before the question is drawn: whoever sees it may answer it.
    pub fn take() -> io::Result<Self> {
        let before = tcgetattr(io::stdin())?;
        let mut keys = before.clone();
        keys.local_flags
            .remove(LocalFlags::ECHO | LocalFlags::ICANON | LocalFlags::ISIG | LocalFlags::IEXTEN);
        // One byte is enough for a read, and without one it waits.
        keys.control_chars[SpecialCharacterIndices::VMIN as usize] = 1;
        keys.control_chars[SpecialCharacterIndices::VTIME as usize] = 0;
        tcsetattr(io::stdin(), SetArg::TCSADRAIN, &keys)?;
        Ok(Self(before))
    }
}

impl Drop for Keyboard {
    fn drop(&mut self) {
        // Nobody is left to tell that it failed: the terminal is gone.
        let _ = tcsetattr(io::stdin(), SetArg::TCSADRAIN, &self.0);
    }
}
