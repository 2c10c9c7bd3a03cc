//! Output of the dispatcher: texts on stdout, errors on stderr, and their exit codes.

use crate::error::{EXIT_FAILED, EXIT_USAGE, Error};
use crate::terminal::{print, printable};

/// Prints `text` and returns the exit code.
pub(super) fn show(text: &str) -> u8 {
    match print(text) {
        Ok(()) => 0,
        Err(source) => {
            Error::output(source).report("soong");
            EXIT_FAILED
        }
    }
}

/// Reports that there is no command `name`; `hint` suggests another one. Returns the exit code.
pub(super) fn unknown(name: &[u8], hint: Option<String>) -> u8 {
    let name = String::from_utf8_lossy(name);
    let error = Error::usage(format!("no command '{}'", printable(&name)));
    error.with_hint(hint.unwrap_or_else(|| "list the commands: soong help".to_owned())).report("soong");
    EXIT_USAGE
}

/// Reports `error` and returns its exit code.
pub(super) fn fail(error: &Error) -> u8 {
    error.report("soong");
    error.exit_code()
}
