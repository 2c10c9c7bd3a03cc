//! The sample provider, which pretends to rent machines and counts its calls.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::support::config::{path, user};
use crate::support::instance::Instance;
use crate::support::run::Run;
use crate::support::sandbox::Sandbox;
use crate::support::sshd::Sshd;
use crate::support::tools;

/// A user who rents from the sample provider.
pub struct Renter {
    pub sandbox: Sandbox,
    /// Port of the SSH server of every machine, and the user who logs in there.
    port: u16,
    user: String,
    settings: Vec<(&'static str, String)>,
}

impl Renter {
    /// Returns a renter whose machines have no SSH server.
    pub fn new() -> Self {
        Self::from(Sandbox::new(), 9, user())
    }

    /// Returns a renter with this home, whose machines are reached at `port` by `user`.
    pub fn from(mut sandbox: Sandbox, port: u16, user: String) -> Self {
        let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/soong-provider-static");
        fs::copy(sample, sandbox.path("bin/soong-provider-static")).unwrap();
        sandbox.configure(|config| {
            config.set(["providers", "static"], true);
        });
        Self { sandbox, port, user, settings: Vec::new() }
    }

    /// Returns a renter whose machines are reached at `sshd`.
    pub fn at(sshd: &Sshd) -> Self {
        let mut renter = Self { port: sshd.port, ..Self::new() };
        renter.sandbox.use_key(path(&sshd.key()));
        renter
    }

    /// Returns a renter whose machines are `instance`.
    pub fn of(instance: &Instance) -> Self {
        let mut renter = Self::at(&instance.sshd);
        renter.sandbox.configure(|config| {
            let locals = config.local;
            for (service, local) in instance.services.iter().zip(locals) {
                config.set(["services", service.name], crate::support::config::forward(service.port, local));
            }
        });
        renter
    }

    /// Sets `SOONG_STATIC_NAME` for the provider.
    pub fn with(mut self, name: &'static str, value: &str) -> Self {
        self.settings.push((name, value.to_owned()));
        self
    }

    /// Sets a key of `[launch]`.
    pub fn launch_key(mut self, key: &str, value: impl Into<toml::Value>) -> Self {
        self.sandbox.configure(|config| {
            config.set(["launch", key], value);
        });
        self
    }

    /// Returns `soong WORDS`, to be run against the provider.
    pub fn soong(&self, words: &[&str]) -> Run<'_> {
        self.pretend(self.sandbox.soong_with_bin(words))
    }

    /// Returns `program WORDS`, to be run against the provider.
    pub fn program(&self, program: &Path, words: &[&str]) -> Run<'_> {
        let mut path = self.sandbox.path("bin").into_os_string();
        path.push(":");
        path.push(tools::system_path());
        self.pretend(Run::new(&self.sandbox, program, words).env("PATH", path))
    }

    fn pretend<'a>(&'a self, run: Run<'a>) -> Run<'a> {
        let run = run.env("SOONG_STATIC_STATE", self.state());
        let run = run.env("SOONG_STATIC_HOST", "127.0.0.1").env("SOONG_STATIC_PORT", self.port.to_string());
        let run = run.env("SOONG_STATIC_USER", &self.user);
        self.settings.iter().fold(run, |run, (name, value)| run.env(&format!("SOONG_STATIC_{name}"), value))
    }

    /// Returns `soong launch -y --no-tunnel WORDS`.
    pub fn launch(&self, words: &[&str]) -> Run<'_> {
        self.soong(&["launch", "-y", "--no-tunnel"]).args(words)
    }

    fn state(&self) -> PathBuf {
        self.sandbox.path("rented")
    }

    /// Returns the provider's calls with `verb`.
    pub fn calls(&self, verb: &str) -> usize {
        let calls = fs::read_to_string(self.state().join("calls")).unwrap_or_default();
        calls.lines().filter(|line| line.split(' ').next() == Some(verb)).count()
    }

    /// Returns the names of all machines that were ever rented.
    pub fn rented(&self) -> Vec<String> {
        let machines = fs::read_to_string(self.state().join("rented")).unwrap_or_default();
        let name = |line: &str| line.rsplit(' ').next().unwrap().trim_matches('"').to_owned();
        let mut names: Vec<String> = machines.lines().map(name).collect();
        names.sort();
        names
    }

    /// Returns the ledger, an event and a name each.
    pub fn ledger(&self) -> Vec<String> {
        let file = self.sandbox.path("home/.local/state/soong/ledger.jsonl");
        let text = fs::read_to_string(file).unwrap_or_default();
        let entry = |line: &str| -> String {
            let entry: Value = serde_json::from_str(line).unwrap();
            format!("{} {}", entry["event"].as_str().unwrap(), entry["name"].as_str().unwrap_or("-"))
        };
        text.lines().map(entry).collect()
    }
}
