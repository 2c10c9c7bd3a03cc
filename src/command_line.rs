//! Turning a program's arguments into its clap structure, so that every program answers `--help`
//! and complains about mistakes in the same way.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::process::ExitCode;

use clap::Parser;

use crate::error::{EXIT_USAGE, Error, Result};
use crate::term::{hint_label, print, print_error};

/// Parses the arguments of this process and runs `run` with them. `program` is the name that
/// errors begin with. Returns the exit code: that of `run`, that of its error, 0 after `--help`
/// and `--version`, 2 when the arguments make no sense.
pub fn main<T: Parser>(program: &str, run: impl FnOnce(&T) -> Result<u8>) -> ExitCode {
    main_from(program, std::env::args_os().collect(), run)
}

/// The same for a program that has looked at its arguments before: parses `words`, which begin
/// with the name of the program.
pub fn main_from<T: Parser>(
    program: &str,
    words: Vec<OsString>,
    run: impl FnOnce(&T) -> Result<u8>,
) -> ExitCode {
    ExitCode::from(code_of(program, words, run))
}

/// The same, with the exit code as a number: for programs that begin where C programs do.
pub fn code_of<T: Parser>(program: &str, words: Vec<OsString>, run: impl FnOnce(&T) -> Result<u8>) -> u8 {
    let result = match T::try_parse_from(words) {
        Ok(arguments) => run(&arguments),
        Err(error) => return refuse(program, &error),
    };
    result.unwrap_or_else(|error| {
        error.report(program);
        error.exit_code()
    })
}

/// Reports the error that ends `program` and returns its exit code.
pub fn fail(program: &str, error: &Error) -> ExitCode {
    error.report(program);
    ExitCode::from(error.exit_code())
}

/// Prints clap's complaint in the words of this crate; help and version as they are.
fn refuse(program: &str, error: &clap::Error) -> u8 {
    let text = error.render().to_string();
    if !error.use_stderr() {
        return u8::from(print(&text).is_err());
    }
    print_error(&complaint(program, &text));
    EXIT_USAGE
}

/// clap's complaint, which is paragraphs, as a first line and hints.
fn complaint(program: &str, text: &str) -> String {
    let text = text.strip_prefix("error: ").unwrap_or(text);
    let (reason, rest) = text.split_once("\n\n").unwrap_or((text, ""));
    let words: Vec<&str> = reason.lines().map(str::trim).collect();
    let mut complaint = format!("{program}: {}\n", words.join(" "));
    for line in rest.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let hint = line.strip_prefix("tip: ").unwrap_or(line).trim_end_matches('.');
        let _ = writeln!(complaint, "{} {}", hint_label(), lower_first(hint));
    }
    complaint
}

/// `text` with a first letter in lower case.
fn lower_first(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_complaint_is_one_line_and_hints() {
        let text = "error: unexpected argument '--prot' found\n\n  tip: a similar argument exists: '--port'\n\n\
            Usage: soong tunnel start [OPTIONS]\n\nFor more information, try '--help'.\n";
        let expected = "soong-x: unexpected argument '--prot' found\n\
            hint: a similar argument exists: '--port'\n\
            hint: usage: soong tunnel start [OPTIONS]\n\
            hint: for more information, try '--help'\n";
        assert_eq!(complaint("soong-x", text), expected);
        let text = "error: the following required arguments were not provided:\n  <NAME>\n";
        let expected = "soong-x: the following required arguments were not provided: <NAME>\n";
        assert_eq!(complaint("soong-x", text), expected);
    }
}
