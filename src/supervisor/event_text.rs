//! Texts about a tunnel's events, for its log and its hooks.

use std::time::{Duration, UNIX_EPOCH};

use crate::runtime::state::{Phase, State};

/// Returns seconds since the epoch as RFC 3339 writes them.
pub(super) fn moment(seconds: u64) -> String {
    let time = UNIX_EPOCH.checked_add(Duration::from_secs(seconds)).unwrap_or(UNIX_EPOCH);
    humantime::format_rfc3339_seconds(time).to_string()
}

/// Returns the line of the log about a new phase.
pub(super) fn describe(state: &State) -> String {
    match state.phase {
        Phase::Idle => match (&state.last_error, &state.blocked) {
            (Some(reason), Some(_)) => format!("failed: {reason}; idle until the next connection"),
            (Some(reason), None) => format!("link lost: {reason}; idle until the next connection"),
            (None, _) => "idle until the next connection".to_owned(),
        },
        Phase::Starting => "starting".to_owned(),
        Phase::Up => format!("up: {}", state.instance.host),
        Phase::Reconnecting | Phase::Failed => {
            let phase = if state.phase == Phase::Failed { "failed" } else { "link lost" };
            format!("{phase}: {}", state.last_error.as_deref().unwrap_or("no reason given"))
        }
    }
}
