//! The instance that stands on a command line where ssh has its host: `[USER@]INSTANCE`, by id, name or
//! host. Only what is known without asking a provider counts: every word that is none is a mistake,
//! and has to be told at once.

use std::ffi::OsStr;

use crate::config::Config;
use crate::config::address::is_user;
use crate::instances::inventory::{Inventory, Machine};
use crate::system::paths::Paths;

/// An instance and, where one was named, the account on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Destination {
    /// The account.
    pub user: Option<String>,
    /// The id of the instance.
    pub id: String,
}

impl Destination {
    /// The instance that `word` names; `None` where it names none, or not one alone.
    pub fn find(word: &OsStr, config: &Config, paths: &Paths) -> Option<Self> {
        among(&Inventory::cached(config, paths).machines, word.to_str()?)
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
    Some(Destination { user, id: machine.id.clone() })
}
