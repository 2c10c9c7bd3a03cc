//! Error of a start whose tunnel runs already: what is up, and the command that replaces it.

use super::protocol::request::Request;
use crate::config::instance;
use crate::error::Error;
use crate::runtime::directory::Directory;
use crate::runtime::forward::Forward;
use crate::runtime::prompt::phase_word;
use crate::runtime::state::State;
use crate::system::time::{lasting, now};
use crate::terminal::printable;

/// Returns the error of a start of `request`, whose tunnel runs in `directory`.
pub(super) fn error(directory: &Directory, request: &Request) -> Error {
    // A tunnel that is starting may not have written its state yet.
    let hints = State::read(directory).map(|state| hints(&state, request, now()));
    Error::AlreadyRunning { hints: hints.unwrap_or_default() }
}

fn hints(state: &State, request: &Request, now: u64) -> Vec<String> {
    let (name, phase) = (&state.instance.name, phase_word(Some(state.phase)));
    let age = lasting(now.saturating_sub(state.since));
    let ports: Vec<String> = state.forwards.iter().map(Forward::short).collect();
    let up = format!("{name} is {phase}{age} (PID {}): {}", state.pid, ports.join(" "));
    let flags: String = changes(state, request).iter().map(|flag| format!(" {flag}")).collect();
    let restart = format!("soong tunnel restart {}{flags}", instance::as_argument(name));
    let what = if flags.is_empty() { "restart it" } else { "restart it with these ports" };
    vec![printable(&up).into_owned(), format!("{what}: {}", printable(&restart))]
}

/// Returns the options of `request` for what the running tunnel lacks of the command line.
fn changes(state: &State, request: &Request) -> Vec<String> {
    let lacks = |forward: &&Forward| !state.forwards.iter().any(|running| running.spec == forward.spec);
    request
        .forwards
        .iter()
        .filter(|forward| request.is_chosen(forward))
        .filter(lacks)
        .map(Forward::option)
        .collect()
}
