//! Candidates for each kind of value ([`Values`]). They come from files; no provider or supervisor is asked.

use super::{forwards, keys};
use crate::completion::{Answer, Candidate, Values};
use crate::config::{Config, Service, forwarding};
use crate::extension::catalog;
use crate::instances::inventory::{Inventory, Machine, Status};
use crate::runtime::directory::Directory;
use crate::runtime::state::{Phase, State};
use crate::system::paths::Paths;

/// Values for `--on-demand`, which takes any duration.
const IDLE_TIMES: [(&str, &str); 4] = [
    ("10m", "end ssh after 10 minutes without a connection"),
    ("30m", "after 30 minutes"),
    ("1h", "after an hour"),
    ("off", "keep the tunnel up"),
];

/// The position on the command line.
#[derive(Debug)]
pub(super) struct Input {
    /// The words of the command before the last one.
    before: Vec<String>,
    /// The beginning of the value at the cursor.
    value: String,
}

impl Input {
    pub(super) fn new(before: &[&str], value: &str) -> Self {
        Self { before: before.iter().map(|word| (*word).to_owned()).collect(), value: value.to_owned() }
    }

    fn has(&self, word: &str) -> bool {
        self.before.iter().any(|known| known == word)
    }
}

/// Returns the candidates of a kind.
pub(super) fn of(kind: Values, typed: &Input) -> Answer {
    match (kind, Paths::from_env()) {
        (Values::KeyValues, _) => keys::values(typed.before.last().map_or("", String::as_str)),
        (_, Ok(paths)) => Answer::words(from_files(kind, typed, &paths)),
        (_, Err(_)) => Answer::nothing(),
    }
}

fn from_files(kind: Values, typed: &Input, paths: &Paths) -> Vec<Candidate> {
    let config = || Config::load(paths).ok();
    let services = |behind| config().map_or_else(Vec::new, |config| services(&config.services, behind));
    match kind {
        Values::Instances => {
            config().map_or_else(Vec::new, |config| instances(&Inventory::cached(&config, paths)))
        }
        Values::Tunnels => running(paths).iter().map(tunnel).collect(),
        Values::Logs => logs(paths),
        Values::Services => services(""),
        Values::TunnelOrService => {
            let mut words = services("");
            words.extend(running(paths).iter().map(tunnel));
            words
        }
        // The user chooses the port.
        Values::ServicePorts if typed.value.contains('=') => Vec::new(),
        Values::ServicePorts => services("="),
        Values::KeysToGet => keys::keys(keys::Use::Get, &typed.value, paths),
        Values::KeysToSet => keys::keys(keys::Use::Set, &typed.value, paths),
        Values::KeysToUnset => keys::keys(keys::Use::Unset, &typed.value, paths),
        Values::KeyValues => Vec::new(),
        Values::Forwards => forwards(forwarding::Kind::Local, typed, paths),
        Values::RemoteForwards => forwards(forwarding::Kind::Remote, typed, paths),
        Values::SocksPorts => forwards(forwarding::Kind::Socks, typed, paths),
        Values::TunnelThenForwards => {
            let running = running(paths);
            let is_named = running.iter().any(|state| typed.has(&state.instance.name));
            let mut words: Vec<Candidate> =
                if is_named { Vec::new() } else { running.iter().map(tunnel).collect() };
            words.extend(forwards(forwarding::Kind::Local, typed, paths));
            words
        }
        Values::Extensions => extensions(),
        Values::IdleTimes => IDLE_TIMES.map(|(time, meaning)| Candidate::new(time, meaning)).into(),
        Values::Providers => {
            let names = config().map_or_else(Vec::new, |config| config.providers);
            names.into_iter().map(|name| Candidate::new(name, "enabled")).collect()
        }
    }
}

fn forwards(kind: forwarding::Kind, typed: &Input, paths: &Paths) -> Vec<Candidate> {
    let before: Vec<&str> = typed.before.iter().map(String::as_str).collect();
    forwards::candidates(kind, &before, &typed.value, &running(paths), Config::load(paths).ok().as_ref())
}

/// Returns the extensions that `soong ext exec` runs.
fn extensions() -> Vec<Candidate> {
    let extensions = catalog::reachable();
    extensions.iter().map(|extension| Candidate::new(&extension.name, extension.summary())).collect()
}

/// Returns the instances, first by name, then by id. Terminated ones are listed only if there are no others;
/// ambiguous names are left out, as their ids are listed.
fn instances(inventory: &Inventory) -> Vec<Candidate> {
    let all = &inventory.machines;
    let living: Vec<&Machine> = all.iter().filter(|machine| !machine.status.is_final()).collect();
    let shown = if living.is_empty() { all.iter().collect() } else { living };
    let is_unique = |name: &str| shown.iter().filter(|machine| machine.name == name).count() == 1;
    let names = shown
        .iter()
        .filter(|machine| machine.name != machine.id && is_unique(&machine.name))
        .map(|machine| Candidate::new(&machine.name, described(machine, &machine.id)));
    let ids = shown.iter().map(|machine| {
        let name = if machine.name == machine.id { "" } else { &machine.name };
        Candidate::new(&machine.id, described(machine, name))
    });
    names.chain(ids).collect()
}

/// Returns the description of an instance: its other name, its type, and its state or address.
fn described(machine: &Machine, other: &str) -> String {
    let state = match machine.status {
        Status::Unknown => machine.host.as_deref().unwrap_or_default(),
        status => status.word(),
    };
    let parts = [other, machine.kind.as_deref().unwrap_or_default(), state];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(", ")
}

/// Returns the tunnels whose lock is held.
fn running(paths: &Paths) -> Vec<State> {
    let running = Directory::all(paths).unwrap_or_default();
    let running = running.into_iter().filter(|directory| directory.is_locked().unwrap_or(false));
    running.filter_map(|directory| State::read(&directory)).collect()
}

/// Returns a tunnel by its instance's name.
fn tunnel(state: &State) -> Candidate {
    let phase = match state.phase {
        Phase::Idle => "idle",
        Phase::Starting => "starting",
        Phase::Up => "up",
        Phase::Reconnecting => "reconnecting",
        Phase::Failed => "failed",
    };
    let ports: Vec<String> = state.services().map(|service| service.local.to_string()).collect();
    let description = format!("{phase}, ports {}", ports.join(" "));
    Candidate::new(&state.instance.name, if ports.is_empty() { phase } else { &description })
}

/// Returns the running tunnels and those with a log.
fn logs(paths: &Paths) -> Vec<Candidate> {
    let mut found: Vec<Candidate> = running(paths).iter().map(tunnel).collect();
    let entries = std::fs::read_dir(paths.logs()).into_iter().flatten().flatten();
    let names =
        entries.filter_map(|entry| Some(entry.file_name().to_str()?.strip_suffix(".log")?.to_owned()));
    // A name with a digest is not the user's name for the instance.
    let mut names: Vec<String> = names.filter(|name| !name.contains('@')).collect();
    names.sort();
    let known: Vec<String> = found.iter().map(|candidate| candidate.value.clone()).collect();
    let names = names.into_iter().filter(|name| !known.contains(name));
    found.extend(names.map(|name| Candidate::new(name, "not running")));
    found
}

fn services(services: &[Service], behind: &str) -> Vec<Candidate> {
    let candidate = |service: &Service| {
        let ports = if service.local == service.remote {
            format!("port {}", service.remote)
        } else {
            format!("port {}, on localhost {}", service.remote, service.local)
        };
        Candidate::new(format!("{}{behind}", service.name), ports)
    };
    services.iter().map(candidate).collect()
}
