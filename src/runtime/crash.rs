//! A supervisor that ended without a word, because it was killed or crashed. The next command publishes in its place
//! that the tunnel failed: in the state file, the log and the line for prompts.

use super::directory::{Directory, Lock};
use super::log::Log;
use super::prompt::{self, Entry};
use super::state::{Phase, State};
use crate::config::instance::tunnel_name;
use crate::system::paths::Paths;
use crate::system::time::now;
use crate::terminal::printable;

/// Publishes that the supervisor that wrote `state` into `directory` is gone; returns the new state. The caller holds
/// the tunnel's lock, so there is no other supervisor. An unwritable directory must not withhold the news.
pub fn publish(paths: &Paths, directory: &Directory, _lock: &Lock, state: State) -> State {
    let name = printable(&shell_words::quote(&state.instance.name)).into_owned();
    let reason = format!("its supervisor (PID {}) was killed or crashed", state.pid);
    Log::new(paths.log(&tunnel_name(&state.instance.name))).write(&format!("failed: {reason}"));
    let failed = State {
        phase: Phase::Failed,
        since: now(),
        next_retry: None,
        last_error: Some(reason),
        hints: vec![
            format!("start it again: soong tunnel start --instance-id {name}"),
            format!("see what happened before: soong tunnel logs {name}"),
        ],
        crashed: true,
        ..state
    };
    let _ = failed.write(directory);
    let _ = prompt::publish(paths, &Entry::new(&tunnel_name(&failed.instance.name), &failed));
    failed
}
