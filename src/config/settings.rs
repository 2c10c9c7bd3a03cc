//! Settings of `config.toml` as the programs use them, defaults filled in.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::forwarding::Forwarding;
use super::instance::Instance;

/// Everything `config.toml` says, defaults filled in.
#[derive(Debug, Clone)]
pub struct Config {
    /// How to reach instances.
    pub ssh: Ssh,
    /// How long a new connection waits for a link that was lost.
    pub hold: Duration,
    /// Whether to refuse connections of other local users; `None` for those to a SOCKS proxy only.
    pub only_me: Option<bool>,
    /// What to forward: the three defaults first, then others by name.
    pub services: Vec<Service>,
    /// The instances written into the file, by name.
    pub instances: Vec<Instance>,
    /// What to forward besides the services, by instance.
    pub forwards: Vec<InstanceForwards>,
    /// The providers that are switched on, by name.
    pub providers: Vec<String>,
    /// How to reach Lambda Cloud.
    pub lambda: Lambda,
    /// What commands of the user's making stand for, by name.
    pub aliases: BTreeMap<String, String>,
    /// Aliases that count for nothing: commands of soong's own have their names and go first. The
    /// user cannot have known that when the command came with a later version.
    pub hidden_aliases: Vec<String>,
    /// The longest an extension may take to say how a command line goes on.
    pub completion_timeout: Duration,
    /// What to do about an unknown command.
    pub autocorrect: Autocorrect,
}

/// What to do about an unknown command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Autocorrect {
    /// Say which ones may have been meant.
    #[default]
    Show,
    /// Ask whether to run the likeliest one.
    Prompt,
    /// Neither.
    Never,
}

/// What the tunnel to one instance forwards besides the services.
#[derive(Debug, Clone)]
pub struct InstanceForwards {
    /// The name of its table.
    pub name: String,
    pub(super) id: Option<String>,
    /// What is forwarded.
    pub forwardings: Vec<Forwarding>,
}

/// The `[lambda]` table.
#[derive(Debug, Clone, Default)]
pub struct Lambda {
    /// The address of its API, when not the public one.
    pub base_url: Option<String>,
    /// The program that prints the API key and its arguments; empty for none.
    pub api_key_command: Vec<String>,
}

/// The `[ssh]` table.
#[derive(Debug, Clone)]
pub struct Ssh {
    /// The account on instances that name none.
    pub user: String,
    /// The port of instances that name none; ssh's own choice where none is given here either.
    pub port: Option<u16>,
    /// The key to log in with, as configured; `None` when nothing was configured.
    pub key: Option<PathBuf>,
    /// How host keys are checked.
    pub host_key_check: HostKeyCheck,
    /// Seconds between two questions to a silent server; 0 asks none.
    pub keepalive: u32,
    /// The longest a tunnel may take to come up.
    pub connect_timeout: Duration,
    /// Further arguments for ssh, already split into words.
    pub options: Vec<String>,
}

/// Policies for the host keys of instances.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HostKeyCheck {
    /// The first key of an instance is remembered under its id; any other is refused.
    #[default]
    Pin,
    /// Only keys that the user's own known-hosts files hold are accepted.
    Strict,
    /// No key is checked or remembered.
    Off,
}

/// A service on an instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    /// Its name, made of `[a-z0-9-]`.
    pub name: String,
    /// Its port on the instance.
    pub remote: u16,
    /// Its port on this machine.
    pub local: u16,
    /// Whether the config names that port, instead of leaving it to be that of the instance.
    pub is_local_set: bool,
}

/// The services that every tunnel forwards unless the config says otherwise.
pub const DEFAULT_SERVICES: [(&str, u16); 3] = [("sglang", 8000), ("n8n", 5678), ("status", 8080)];

/// How long an extension may take to answer when TAB is pressed, by default.
pub const DEFAULT_COMPLETION_TIMEOUT: Duration = Duration::from_secs(1);

impl Config {
    /// What the tunnel to `instance` forwards besides the services. A table without a host means the
    /// instance of that name or id, whoever lists it.
    pub fn forwardings(&self, instance: &Instance) -> Vec<Forwarding> {
        let mine = self.forwards.iter().filter(|forwards| match &forwards.id {
            Some(id) => *id == instance.id,
            None => forwards.name == instance.name || forwards.name == instance.id,
        });
        mine.flat_map(|forwards| forwards.forwardings.iter().cloned()).collect()
    }
}
