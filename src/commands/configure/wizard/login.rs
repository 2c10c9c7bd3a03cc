//! The login test: a real login with the answers so far, which saves nothing.

use std::time::Instant;

use super::answers::{Answers, Present};
use super::source::Source;
use super::turn::{Turn, told};
use crate::commands::configure::{dialog, setup};
use crate::config::Config;
use crate::config::instance::Instance;
use crate::error::{Error, Result};
use crate::instances::inventory::Machine;
use crate::openssh::{Login, trial};
use crate::system::paths::{self, Paths};
use crate::system::signals::Watch;
use crate::system::spinner::Spinner;
use crate::terminal::{print_error, printable};

/// Logs in until it works or the user stops.
pub(super) fn test(answers: &Answers, present: &Present, paths: &Paths) -> Result<Turn> {
    let text = setup::configured(&present.text, &answers.settings(), paths)?;
    let config = Config::parse(&text, paths.config_file(), paths)?;
    let Some(instance) = instance(answers, &config) else {
        print_error("No instance to log in to yet; test the login later: soong doctor\n");
        return Ok(Turn::Silent);
    };
    let name = printable(&instance.name).into_owned();
    loop {
        let begun = Instant::now();
        match log_in(&instance, &config, paths) {
            Ok(user) => {
                let took = begun.elapsed().as_secs_f64();
                let host = printable(&instance.host);
                print_error(&format!("Logged in to {name} as {user}@{host} in {took:.1} s\n"));
                return Ok(Turn::Silent);
            }
            Err(error) => print_error(&told(&error)),
        }
        let ways = ["try again", "go back and change an answer", "go on without a login"].map(str::to_owned);
        match dialog::choice("What now?", &ways, 1)? {
            Some(0) => {}
            Some(2) => return Ok(Turn::Silent),
            _ => return Ok(Turn::Back),
        }
    }
}

/// Returns the instance to log in to.
fn instance(answers: &Answers, config: &Config) -> Option<Instance> {
    match &answers.source {
        Some(Source::Address) => {
            let name = &answers.instance.as_ref()?.name;
            config.instances.iter().find(|instance| instance.name == *name).cloned()
        }
        Some(Source::Cloud(cloud)) => listed(answers, cloud.name(), config),
        Some(Source::Other(provider)) => listed(answers, provider, config),
        Some(Source::Nothing) | None => None,
    }
}

fn listed(answers: &Answers, provider: &str, config: &Config) -> Option<Instance> {
    let machine = answers.machine()?.clone();
    if let Some(known) = config.instances.iter().find(|instance| instance.id == machine.id) {
        return Some(known.clone());
    }
    Machine::listed(machine, provider, false, &config.ssh).instance()
}

/// Logs in without questions; returns the user name.
fn log_in(instance: &Instance, config: &Config, paths: &Paths) -> Result<String> {
    let watch = Watch::new()?;
    let mut login = Login::resolve(instance, &config.ssh, paths)?;
    // A host key is pinned by a tunnel, not by a test whose answers may be dropped.
    let pins = pins(&login)?;
    login.known_hosts = pins.path().to_path_buf();
    let spinner = Spinner::new(&format!("Logging in to {}", printable(&instance.name)));
    let outcome = trial::log_in(&login, &watch);
    drop(spinner);
    if watch.interrupted() {
        print_error("\nNo changes.\n");
        return Err(Error::interrupted());
    }
    let name = printable(&instance.name);
    match outcome {
        Ok(()) => Ok(login.user().to_owned()),
        Err(refusal) => {
            let error = Error::failed(format!("cannot log in to {name}: {}", refusal.reason));
            // The user is there already.
            let hints = refusal.hints.into_iter().filter(|hint| !hint.contains("soong configure"));
            Err(hints.fold(error, Error::with_hint))
        }
    }
}

/// Returns a temporary copy of the pinned host keys.
fn pins(login: &Login) -> Result<tempfile::NamedTempFile> {
    let file = tempfile::Builder::new().prefix("soong-configure-").tempfile();
    let file = file.map_err(|source| Error::cannot("create a temporary file", source))?;
    let pinned = paths::read_own(&login.known_hosts, PINS_MAX).unwrap_or_default();
    std::fs::write(file.path(), pinned).map_err(|source| Error::io("write", file.path(), source))?;
    Ok(file)
}

/// Largest file of pinned host keys, in bytes.
const PINS_MAX: u64 = 1 << 20;
