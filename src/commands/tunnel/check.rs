//! `--check`: checks the services of a tunnel through the tunnel.
//!
//! Three faults are possible, each with its own remedy: the link is down, nothing listens on the instance, or the
//! service does not answer. The tunnel accepts connections before the instance does, so only the reply tells them
//! apart. Requests go to the tunnel's own listeners, so they meet everything that clients meet.

mod connection;
mod exchange;
mod finding;
mod service;

use std::io::{self, Read};
use std::thread::{self, Scope, ScopedJoinHandle};
use std::time::{Duration, Instant};

use self::exchange::PATIENCE;
pub use self::finding::{Condition, Finding};
use crate::error::{Error, Result};
use crate::runtime::control::{Question, Supervisor};
use crate::runtime::directory::Directory;
use crate::runtime::forward::Forward;
use crate::runtime::state::{Phase, State};
use crate::system::deadline_stream::DeadlineStream;

/// Time for the link of an idle tunnel.
const LINK_PATIENCE: Duration = Duration::from_secs(30);

/// Checks all forwards of the tunnel in `directory` in parallel. Returns one result for each, in their order.
pub fn examine(directory: &Directory, state: &State) -> Result<Vec<Finding>> {
    examine_these(directory, state, &state.forwards.iter().collect::<Vec<_>>())
}

/// Checks the service `name`.
pub fn examine_service(directory: &Directory, state: &State, name: &str) -> Result<Finding> {
    let forwards: Vec<&Forward> = state.forwards.iter().filter(|forward| forward.is_for(name)).collect();
    let mut findings = examine_these(directory, state, &forwards)?;
    findings.pop().ok_or_else(|| Error::failed("cannot ask the service"))
}

fn examine_these(directory: &Directory, state: &State, forwards: &[&Forward]) -> Result<Vec<Finding>> {
    if let Some(reason) = fault_of_tunnel(directory, state) {
        let findings = forwards.iter().map(|forward| Finding::new(forward, Condition::LinkDown));
        return Ok(findings.map(|finding| under(Some(&reason), finding)).collect());
    }
    let findings = thread::scope(|scope| {
        let mut asked = Vec::new();
        for &forward in forwards {
            asked.push(begin(scope, move || check(directory, forward))?);
        }
        let down = (!is_link_alive(directory)).then_some("the instance is silent");
        let findings = asked.into_iter().filter_map(|asked| asked.join().ok());
        Ok(findings.map(|finding| under(down, finding)).collect())
    });
    findings.map_err(|source| Error::cannot("ask the services", source))
}

/// Starts the ssh of an idle tunnel: only a link shows what its services do. Returns the state afterwards, or with the
/// reason why there is no link, and a connection that keeps the link.
pub(super) fn open_link(directory: &Directory, state: State) -> (State, Option<Supervisor>) {
    if state.on_demand.is_none() {
        return (state, None);
    }
    let supervisor = if responds(directory) { Supervisor::connect(directory).ok() } else { None };
    let opened = supervisor.map(|supervisor| supervisor.open_link(LINK_PATIENCE));
    let last_error = match opened {
        Some(Ok(Some(link))) => return (State::read(directory).unwrap_or(state), Some(link)),
        Some(Err(error)) => error.to_string(),
        Some(Ok(None)) => "the instance has not answered in time".to_owned(),
        None => "the supervisor does not respond".to_owned(),
    };
    (State { last_error: Some(last_error), ..state }, None)
}

fn check(directory: &Directory, forward: &Forward) -> Finding {
    if forward.is_service() {
        service::check(directory, forward)
    } else {
        connection::check(directory, forward)
    }
}

/// Begins a check in a thread.
fn begin<'scope>(
    scope: &'scope Scope<'scope, '_>,
    ask: impl FnOnce() -> Finding + Send + 'scope,
) -> io::Result<ScopedJoinHandle<'scope, Finding>> {
    thread::Builder::new().spawn_scoped(scope, ask)
}

/// Applies a dead link to a result: only an answer proves the link, other results mean nothing without it.
fn under(down: Option<&str>, finding: Finding) -> Finding {
    match down {
        Some(reason) if finding.http_status.is_none() => {
            let reason = Some(reason.to_owned());
            Finding { condition: Condition::LinkDown, reason, model: None, ..finding }
        }
        _ => finding,
    }
}

/// Returns the reason why the tunnel carries nothing, if its supervisor knows or shows one.
fn fault_of_tunnel(directory: &Directory, state: &State) -> Option<String> {
    let why = || state.last_error.clone().unwrap_or_default();
    match state.phase {
        Phase::Up => (!responds(directory)).then(|| "the supervisor does not respond".to_owned()),
        Phase::Starting => Some("the tunnel is starting".to_owned()),
        Phase::Reconnecting => Some(format!("reconnecting: {}", why())),
        // The check has asked an idle one for a link.
        Phase::Idle | Phase::Failed => Some(why()),
    }
}

fn responds(directory: &Directory) -> bool {
    Supervisor::connect(directory).is_ok_and(|mut supervisor| {
        supervisor.ask(Question::Presence);
        supervisor.responds(Instant::now() + PATIENCE)
    })
}

/// Returns true if the far end of the link answers, over the forward that the supervisor's own checks use.
fn is_link_alive(directory: &Directory) -> bool {
    DeadlineStream::open(&directory.probe_socket(), PATIENCE)
        .and_then(|mut probe| probe.read(&mut [0]))
        .is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_link_nothing_is_said_of_a_service() {
        let forward = Forward::of_service("n8n", 8000, 8000);
        let refused =
            Finding { reason: Some("refused".into()), ..Finding::new(&forward, Condition::NotAnswering) };
        assert_eq!(under(Some("reconnecting: x"), refused).text(), "link down: reconnecting: x");
        let answered = Finding { http_status: Some(200), ..Finding::new(&forward, Condition::Answering) };
        assert!(under(Some("x"), answered).is_well());
    }
}
