//! Liveness of supervisors, judged alike by every command.
//!
//! A suspended or hanging supervisor keeps its lock, the kernel accepts connections for it, and its state
//! file is out of date. So commands ask the supervisor, and trust the file only if it answers.

use std::time::Duration;

use serde::{Serialize, Serializer};

use super::control::Supervisor;
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
    /// Asks the supervisor of `running`.
    pub fn of(running: &Running) -> Self {
        if Supervisor::responds(&running.directory, PATIENCE) {
            Self::Phase(running.state.as_ref().map_or(Phase::Starting, |state| state.phase))
        } else {
            Self::Unresponsive
        }
    }

    /// Asks all supervisors in parallel.
    pub fn of_all(running: &[Running]) -> Vec<Self> {
        threads::map(running.iter().collect(), Self::of)
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
