//! Settings of `config.toml` with defaults filled in.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::forwarding::ForwardSpec;
use super::instance::Instance;
use super::on_demand::OnDemand;

/// All settings.
#[derive(Debug, Clone)]
pub struct Config {
    /// `[ssh]`.
    pub ssh: Ssh,
    /// Time that a new connection waits while the link is lost.
    pub hold: Duration,
    /// True to refuse other local users' connections; `None` for SOCKS proxies only.
    pub only_me: Option<bool>,
    /// Services: the three defaults, then others by name.
    pub services: Vec<Service>,
    /// Instances of the file, by name.
    pub instances: Vec<Instance>,
    /// On-demand mode of tunnels; `None` if not set.
    pub on_demand: Option<OnDemand>,
    /// Settings of each instance's tunnel.
    pub tunnels: Vec<InstanceTunnel>,
    /// Enabled providers, by name.
    pub providers: Vec<String>,
    /// `[lambda]`.
    pub lambda: Lambda,
    /// `[runpod]`.
    pub runpod: Runpod,
    /// `[launch]`.
    pub launch: Launch,
    /// Aliases, by name.
    pub aliases: BTreeMap<String, String>,
    /// Aliases that have the name of a built-in command and are ignored. The command may be newer than the
    /// alias.
    pub hidden_aliases: Vec<String>,
    /// Longest time for an extension to answer TAB.
    pub completion_timeout: Duration,
    /// Reaction to an unknown command.
    pub autocorrect: Autocorrect,
}

/// Reaction to an unknown command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Autocorrect {
    /// Show similar ones.
    #[default]
    Show,
    /// Ask whether to run the most similar one.
    Prompt,
    /// Neither.
    Never,
}

/// Settings of one instance's tunnel.
#[derive(Debug, Clone)]
pub struct InstanceTunnel {
    /// Name of its table.
    pub name: String,
    pub(super) id: Option<String>,
    /// Forwards besides the services.
    pub forwardings: Vec<ForwardSpec>,
    /// On-demand mode; `None` if not set.
    pub(super) on_demand: Option<OnDemand>,
}

/// The `[lambda]` table.
#[derive(Debug, Clone, Default)]
pub struct Lambda {
    /// Address of the API; `None` for the public one.
    pub base_url: Option<String>,
    /// Command that prints the API key; empty for none.
    pub api_key_command: Vec<String>,
}

/// The `[runpod]` table.
#[derive(Debug, Clone, Default)]
pub struct Runpod {
    /// Address of the API; `None` for the public one.
    pub base_url: Option<String>,
    /// Address of the catalog of GPUs; `None` for the public one.
    pub catalog_url: Option<String>,
    /// Command that prints the API key; empty for none.
    pub api_key_command: Vec<String>,
    /// Container image of new pods.
    pub image: Option<String>,
}

/// The `[launch]` table.
#[derive(Debug, Clone, Default)]
pub struct Launch {
    /// Provider to rent from.
    pub provider: Option<String>,
    /// GPUs to rent, the preferred one first; empty for any.
    pub gpu: Vec<String>,
    /// Patterns of regions, the preferred one first; empty for any.
    pub regions: Vec<String>,
    /// Highest price per hour, in cents.
    pub max_price: Option<u64>,
    /// Time for which an instance is rented.
    pub time: Option<Duration>,
    /// Name of the SSH key at the provider.
    pub ssh_key: Option<String>,
    /// File systems to attach.
    pub filesystems: Vec<String>,
    /// Cloud-init file.
    pub recipe: Option<PathBuf>,
    /// True to install the status daemon.
    pub guard: bool,
    /// Budget per month, in cents.
    pub budget: Option<u64>,
}

/// The `[ssh]` table.
#[derive(Debug, Clone)]
pub struct Ssh {
    /// Default user name.
    pub user: String,
    /// Default port; `None` leaves it to ssh.
    pub port: Option<u16>,
    /// Private key; `None` if not set.
    pub key: Option<PathBuf>,
    /// Host key policy.
    pub host_key_check: HostKeyCheck,
    /// Seconds between keepalives; 0 sends none.
    pub keepalive: u32,
    /// Longest time for a tunnel to come up.
    pub connect_timeout: Duration,
    /// More arguments for ssh, split into words.
    pub options: Vec<String>,
}

/// Host key policies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HostKeyCheck {
    /// Pins the first key of an instance to its id and refuses others.
    #[default]
    Pin,
    /// Accepts only keys of the user's known-hosts files.
    Strict,
    /// Accepts any key.
    Off,
}

/// A service on an instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    /// Name, of `[a-z0-9-]`.
    pub name: String,
    /// Port on the instance.
    pub remote: u16,
    /// Port on this machine.
    pub local: u16,
    /// True if the config sets the local port.
    pub is_local_set: bool,
}

/// Services that every tunnel forwards by default.
pub const DEFAULT_SERVICES: [(&str, u16); 3] = [("sglang", 8000), ("n8n", 5678), ("status", 8080)];

/// Default time for an extension to answer TAB.
pub const DEFAULT_COMPLETION_TIMEOUT: Duration = Duration::from_secs(1);

impl Config {
    /// Returns true if the user wrote a table for the instance `id`, called `name`: by its id, or by its name in
    /// a table without id.
    pub fn names(&self, id: &str, name: &str) -> bool {
        self.instances.iter().any(|known| known.id == id)
            || self.tunnels.iter().any(|table| match &table.id {
                Some(known) => known == id,
                None => table.name == name || table.name == id,
            })
    }

    /// Returns the forwards of `instance` besides the services. A table without a host applies to any
    /// instance of that name or id.
    pub fn forwardings(&self, instance: &Instance) -> Vec<ForwardSpec> {
        self.tunnels_of(instance).flat_map(|tunnel| tunnel.forwardings.iter().cloned()).collect()
    }

    /// Returns whether the tunnel to `instance` starts ssh on demand; its own table takes precedence.
    pub fn on_demand(&self, instance: &Instance) -> Option<OnDemand> {
        self.tunnels_of(instance).find_map(|tunnel| tunnel.on_demand).or(self.on_demand)
    }

    fn tunnels_of(&self, instance: &Instance) -> impl Iterator<Item = &InstanceTunnel> {
        self.tunnels.iter().filter(|tunnel| match &tunnel.id {
            Some(id) => *id == instance.id,
            None => tunnel.name == instance.name || tunnel.name == instance.id,
        })
    }
}
