//! Events that the user's hooks are run for, as lines of JSON from a supervisor to `soong-tunnel hooks`.

use serde::{Deserialize, Serialize};

/// What has happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Occasion {
    /// Requests go through, for the first time or again.
    Up,
    /// The link was lost, or the tunnel was stopped.
    Down,
    /// The tunnel could not be had or kept.
    Failed,
}

impl Occasion {
    /// The name of the hook.
    pub fn word(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Down => "down",
            Self::Failed => "failed",
        }
    }
}

/// An event, with everything that its hook is to know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// What has happened.
    pub occasion: Occasion,
    /// The variables of the hook's environment.
    pub variables: Vec<(String, String)>,
}
