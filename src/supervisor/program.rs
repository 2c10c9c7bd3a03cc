//! `soong-supervisor`: the program that is a tunnel.
//!
//! ```text
//! soong-supervisor NAME                     the request comes over standard input, a socket
//! soong-supervisor --foreground FD NAME     the launch is in the file of an inherited descriptor
//! soong-supervisor PROMPT                   a question of ssh: see `askpass`
//! ```
//!
//! NAME is for process listings only. Errors are reported as `soong-tunnel`'s, which the user typed.

use std::io;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::process::ExitCode;

use crate::command_line::fail;
use crate::error::Error;
use crate::supervisor::askpass::helper;
use crate::supervisor::lifecycle;
use crate::supervisor::protocol::event::Receiver;
use crate::supervisor::protocol::exec::{FOREGROUND, ForegroundLaunch};
use crate::supervisor::protocol::progress::Report;
use crate::supervisor::protocol::request::Request;
use crate::supervisor::protocol::spawn::NAME;
use crate::supervisor::starter::Starter;
use crate::system::paths::Paths;
use crate::terminal::{self, print};

pub(crate) const HELP: &str = "Supervise one tunnel

Usage: soong-supervisor NAME

Started by 'soong tunnel start', which passes the request on standard input; not
meant to be typed.

Options:
  -h, --help     Print help
  -V, --version  Print version

Example:
  soong tunnel start --foreground
";

/// Runs `soong-supervisor`: a tunnel to its end, or the askpass helper; returns the exit code.
pub fn main() -> ExitCode {
    if let Some(code) = helper::main() {
        return code;
    }
    let words: Vec<String> =
        std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned()).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let begun = match words.as_slice() {
        ["-h" | "--help"] => return ExitCode::from(u8::from(print(HELP).is_err())),
        ["-V" | "--version"] => {
            let version = format!("{NAME} {}\n", env!("CARGO_PKG_VERSION"));
            return ExitCode::from(u8::from(print(&version).is_err()));
        }
        [name] if !name.starts_with('-') => in_background(),
        [FOREGROUND, descriptor, _] => in_foreground(descriptor),
        _ => None,
    };
    let Some((request, starter)) = begun else { return fail(NAME, &not_asked()) };
    let is_terminal = starter.is_terminal();
    match Paths::from_env().and_then(|paths| lifecycle::run(request, &paths, &starter)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if is_terminal => fail("soong-tunnel", &error),
        // The starter has the error. Standard error is the log, possibly of a running tunnel.
        Err(error) => ExitCode::from(error.exit_code()),
    }
}

fn not_asked() -> Error {
    Error::usage("for 'soong tunnel start'; not meant to be typed")
        .with_hint("to run in the foreground: soong tunnel start --foreground")
}

/// Returns the request of a `start` at the other end of standard input.
fn in_background() -> Option<(Request, Starter)> {
    let stream = io::stdin().as_fd().try_clone_to_owned().map(UnixStream::from).ok()?;
    // Descriptor 0 stays in use, so that no other file becomes standard input.
    let ear = stream.try_clone().ok()?;
    let request: Request = Receiver::new(stream).receive().ok()??;
    let starter = Starter::process(ear, &request).ok()?;
    Some((request, starter))
}

/// Returns the launch of the `start` that this process was.
fn in_foreground(descriptor: &str) -> Option<(Request, Starter)> {
    let ForegroundLaunch { request, style, command, colour } = ForegroundLaunch::take(descriptor)?;
    terminal::set_colour(colour);
    let report = Report::new(&request, style, std::process::id(), command);
    Some((request, Starter::terminal(report)))
}
