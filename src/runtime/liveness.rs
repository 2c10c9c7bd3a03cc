//! Liveness of supervisors, judged alike by every command.
//!
//! A suspended or hanging supervisor keeps its lock, the kernel accepts connections for it, and its state
//! file is out of date. So commands ask the supervisor, and trust the file only if it answers.

use std::time::{Duration, Instant};

use serde::{Serialize, Serializer};

use super::control::{Flow, Question};
use super::registry::Running;
use super::state::Phase;
use crate::system::deadline_stream::is_late;

/// Time for a supervisor to answer; it needs a millisecond of processor time.
const PATIENCE: Duration = Duration::from_secs(3);

/// Condition of a running tunnel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TunnelStatus {
    /// State according to its supervisor; starting if there is none yet.
    Phase(Phase),
    /// The supervisor does not answer.
    Unresponsive,
}

impl TunnelStatus {
    /// Asks the supervisor of `running`, which ends the use of the connection to it.
    pub fn of(running: &mut Running) -> Self {
        running.supervisor.ask(Question::Presence);
        Self::answered(running, Instant::now() + PATIENCE)
    }

    /// Asks all supervisors likewise, at the same time.
    pub fn of_all(running: &mut [Running]) -> Vec<Self> {
        let deadline = ask_all(running, Question::Presence);
        running.iter_mut().map(|running| Self::answered(running, deadline)).collect()
    }

    /// Asks all supervisors for their traffic likewise; `None` if it is unknown.
    pub fn with_traffic(running: &mut [Running]) -> Vec<(Self, Option<Vec<Flow>>)> {
        let deadline = ask_all(running, Question::Traffic);
        let answered = |running: &mut Running| match running.supervisor.traffic(deadline) {
            Err(error) if is_late(&error) => (Self::Unresponsive, None),
            traffic => (Self::as_recorded(running), traffic.ok()),
        };
        running.iter_mut().map(answered).collect()
    }

    /// Waits until `deadline` for the supervisor of `running`, which was asked.
    fn answered(running: &mut Running, deadline: Instant) -> Self {
        if running.supervisor.responds(deadline) { Self::as_recorded(running) } else { Self::Unresponsive }
    }

    /// Returns what the state file said when the tunnel was looked at.
    fn as_recorded(running: &Running) -> Self {
        Self::Phase(running.state.as_ref().map_or(Phase::Starting, |state| state.phase))
    }

    /// Returns false if the supervisor is suspended or hangs.
    pub fn responds(self) -> bool {
        self != Self::Unresponsive
    }
}

/// Asks all supervisors. Returns the time until which their answers are waited for.
fn ask_all(running: &mut [Running], question: Question) -> Instant {
    for running in running {
        running.supervisor.ask(question);
    }
    Instant::now() + PATIENCE
}

impl Serialize for TunnelStatus {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Phase(phase) => phase.serialize(serializer),
            Self::Unresponsive => serializer.serialize_str("unresponsive"),
        }
    }
}
