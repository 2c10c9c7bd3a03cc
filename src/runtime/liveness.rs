//! Liveness of supervisors, judged alike by every command.
//!
//! A suspended or hanging supervisor keeps its lock, the kernel accepts connections for it, and its state
//! file is out of date. So commands ask the supervisor, and trust the file only if it answers.

use std::io::ErrorKind;
use std::time::Duration;

use serde::{Serialize, Serializer};

use super::control::Flow;
use super::registry::Running;
use super::state::Phase;
use crate::system::threads;

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
        if running.supervisor.responds(PATIENCE) { Self::as_recorded(running) } else { Self::Unresponsive }
    }

    /// Asks the supervisor of `running` for its traffic likewise; `None` if it is unknown.
    pub fn with_traffic(running: &mut Running) -> (Self, Option<Vec<Flow>>) {
        match running.supervisor.traffic(PATIENCE) {
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                (Self::Unresponsive, None)
            }
            traffic => (Self::as_recorded(running), traffic.ok()),
        }
    }

    /// Returns what the state file said when the tunnel was looked at.
    fn as_recorded(running: &Running) -> Self {
        Self::Phase(running.state.as_ref().map_or(Phase::Starting, |state| state.phase))
    }

    /// Asks all supervisors in parallel.
    pub fn of_all(running: &mut [Running]) -> Vec<Self> {
        threads::map(running.iter_mut().collect(), Self::of)
    }

    /// Returns false if the supervisor is suspended or hangs.
    pub fn responds(self) -> bool {
        self != Self::Unresponsive
    }
}

impl Serialize for TunnelStatus {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Phase(phase) => phase.serialize(serializer),
            Self::Unresponsive => serializer.serialize_str("unresponsive"),
        }
    }
}
