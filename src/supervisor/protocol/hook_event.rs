//! Events for the user's hooks, as JSON lines from a supervisor to `soong-tunnel hooks`.

use serde::{Deserialize, Serialize};

/// Kind of event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Occasion {
    /// The tunnel is up, for the first time or again.
    Up,
    /// The link was lost, or the tunnel was stopped.
    Down,
    /// Nothing used an on-demand tunnel, and its ssh has ended.
    Idle,
    /// The tunnel failed.
    Failed,
    /// The lease of the instance ends soon.
    LeaseEnding,
    /// The instance is gone, says its provider.
    Gone,
}

impl Occasion {
    /// Returns the name of the hook.
    pub fn word(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Down => "down",
            Self::Idle => "idle",
            Self::Failed => "failed",
            Self::LeaseEnding => "lease-ending",
            Self::Gone => "gone",
        }
    }

    /// Returns true for a state of the tunnel, which a later state makes out of date.
    pub fn is_state(self) -> bool {
        matches!(self, Self::Up | Self::Down | Self::Idle | Self::Failed)
    }
}

/// An event with all data for its hook.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Kind of event.
    pub occasion: Occasion,
    /// Environment variables of the hook.
    pub variables: Vec<(String, String)>,
}
