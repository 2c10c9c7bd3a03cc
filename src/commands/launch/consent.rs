//! The question before money is spent. Signals are held back meanwhile.

use std::io;

use crate::error::{Error, Result};
use crate::system::question;
use crate::system::signals::Watch;
use crate::terminal::print_error;

/// Asks on the terminal; only `y` and `yes` agree.
pub(super) fn ask(question: &str, watch: &Watch) -> Result<bool> {
    match question::confirm(question, false, watch) {
        Ok(answer) => Ok(answer == Some(true)),
        Err(error) if error.kind() == io::ErrorKind::Interrupted => {
            print_error("\n");
            Err(Error::interrupted())
        }
        Err(error) => Err(Error::cannot("read the answer", error)),
    }
}
