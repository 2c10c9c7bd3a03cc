//! Terminal settings for a menu: every key goes to the program.
//!
//! `console` changes the settings for each key and restores them after it. Between two keys, Ctrl-C would be
//! a signal that the menu does not see, and the menu would stay. With [`Keyboard`], Ctrl-C is a key, and
//! `console` raises the signal when it reads it.

use std::io;

use nix::sys::termios::{LocalFlags, SetArg, SpecialCharacterIndices, Termios, tcgetattr, tcsetattr};

/// Settings of standard input, a terminal, until dropped.
#[derive(Debug)]
pub struct Keyboard(Termios);

impl Keyboard {
    /// Changes the settings. Call it before drawing the menu, which may be answered at once.
    pub fn take() -> io::Result<Self> {
        let before = tcgetattr(io::stdin())?;
        let mut keys = before.clone();
        keys.local_flags
            .remove(LocalFlags::ECHO | LocalFlags::ICANON | LocalFlags::ISIG | LocalFlags::IEXTEN);
        // A read returns after one byte and waits for it.
        keys.control_chars[SpecialCharacterIndices::VMIN as usize] = 1;
        keys.control_chars[SpecialCharacterIndices::VTIME as usize] = 0;
        tcsetattr(io::stdin(), SetArg::TCSADRAIN, &keys)?;
        Ok(Self(before))
    }
}

impl Drop for Keyboard {
    fn drop(&mut self) {
        // Failure needs no report: the terminal is gone.
        let _ = tcsetattr(io::stdin(), SetArg::TCSADRAIN, &self.0);
    }
}
