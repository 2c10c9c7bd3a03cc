//! The instance of a command, and the ways to it.

use super::arguments::Target;
use super::remote::Remote;
use crate::config::Config;
use crate::config::instance::Instance;
use crate::daemon::client;
use crate::error::Result;
use crate::instances::inventory::{self, Selector};
use crate::system::paths::Paths;
use crate::terminal::printable;

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
        let selector = Selector { wanted: target.name.as_deref(), ..Selector::default() };
        let instance = inventory::choose(&selector, &config, &paths)?;
        Ok(Self { instance, config, paths })
    }

    /// Sends a request to the daemon.
    pub fn send(&self, request: &[u8]) -> Result<Vec<u8>> {
        client::send(&self.instance, &self.config, &self.paths, request)
    }

    /// Returns the instance as root.
    pub fn root(&self, root: &str) -> Result<Remote<'_>> {
        let remote = Remote::new(&self.instance);
        let uid = remote.run("printf 'uid=%s\\n' \"$(id -u)\"", &[], b"")?;
        Ok(remote.elevated(uid.get("uid") == "0" || !root.is_empty()))
    }
}

/// Quotes `name` as a word for a shell.
pub(super) fn quoted(name: &str) -> String {
    printable(&shell_words::quote(name)).into_owned()
}
