//! Liveness of supervisors: one judgement for every command that shows a tunnel.
//!
//! A supervisor that is suspended or hangs keeps its lock, the kernel goes on accepting connections
//! for it, and its state file says what it did last. So the supervisor is asked, and the file counts
//! only where it answers.

use std::thread;
use std::time::Duration;

use serde::{Serialize, Serializer};

use super::control::Supervisor;
use super::registry::Running;
use super::state::Phase;

/// How long a supervisor may take to answer: it needs a millisecond where the machine has one to spare.
const PATIENCE: Duration = Duration::from_secs(3);

/// What a running tunnel does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TunnelStatus {
    /// What its supervisor says; starting where it has said nothing yet.
    Phase(Phase),
    /// Its supervisor does not answer.
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

    /// Asks the supervisors of all of `running`, side by side.
    pub fn of_all(running: &[Running]) -> Vec<Self> {
        thread::scope(|scope| {
            let asked: Vec<_> =
                running.iter().map(|running| scope.spawn(move || Self::of(running))).collect();
            asked.into_iter().map(|thread| thread.join().unwrap_or(Self::Unresponsive)).collect()
        })
    }

    /// True unless the supervisor is suspended or hangs.
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
