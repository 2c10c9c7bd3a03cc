//! A `config.toml` as a value: tests change what they are about and leave the quoting to the toml crate.

use std::path::Path;

use nix::unistd::{User, geteuid};
use toml::{Table, Value};

use super::instance::Instance;
use super::ports;

/// A configuration to be written into a sandbox.
pub struct Config {
    table: Table,
    /// Local ports of sglang, n8n and status, in that order.
    pub local: [u16; 3],
}

impl Config {
    /// No instance yet; the three default services on free local ports.
    pub fn new() -> Self {
        let local = [ports::free(), ports::free(), ports::free()];
        let mut config = Self { table: Table::new(), local };
        // The developer's own ssh_config, which ssh finds without HOME, is not what is tested.
        config.set(["ssh", "options"], "-F none");
        for (name, port) in ["sglang", "n8n", "status"].into_iter().zip(local) {
            config.set(["services", name], forward(port, port));
        }
        config
    }

    /// The three services of `instance`, which is called `dev`, has the id `a1b2c3d4`, and is reached at 127.0.0.1.
    pub fn with(instance: &Instance) -> Self {
        let mut config = Self::new();
        for (service, local) in instance.services.iter().zip(config.local) {
            config.set(["services", service.name], forward(service.port, local));
        }
        config.set(["ssh", "key"], path(&instance.sshd.key()));
        config.instance("dev", "127.0.0.1", instance.sshd.port);
        config.set(["instances", "dev", "id"], "a1b2c3d4");
        config
    }

    /// Adds an instance that is reached at `host` and `port` as the current user.
    pub fn instance(&mut self, name: &str, host: &str, port: u16) -> &mut Self {
        self.set(["instances", name, "host"], host);
        self.set(["instances", name, "port"], i64::from(port));
        self.set(["instances", name, "user"], user())
    }

    /// Adds `instance` as one more, called `name`.
    pub fn another(&mut self, name: &str, instance: &Instance) -> &mut Self {
        self.instance(name, "127.0.0.1", instance.sshd.port);
        self.set(["instances", name, "key"], path(&instance.sshd.key()))
    }

    /// Sets the value at `keys`, making the tables on the way.
    pub fn set<const N: usize>(&mut self, keys: [&str; N], value: impl Into<Value>) -> &mut Self {
        let (last, tables) = keys.split_last().unwrap();
        let mut table = &mut self.table;
        for key in tables {
            let entry = table.entry(*key).or_insert_with(|| Table::new().into());
            table = entry.as_table_mut().unwrap();
        }
        table.insert((*last).to_owned(), value.into());
        self
    }

    /// Takes the value at `table.key` away; `table` may be several names with dots between them.
    pub fn remove(&mut self, table: &str, key: &str) -> &mut Self {
        let mut names = table.split('.');
        let outermost = &mut self.table[names.next().unwrap()];
        names.fold(outermost, |table, name| &mut table[name]).as_table_mut().unwrap().remove(key);
        self
    }

    /// The text of the file.
    pub fn text(&self) -> String {
        toml::to_string(&self.table).unwrap()
    }
}

/// `{ remote = …, local = … }`
pub fn forward(remote: u16, local: u16) -> Value {
    let mut table = Table::new();
    table.insert("remote".to_owned(), i64::from(remote).into());
    table.insert("local".to_owned(), i64::from(local).into());
    table.into()
}

/// A path as a value.
pub fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Name of the user who runs the tests, whom `sshd` lets in.
pub fn user() -> String {
    User::from_uid(geteuid()).unwrap().unwrap().name
}
