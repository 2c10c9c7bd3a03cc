//! The provider's answer about an instance, as a line of JSON from `soong-tunnel whereabouts` to a supervisor.

use serde::{Deserialize, Serialize};

use crate::config::instance::Instance;

/// Relocation of an instance, from one process to the other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Relocation {
    /// It is not there any more, and will not be again.
    Gone {
        /// What became of it.
        reason: String,
        /// What to do about it.
        hints: Vec<String>,
    },
    /// It is there, and this is how it is reached now.
    There {
        /// The instance.
        instance: Box<Instance>,
    },
}

impl Relocation {
    /// Whether it changes anything for somebody who knows the instance as `known`.
    pub fn is_new(&self, known: &Instance) -> bool {
        match self {
            Self::Gone { .. } => true,
            Self::There { instance } => {
                (&instance.host, &instance.user, instance.port) != (&known.host, &known.user, known.port)
            }
        }
    }
}
