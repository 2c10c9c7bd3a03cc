//! What a supervisor tells the world about its tunnel: `state.toml`.
//!
//! The file says what the tunnel was doing when it last changed its mind. Whether it still runs is
//! not for this file to say, but for the lock beside it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::config::forwarding;
use crate::config::instance::Instance;
use crate::error::{Error, Result};
use crate::runtime::directory::Directory;
use crate::runtime::extra::{self, Extra};
use crate::system::paths;
use crate::system::time::now;
use crate::toml_text;

/// The longest wait between two attempts to connect.
pub const RETRY_MAX: Duration = Duration::from_secs(15);

/// What the daemon says of its instance.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// When the lease ends, in seconds since the epoch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lease_end: Option<u64>,
    /// How busy the GPU is, in percent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gpu_load: Option<u8>,
    /// The model that is served. Any text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
}

/// The longest state file that is read, in bytes.
pub(super) const STATE_MAX: u64 = 1 << 20;

/// The state of one tunnel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// What the tunnel is doing.
    pub phase: Phase,
    /// The process that supervises it.
    pub pid: u32,
    /// When this phase began, in seconds since the epoch.
    pub since: u64,
    /// How many attempts to connect have failed since the link was last up.
    pub attempt: u32,
    /// When the next attempt begins, in seconds since the epoch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_retry: Option<u64>,
    /// Why the link was lost or could not be had.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
    /// What the user can do about it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hints: Vec<String>,
    /// The instance as the user knows it.
    pub instance: Target,
    /// What its status daemon last said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub daemon: Option<Facts>,
    /// What is forwarded of the instance's services.
    pub forwards: Vec<Forward>,
    /// What else is forwarded; kept in a file of its own, see [`extra`].
    #[serde(skip)]
    pub extra: Vec<Extra>,
}

/// A local port that leads to a service on the instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Forward {
    /// The name of the service.
    pub service: String,
    /// The port on this machine.
    pub local: u16,
    /// The port on the instance.
    pub remote: u16,
}

impl Forward {
    /// The service, as seen from the instance.
    pub fn target(&self) -> forwarding::Target {
        forwarding::Target::Port("localhost".to_owned(), self.remote)
    }
}

/// What a tunnel can be doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// The first connection is being made.
    Starting,
    /// The link is up.
    Up,
    /// The link was lost; the ports are held and a new connection is being made.
    Reconnecting,
    /// The tunnel gave up; its supervisor is gone.
    Failed,
}

/// The instance at the far end of a tunnel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// Its name.
    pub name: String,
    /// Its id.
    pub id: String,
    /// Its address.
    pub host: String,
}

impl From<&Instance> for Target {
    fn from(instance: &Instance) -> Self {
        Self { name: instance.name.clone(), id: instance.id.clone(), host: instance.host.clone() }
    }
}

impl State {
    /// The state of a tunnel to `instance` that has just been asked for, supervised by this process.
    pub fn starting(instance: &Instance, forwards: &[Forward]) -> Self {
        Self {
            phase: Phase::Starting,
            pid: std::process::id(),
            since: now(),
            attempt: 0,
            next_retry: None,
            last_error: None,
            hints: Vec::new(),
            instance: Target::from(instance),
            daemon: None,
            forwards: forwards.to_vec(),
            extra: Vec::new(),
        }
    }

    /// Writes the state into `directory`.
    pub fn write(&self, directory: &Directory) -> Result<()> {
        let text = toml::to_string(self)
            .map_err(|error| Error::failed(format!("cannot write the state: {error}")))?;
        paths::write_atomically(&directory.state_file(), &text)
    }

    /// The state that was last written into `directory`; `None` where there is none that can be
    /// understood.
    pub fn read(directory: &Directory) -> Option<Self> {
        let mut state: Self =
            toml_text::parse(&paths::read_own(&directory.state_file(), STATE_MAX).ok()?).ok()?;
        state.extra = extra::read(directory);
        Some(state)
    }

    /// Whether the tunnel listens on the local port `port`.
    pub fn has_port(&self, port: u16) -> bool {
        self.forwards.iter().any(|forward| forward.local == port)
            || self.extra.iter().any(|extra| extra.forwarding.local_port() == Some(port))
    }
}
