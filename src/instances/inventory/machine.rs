//! One machine of the inventory: what is known of it, and how ssh can reach it.

use std::collections::HashMap;
use std::path::PathBuf;

use crate::config::Ssh;
use crate::config::instance::Instance;
use crate::instances::provider::answer::{Listed, Status};

/// An instance with everything that is known of it. Texts are as the config or the provider has
/// them: show them through [`printable`](crate::terminal::printable).
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub struct Machine {
    /// What the user calls it; its id where it has no name.
    pub name: String,
    /// What tells it from every other instance.
    pub id: String,
    /// What it is doing; unknown for those that only the config tells of.
    pub status: Status,
    /// Its address, if it has one.
    pub host: Option<String>,
    /// The account on it.
    pub user: String,
    /// Whether nobody named that account: it is the usual one.
    user_is_default: bool,
    /// The port of its SSH server; ssh's own choice where none is given.
    pub port: Option<u16>,
    /// The private key to log in with, where one was named for it.
    pub key: Option<PathBuf>,
    /// What kind of machine it is.
    pub kind: Option<String>,
    /// Where it is.
    pub region: Option<String>,
    /// What it costs, in hundredths of the provider's currency.
    pub price_cents_per_hour: Option<u64>,
    /// The provider that lists it; `None` for those that only the config tells of.
    pub provider: Option<String>,
    /// Why it cannot be reached although it has an address.
    pub fault: Option<&'static str>,
    /// Whether this is the last known instead of what its provider says now.
    pub stale: bool,
    /// Whether the config describes it.
    written: bool,
    /// Whether another machine has the same name.
    has_namesake: bool,
}

impl Machine {
    /// The machine that the config calls `instance`.
    pub(super) fn written(instance: &Instance) -> Self {
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
            written: true,
            has_namesake: false,
        }
    }

    /// The machine that `provider` calls `listed`; `ssh` says what the provider does not.
    pub(super) fn listed(listed: Listed, provider: &str, stale: bool, ssh: &Ssh) -> Self {
        let fault = listed.fault();
        Self {
            name: listed.name.unwrap_or_else(|| listed.id.clone()),
            id: listed.id,
            status: listed.status,
            host: listed.host,
            user: listed.user.unwrap_or_else(|| ssh.user.clone()),
            // A provider lists machines whose usual account that is.
            user_is_default: false,
            port: listed.port.or(ssh.port),
            key: None,
            kind: listed.kind,
            region: listed.region,
            price_cents_per_hour: listed.price_cents_per_hour,
            provider: Some(provider.to_owned()),
            fault,
            stale,
            written: false,
            has_namesake: false,
        }
    }

    /// Takes over what a provider knows of this machine and the config does not say.
    pub(super) fn learn(&mut self, listed: Self) {
        self.status = listed.status;
        self.kind = listed.kind;
        self.region = listed.region;
        self.price_cents_per_hour = listed.price_cents_per_hour;
        self.provider = listed.provider;
        self.stale = listed.stale;
    }

    /// This machine as its provider lists it now.
    pub(super) fn renewed(&self, listed: Listed, ssh: &Ssh) -> Self {
        let provider = self.provider.as_deref().unwrap_or_default();
        let now = Self::listed(listed, provider, false, ssh);
        if self.written {
            let mut machine = self.clone();
            machine.learn(now);
            return machine;
        }
        Self { has_namesake: self.has_namesake, ..now }
    }

    /// Whether the config describes it.
    pub fn is_written(&self) -> bool {
        self.written
    }

    /// The instance for ssh, if it has an address that ssh can be given.
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

    /// A name that no other machine has: tunnels are told apart by it.
    pub fn unique_name(&self) -> String {
        const SHOWN: usize = 8;
        if self.has_namesake && !self.written {
            let start: String = self.id.chars().take(SHOWN).collect();
            format!("{}-{start}", self.name)
        } else {
            self.name.clone()
        }
    }
}

/// Marks the machines that share their name with another.
pub(super) fn tell_namesakes_apart(machines: &mut [Machine]) {
    let mut counts: HashMap<String, usize> = HashMap::new();
    for machine in machines.iter() {
        *counts.entry(machine.name.clone()).or_default() += 1;
    }
    for machine in machines {
        machine.has_namesake = counts.get(&machine.name).is_some_and(|count| *count > 1);
    }
}

/// The machine `a1` that a provider lists, for tests.
#[cfg(test)]
pub(super) fn sample(status: Status, host: Option<&str>) -> Machine {
    let paths = crate::system::paths::Paths::from_env().unwrap();
    let config = crate::config::Config::parse("", std::path::Path::new("x"), &paths).unwrap();
    let listed = Listed { id: "a1".into(), status, host: host.map(str::to_owned), ..Listed::default() };
    Machine::listed(listed, "x", false, &config.ssh)
}
