//! The instance in ssh's place for the host: `[USER@]INSTANCE`, by id, name or host. Providers are asked only about a
//! name that their last answers lack.

use std::ffi::OsStr;

use crate::config::Config;
use crate::config::address::is_user;
use crate::instances::inventory::{Inventory, Machine};
use crate::system::paths::Paths;
use crate::system::signals::Watch;

/// An instance and an optional user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Destination {
    /// User name.
    pub user: Option<String>,
    /// The instance as it was typed.
    pub name: String,
    /// Id of the instance.
    pub id: String,
}

impl Destination {
    /// Returns the instance that `word` names according to the config and cached data; `None` unless it is exactly one.
    pub fn find(word: &OsStr, config: &Config, paths: &Paths) -> Option<Self> {
        among(&Inventory::cached(config, paths).machines, word.to_str()?)
    }

    /// Like [`Destination::find`], according to what the providers say now.
    pub fn ask(word: &OsStr, config: &Config, paths: &Paths) -> Option<Self> {
        if config.providers.is_empty() {
            return None;
        }
        let watch = Watch::new().ok()?;
        among(&Inventory::fresh(config, paths, &watch, false).machines, word.to_str()?)
    }
}

fn among(machines: &[Machine], word: &str) -> Option<Destination> {
    let (user, name) = match word.rsplit_once('@') {
        Some((user, name)) if is_user(user) => (Some(user.to_owned()), name),
        _ => (None, word),
    };
    let only = |test: &dyn Fn(&Machine) -> bool| {
        let mut found = machines.iter().filter(|machine| test(machine));
        found.next().filter(|_| found.next().is_none())
    };
    let machine = only(&|machine| machine.id == name)
        .or_else(|| only(&|machine| machine.unique_name() == name))
        .or_else(|| only(&|machine| machine.host.as_deref() == Some(name)))?;
    Some(Destination { user, name: name.to_owned(), id: machine.id.clone() })
}
