//! `soong-complete`: completes a command line. For the scripts in `completions/`; not meant to be typed.
//!
//! ```text
//! soong-complete words WORD…            the words up to the cursor; the last is incomplete
//! soong-complete bash COLUMNS TYPE BREAKS ALIAS LINE      the line as bash passes it
//!
//! line ─ (bash: words) ─ programs ─ engine ─ values ─ answer ─ (bash: candidates)
//! ```
//!
//! clap_complete's engine answers from the clap definitions, of which only the needed one is built. Changing values
//! (instances, tunnels, keys) come from files. No process is started. This module reads the definitions of the other
//! commands, which do not know it.

pub mod programs;

mod bash;
mod engine;
mod forwards;
mod keys;
mod line;
mod values;

use std::process::ExitCode;

use crate::completion::Answer;
use crate::error::EXIT_USAGE;
use crate::terminal::{print, print_error};

const HELP: &str = "Complete a command line

Usage: soong-complete words WORD...
       soong-complete bash COLUMNS TYPE BREAKS ALIAS LINE

For the completion scripts of the shells. The last WORD is the one under the
cursor. Each line of the answer is a candidate, a tab and its description.

Options:
  -h, --help     Print help
  -V, --version  Print version

Example:
  soong-complete words soong-tunnel st
";

/// Answers a request and returns the exit code. Failures produce an empty answer: TAB cannot report them.
pub fn main() -> ExitCode {
    let arguments: Vec<String> =
        std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned()).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let text = match arguments.as_slice() {
        ["words", words @ ..] => complete(words).render(),
        ["bash", columns, kind, breaks, alias, line] => {
            let request = bash::Request { columns: columns.parse().unwrap_or(80), kind, breaks, alias, line };
            bash::reply(&request, complete)
        }
        ["-h" | "--help"] => HELP.to_owned(),
        ["-V" | "--version"] => format!("soong-complete {}\n", env!("CARGO_PKG_VERSION")),
        _ => {
            print_error("soong-complete: for the completion scripts of the shells; not meant to be typed\n");
            return ExitCode::from(EXIT_USAGE);
        }
    };
    ExitCode::from(u8::from(print(&text).is_err()))
}

/// Returns the answer for a command line of these words; the first is the program's name.
fn complete(words: &[&str]) -> Answer {
    match words {
        [program, rest @ .., last] => programs::complete(program, rest, last),
        _ => Answer::error(),
    }
}

#[cfg(test)]
mod tests;
