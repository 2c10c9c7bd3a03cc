//! The instance of a command, and the ways to it.

use super::arguments::Target;
use super::remote::{Answer, Remote, Rights};
use super::rights;
use crate::config::Config;
use crate::config::instance::Instance;
use crate::daemon::client;
use crate::error::Result;
use crate::instances::inventory::{self, Selector};
use crate::system::paths::Paths;

/// The script that describes the instance.
pub(super) const PROBE: &str = include_str!("probe.sh");

/// The instance and everything needed to reach it.
pub(super) struct Setting {
    pub instance: Instance,
    pub config: Config,
    pub paths: Paths,
}

impl Setting {
    pub fn load(target: &Target) -> Result<Self> {
        let paths = Paths::from_env()?;
        let config = Config::load(&paths)?;
        let instance = inventory::choose(&Selector::of(target.which.wanted()?), &config, &paths)?;
        Ok(Self { instance, config, paths })
    }

    /// Sends a request to the daemon.
    pub fn send(&self, request: &[u8]) -> Result<Vec<u8>> {
        client::send(&self.instance, &self.config, &self.paths, request)
    }

    /// Returns the instance as root; `root` replaces its root directory.
    pub fn root(&self, root: &str) -> Result<Remote<'_>> {
        let remote = Remote::new(&self.instance);
        let facts = remote.run(PROBE, &[], b"")?;
        self.root_with(remote, root, &facts)
    }

    /// Returns `remote`, which printed `facts`, as root.
    pub fn root_with<'a>(&self, remote: Remote<'a>, root: &str, facts: &Answer) -> Result<Remote<'a>> {
        // Installing below another root directory needs the account's rights only.
        let rights = if root.is_empty() { rights::of_root(&self.instance, facts)? } else { Rights::Account };
        Ok(remote.with_rights(rights))
    }
}
