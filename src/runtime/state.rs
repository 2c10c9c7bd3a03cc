//! State of a tunnel, as its supervisor publishes it: `state.toml`.
//!
//! The file has the state at its last change. Only the lock beside it says whether the tunnel still runs.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::config::instance::Instance;
use crate::error::{Error, Result};
use crate::runtime::directory::Directory;
use crate::runtime::forward::{Forward, ServicePort};
use crate::system::paths;
use crate::system::time::now;
use crate::toml_text;

/// Longest pause between two attempts to connect.
pub const RETRY_MAX: Duration = Duration::from_secs(15);

/// Facts from the status daemon.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// End of the lease, in seconds since the epoch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lease_end: Option<u64>,
    /// GPU utilisation in percent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gpu_load: Option<u8>,
    /// Served model. Unchecked text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Minutes since the instance was used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idle_minutes: Option<u64>,
    /// Reason why the instance is up, or will end. Unchecked text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// Longest state file, in bytes.
pub(super) const STATE_MAX: u64 = 1 << 20;

/// State of one tunnel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// Phase.
    pub phase: Phase,
    /// PID of the supervisor.
    pub pid: u32,
    /// Start of this phase, in seconds since the epoch.
    pub since: u64,
    /// Number of failed attempts since the link was last up.
    pub attempt: u32,
    /// Start of the next attempt, in seconds since the epoch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_retry: Option<u64>,
    /// Reason of the last failure.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
    /// Fault that the user must mend before the next connection can succeed: one of [`Kind::word`]'s words.
    ///
    /// [`Kind::word`]: crate::openssh::failure::Kind::word
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blocked: Option<String>,
    /// Seconds without use after which ssh ends, of an on-demand tunnel.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_demand: Option<u64>,
    /// Hints.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hints: Vec<String>,
    /// True if the supervisor ended without a word; `since` is then the time at which a command noticed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub crashed: bool,
    /// The instance.
    pub instance: Target,
    /// Last facts from its status daemon.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub daemon: Option<Facts>,
    /// Forwards, services first.
    pub forwards: Vec<Forward>,
}

/// Phase of a tunnel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// On demand: the ports are open, and no ssh runs.
    Idle,
    /// The first attempt is in progress.
    Starting,
    /// The link is up.
    Up,
    /// The link was lost; the ports stay open, and attempts continue.
    Reconnecting,
    /// The tunnel failed; its supervisor is gone.
    Failed,
}

/// The instance of a tunnel.
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
    /// Returns the state of a new tunnel to `instance`, supervised by this process.
    pub fn starting(instance: &Instance, forwards: &[Forward]) -> Self {
        Self {
            phase: Phase::Starting,
            pid: std::process::id(),
            since: now(),
            attempt: 0,
            next_retry: None,
            last_error: None,
            blocked: None,
            on_demand: None,
            hints: Vec::new(),
            crashed: false,
            instance: Target::from(instance),
            daemon: None,
            forwards: forwards.to_vec(),
        }
    }

    /// Writes the state into `directory`.
    pub fn write(&self, directory: &Directory) -> Result<()> {
        let text = toml::to_string(self)
            .map_err(|error| Error::failed(format!("cannot write the state: {error}")))?;
        paths::write_atomically(&directory.state_file(), &text)
    }

    /// Returns the last state in `directory`; `None` if it cannot be read.
    pub fn read(directory: &Directory) -> Option<Self> {
        toml_text::parse(&paths::read_own(&directory.state_file(), STATE_MAX).ok()?).ok()
    }

    /// Returns the services.
    pub fn services(&self) -> impl Iterator<Item = ServicePort<'_>> {
        self.forwards.iter().filter_map(Forward::service)
    }

    /// Returns the service `name`.
    pub fn service(&self, name: &str) -> Option<ServicePort<'_>> {
        self.services().find(|service| service.name == name)
    }

    /// Returns the forwards that are not services'.
    pub fn others(&self) -> impl Iterator<Item = &Forward> {
        self.forwards.iter().filter(|forward| !forward.is_service())
    }

    /// Returns true if the tunnel listens on the local port `port`.
    pub fn has_port(&self, port: u16) -> bool {
        self.forwards.iter().any(|forward| forward.spec.local_port() == Some(port))
    }
}
