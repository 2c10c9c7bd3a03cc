//! Turning a program's arguments into its clap structure, so that every program answers `--help`
//! and complains about mistakes in the same way.

use std::process::ExitCode;

use clap::Parser;

use crate::error::{EXIT_USAGE, Result};
use crate::term::{print, print_error};

/// Parses the arguments of this process and runs `run` with them. `program` is the name that
/// errors begin with. Returns the exit code: that of `run`, that of its error, 0 after `--help`
/// and `--version`, 2 when the arguments make no sense.
pub fn main<T: Parser>(program: &str, run: impl FnOnce(&T) -> Result<u8>) -> ExitCode {
    let arguments = match T::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return ExitCode::from(refuse(program, &error)),
    };
    match run(&arguments) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            error.report(program);
            ExitCode::from(error.exit_code())
        }
    }
}

/// Prints clap's complaint in the words of this crate; help and version as they are.
fn refuse(program: &str, error: &clap::Error) -> u8 {
    let text = error.render().to_string();
    if !error.use_stderr() {
        return u8::from(print(&text).is_err());
    }
    let complaint = text.strip_prefix("error: ").unwrap_or(&text);
    print_error(&format!("{program}: {complaint}"));
    EXIT_USAGE
}
