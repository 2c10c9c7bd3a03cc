//! Words and lines about the phase of a running tunnel.

use crate::runtime::state::{Phase, RETRY_MAX, State};
use crate::system::time::{now, span};
use crate::terminal::printable;

/// Returns the word for the state of a tunnel whose supervisor responds.
pub fn doing(phase: Phase) -> &'static str {
    match phase {
        Phase::Idle => "idle",
        Phase::Up => "running",
        Phase::Starting => "starting",
        Phase::Reconnecting => "reconnecting",
        Phase::Failed => "stopping",
    }
}

/// Returns the line about the next attempt of a tunnel that reconnects, or about a link in doubt; empty otherwise.
pub fn next_attempt(state: &State) -> String {
    let (Phase::Reconnecting, Some(error)) = (state.phase, &state.last_error) else { return String::new() };
    let Some(next_retry) = state.next_retry else { return format!("  {}\n", printable(error)) };
    // Setting the clock back makes it look far away.
    let wait = next_retry.saturating_sub(now()).min(RETRY_MAX.as_secs());
    format!("  attempt {}, next in {wait} s: {}\n", state.attempt, printable(error))
}

/// Returns what an on-demand tunnel waits for, and why its last attempt failed; empty for others.
pub fn on_demand(state: &State) -> String {
    let Some(idle) = state.on_demand else { return String::new() };
    let mut text = match state.phase {
        Phase::Idle => "  on demand: ssh starts with the next connection\n".to_owned(),
        _ => format!("  on demand: ssh ends {} after the last connection\n", span(idle)),
    };
    if let (Phase::Idle, Some(error)) = (state.phase, &state.last_error) {
        text.push_str(&format!("  last attempt failed: {}\n", printable(error)));
    }
    text
}
