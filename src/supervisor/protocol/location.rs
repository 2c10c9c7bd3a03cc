//! The provider's news about an instance, as a JSON line from `soong-tunnel locate` to a supervisor.

use serde::{Deserialize, Serialize};

use crate::config::instance::Instance;

/// News about an instance's location.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Relocation {
    /// The instance is gone for good.
    Gone {
        /// Reason.
        reason: String,
        /// Hints.
        hints: Vec<String>,
    },
    /// The instance exists, with this address.
    There {
        /// The instance.
        instance: Box<Instance>,
    },
}

impl Relocation {
    /// Returns true if this differs from the instance as `known`.
    pub fn is_new(&self, known: &Instance) -> bool {
        match self {
            Self::Gone { .. } => true,
            Self::There { instance } => {
                (&instance.host, &instance.user, instance.port) != (&known.host, &known.user, known.port)
            }
        }
    }
}
