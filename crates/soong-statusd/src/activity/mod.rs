//! Use of the machine: GPUs, logins, and requests to model servers. A failed look says so; it
//! never counts as disuse.

pub mod gpu;
pub mod metrics;
pub mod models;
pub mod sessions;

use self::gpu::Gpu;

/// Use of the machine according to one source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Load {
    /// In use: by what.
    Busy(String),
    /// Not in use.
    Quiet,
    /// Not known: why.
    Unknown(String),
}

impl Load {
    /// A word for `/status`.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Busy(_) => "busy",
            Self::Quiet => "quiet",
            Self::Unknown(_) => "unknown",
        }
    }

    /// By what it is used, or why that is unknown.
    pub fn detail(&self) -> Option<&str> {
        match self {
            Self::Busy(text) | Self::Unknown(text) => Some(text),
            Self::Quiet => None,
        }
    }
}

/// Use of the machine according to all sources.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observation {
    /// GPU load.
    pub gpu: Load,
    /// Interactive logins.
    pub sessions: Load,
    /// Requests to model servers.
    pub models: Load,
}

impl Default for Observation {
    /// Before the first look, nothing is known.
    fn default() -> Self {
        let unknown = || Load::Unknown("not looked at yet".into());
        Self { gpu: unknown(), sessions: unknown(), models: unknown() }
    }
}

/// An observation with the details that `/status` shows.
#[derive(Debug, Clone, Default)]
pub struct Look {
    /// Use of the machine.
    pub observation: Observation,
    /// The GPUs.
    pub gpus: Vec<Gpu>,
    /// The model that is served.
    pub model: Option<String>,
    /// The terminals of interactive logins, such as `pts/0`.
    pub terminals: Vec<String>,
}
