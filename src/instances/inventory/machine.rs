//! One machine of the inventory: its data, and how ssh reaches it.

use std::collections::HashMap;
use std::path::PathBuf;

use crate::config::Ssh;
use crate::config::instance::Instance;
use crate::instances::provider::answer::{Listed, Status};

/// An instance with all known data. Texts are unchecked input of config or provider: show them through
/// [`printable`](crate::terminal::printable).
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub struct Machine {
    /// The user's name for it, or its id.
    pub name: String,
    /// Unique id.
    pub id: String,
    /// Status; unknown for instances of the config.
    pub status: Status,
    /// Address, if any.
    pub host: Option<String>,
    /// User name on it.
    pub user: String,
    /// True if the user name is the default.
    user_is_default: bool,
    /// Port of its SSH server; `None` leaves it to ssh.
    pub port: Option<u16>,
    /// Private key for this instance, if set.
    pub key: Option<PathBuf>,
    /// Machine type.
    pub kind: Option<String>,
    /// Region.
    pub region: Option<String>,
    /// Price per hour, in hundredths of the provider's currency.
    pub price_cents_per_hour: Option<u64>,
    /// Provider that lists it; `None` for instances of the config only.
    pub provider: Option<String>,
    /// Reason why it cannot be reached although it has an address.
    pub fault: Option<&'static str>,
    /// True for data from the cache.
    pub stale: bool,
    /// True if the config describes it.
    configured: bool,
    /// True if another machine has the same name.
    has_namesake: bool,
}

impl Machine {
    /// Returns the machine for `instance` of the config.
    pub(super) fn configured(instance: &Instance) -> Self {
        Self {
            name: instance.name.clone(),
            id: instance.id.clone(),
            status: Status::Unknown,
            host: Some(instance.host.clone()),
            user: instance.user.clone(),
            user_is_default: instance.user_is_default,
            port: instance.port,
            key: instance.key.clone(),
            kind: None,
            region: None,
            price_cents_per_hour: None,
            provider: None,
            fault: None,
            stale: false,
            configured: true,
            has_namesake: false,
        }
    }

    /// Returns the machine for `listed` by `provider`; `ssh` supplies the defaults.
    pub fn listed(listed: Listed, provider: &str, stale: bool, ssh: &Ssh) -> Self {
        let fault = listed.fault();
        Self {
            name: listed.name.unwrap_or_else(|| listed.id.clone()),
            id: listed.id,
            status: listed.status,
            host: listed.host,
            user: listed.user.unwrap_or_else(|| ssh.user.clone()),
            // Providers list machines whose default user this is.
            user_is_default: false,
            port: listed.port.or(ssh.port),
            key: None,
            kind: listed.kind,
            region: listed.region,
            price_cents_per_hour: listed.price_cents_per_hour,
            provider: Some(provider.to_owned()),
            fault,
            stale,
            configured: false,
            has_namesake: false,
        }
    }

    /// Adds the provider's data that the config does not give.
    pub(super) fn merge(&mut self, listed: Self) {
        self.status = listed.status;
        self.kind = listed.kind;
        self.region = listed.region;
        self.price_cents_per_hour = listed.price_cents_per_hour;
        self.provider = listed.provider;
        self.stale = listed.stale;
    }

    /// Returns this machine with its provider's current data.
    pub(super) fn renewed(&self, listed: Listed, ssh: &Ssh) -> Self {
        let provider = self.provider.as_deref().unwrap_or_default();
        let now = Self::listed(listed, provider, false, ssh);
        if self.configured {
            let mut machine = self.clone();
            machine.merge(now);
            return machine;
        }
        Self { has_namesake: self.has_namesake, ..now }
    }

    /// Returns true if the config describes it.
    pub fn is_configured(&self) -> bool {
        self.configured
    }

    /// Returns the instance for ssh, if it has an address that ssh accepts.
    pub fn instance(&self) -> Option<Instance> {
        let host = self.host.clone().filter(|_| self.fault.is_none())?;
        Some(Instance {
            name: self.unique_name(),
            id: self.id.clone(),
            host,
            user: self.user.clone(),
            user_is_default: self.user_is_default,
            port: self.port,
            key: self.key.clone(),
        })
    }

    /// Returns a name that is unique among the machines; it names the tunnel.
    pub fn unique_name(&self) -> String {
        const SHOWN: usize = 8;
        if self.has_namesake && !self.configured {
            let start: String = self.id.chars().take(SHOWN).collect();
            format!("{}-{start}", self.name)
        } else {
            self.name.clone()
        }
    }
}

/// Marks machines that share a name.
pub(super) fn mark_namesakes(machines: &mut [Machine]) {
    let mut places: HashMap<&str, usize> = HashMap::with_capacity(machines.len());
    let mut have_namesake = vec![false; machines.len()];
    for (place, machine) in machines.iter().enumerate() {
        if let Some(other) = places.insert(&machine.name, place) {
            have_namesake[other] = true;
            have_namesake[place] = true;
        }
    }
    for (machine, has_namesake) in machines.iter_mut().zip(have_namesake) {
        machine.has_namesake = has_namesake;
    }
}

/// Returns a provider's machine `a1`, for tests.
#[cfg(test)]
pub(super) fn sample(status: Status, host: Option<&str>) -> Machine {
    let paths = crate::system::paths::Paths::from_env().unwrap();
    let config = crate::config::Config::parse("", std::path::Path::new("x"), &paths).unwrap();
    let listed = Listed { id: "a1".into(), status, host: host.map(str::to_owned), ..Listed::default() };
    Machine::listed(listed, "x", false, &config.ssh)
}
