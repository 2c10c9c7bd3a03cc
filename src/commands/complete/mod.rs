//! `soong-complete`: how the command line that is being typed could go on. Called by the scripts in
//! `completions/`, never by hand.
//!
//! ```text
//! soong-complete words WORD…            the words up to the cursor, the last one partial
//! soong-complete bash COLUMNS TYPE BREAKS ALIAS LINE      what bash knows of the line
//!
//! line ─ (bash: words) ─ programs ─ engine ─ values ─ answer ─ (bash: candidates)
//! ```
//!
//! clap_complete's engine answers from the clap definitions, of which only the one that is needed is
//! built; values that come and go (instances, tunnels, keys) come from files. No process is started. This module stands above the other features, as it
//! reads their definitions; none of them knows of it.

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

/// `soong-complete`: answers, and returns the exit code. Whatever goes wrong is no news for
/// somebody who pressed TAB: the answer is then that there is none.
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

/// How a command line of these words could go on; the first is the name of the program.
fn complete(words: &[&str]) -> Answer {
    match words {
        [program, rest @ .., last] => programs::complete(program, rest, last),
        _ => Answer::error(),
    }
}

#[cfg(test)]
mod tests;
