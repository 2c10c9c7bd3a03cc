//! What the values of an argument are. Which kind of value it takes is told by the definition alone:
//! its possible values, its value hint, or the name of its value, by convention (see [`Kind::of`]).
//! The values themselves come from files; no provider is asked and no supervisor is talked to.

use clap::builder::ValueHint;
use clap::{Arg, Command};

use super::{forwards, keys};
use crate::completion::{Answer, Candidate, Directive};
use crate::config::{Config, Service, forwarding};
use crate::instances::inventory::{Inventory, Machine, Status};
use crate::runtime::directory::Directory;
use crate::runtime::state::{Phase, State};
use crate::system::paths::Paths;

/// What can stand for a value.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    /// One of the words that the definition lists.
    Choice(Vec<Candidate>),
    File,
    Instance,
    /// A tunnel that runs.
    Tunnel,
    /// A tunnel that has a log.
    Log,
    Service,
    /// `SERVICE=`, with a port to follow.
    ServiceAnd,
    Key(keys::Use),
    /// The value of the key in the word before.
    ValueOfKey,
    /// What is forwarded besides the services.
    Forward(forwarding::Kind),
    /// The same, or before it the name of a tunnel that runs.
    TunnelOrForward,
    /// A command of soong that is not soong's own.
    Extension,
    Unknown,
}

impl Kind {
    /// The kind of the values of `argument`, which belongs to `command`.
    fn of(argument: &Arg, command: &Command) -> Self {
        let choices: Vec<Candidate> = argument
            .get_possible_values()
            .iter()
            .filter(|value| !value.is_hide_set())
            .map(|value| {
                let help = value.get_help().map(ToString::to_string).unwrap_or_default();
                Candidate::new(value.get_name(), help)
            })
            .collect();
        if !choices.is_empty() {
            return Self::Choice(choices);
        }
        let name = argument.get_value_names().and_then(<[_]>::first).map_or("", |name| name.as_str());
        match name.trim_matches('.') {
            "FILE" | "PATH" | "DIR" | "DIRECTORY" => Self::File,
            "ID" | "INSTANCE" => Self::Instance,
            "TUNNEL" | "NAME" if command.get_name() == "logs" => Self::Log,
            "TUNNEL" => Self::Tunnel,
            // `soong tunnel stop NAME`, and what is like it.
            "NAME" if argument.is_positional() && is_of_tunnels(command) => Self::Tunnel,
            "SERVICE" => Self::Service,
            "NAME" if argument.get_id() == "service" => Self::Service,
            "NAME" if command.get_bin_name() == Some("soong ext exec") => Self::Extension,
            "NAME=LOCAL" => Self::ServiceAnd,
            "KEY" => Self::Key(match command.get_name() {
                "get" => keys::Use::Get,
                "unset" => keys::Use::Unset,
                _ => keys::Use::Set,
            }),
            "VALUE" => Self::ValueOfKey,
            "EXTENSION" => Self::Extension,
            "LOCAL:HOST:PORT" => Self::TunnelOrForward,
            "SPEC" | "PORT" if argument.get_id() == "forward" => Self::Forward(forwarding::Kind::Local),
            "SPEC" | "PORT" if argument.get_id() == "remote" => Self::Forward(forwarding::Kind::Remote),
            "SPEC" | "PORT" if argument.get_id() == "socks" => Self::Forward(forwarding::Kind::Socks),
            _ => match argument.get_value_hint() {
                ValueHint::AnyPath | ValueHint::FilePath | ValueHint::DirPath => Self::File,
                _ => Self::Unknown,
            },
        }
    }
}

/// Whether `command`, a subcommand, is one of `soong tunnel`'s.
fn is_of_tunnels(command: &Command) -> bool {
    command.get_bin_name().is_some_and(|name| name.starts_with("soong tunnel "))
}

/// How the value of `argument` could go on, of which `typed` is there; `before` are the words before it.
pub(super) fn of(argument: &Arg, command: &Command, before: &[&str], typed: &str) -> Answer {
    let paths = Paths::from_env().ok();
    match Kind::of(argument, command) {
        Kind::Choice(choices) => Answer::words(choices),
        Kind::File => Answer::files(),
        Kind::Unknown => Answer::nothing(),
        Kind::Extension => Answer::words(super::programs::extensions()),
        kind => paths.map_or_else(Answer::nothing, |paths| from_files(&kind, before, typed, &paths)),
    }
}

fn from_files(kind: &Kind, before: &[&str], typed: &str, paths: &Paths) -> Answer {
    let config = || Config::load(paths).ok();
    match kind {
        Kind::Instance => Answer::words(
            config().map_or_else(Vec::new, |config| instances(&Inventory::cached(&config, paths))),
        ),
        Kind::Tunnel => Answer::words(running(paths).iter().map(tunnel).collect()),
        Kind::Log => Answer::words(logs(paths)),
        Kind::Service => {
            Answer::words(config().map_or_else(Vec::new, |config| services(&config.services, "")))
        }
        // The port is the user's to say.
        Kind::ServiceAnd if typed.contains('=') => Answer::nothing(),
        Kind::ServiceAnd => {
            let services = config().map_or_else(Vec::new, |config| services(&config.services, "="));
            let mut answer = Answer::words(services);
            answer.directive = answer.directive | Directive::NO_SPACE;
            answer
        }
        Kind::Key(usage) => Answer::words(keys::keys(*usage, paths)),
        Kind::Forward(kind) => {
            Answer::words(forwards::candidates(*kind, before, typed, &running(paths), config().as_ref()))
        }
        Kind::TunnelOrForward => {
            let running = running(paths);
            let is_named = |state: &State| before.contains(&state.instance.name.as_str());
            let mut words: Vec<Candidate> =
                if running.iter().any(is_named) { Vec::new() } else { running.iter().map(tunnel).collect() };
            let kind = forwarding::Kind::Local;
            words.extend(forwards::candidates(kind, before, typed, &running, config().as_ref()));
            Answer::words(words)
        }
        Kind::ValueOfKey => keys::values(before.last().copied().unwrap_or_default()),
        _ => Answer::nothing(),
    }
}

/// The instances, first by name, then by id. Those that are over count only where nothing else is
/// left; names that mean more than one instance are left out, as their ids say which.
fn instances(inventory: &Inventory) -> Vec<Candidate> {
    let all = &inventory.machines;
    let living: Vec<&Machine> = all.iter().filter(|machine| !is_over(machine.status)).collect();
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

fn is_over(status: Status) -> bool {
    matches!(status, Status::Terminated | Status::Terminating | Status::Preempted)
}

/// What is worth knowing of an instance: its other name, its type, its state or its address.
fn described(machine: &Machine, other: &str) -> String {
    let state = match machine.status {
        Status::Unknown => machine.host.as_deref().unwrap_or_default(),
        status => status.word(),
    };
    let parts = [other, machine.kind.as_deref().unwrap_or_default(), state];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(", ")
}

/// The tunnels whose lock is held.
fn running(paths: &Paths) -> Vec<State> {
    let running = Directory::all(paths).unwrap_or_default();
    let running = running.into_iter().filter(|directory| directory.is_locked().unwrap_or(false));
    running.filter_map(|directory| State::read(&directory)).collect()
}

/// A tunnel, by the name of its instance.
fn tunnel(state: &State) -> Candidate {
    let phase = match state.phase {
        Phase::Starting => "starting",
        Phase::Up => "up",
        Phase::Reconnecting => "reconnecting",
        Phase::Failed => "failed",
    };
    let ports: Vec<String> = state.forwards.iter().map(|forward| forward.local.to_string()).collect();
    let description = format!("{phase}, ports {}", ports.join(" "));
    Candidate::new(&state.instance.name, if ports.is_empty() { phase } else { &description })
}

/// The tunnels that run, and those whose log is left.
fn logs(paths: &Paths) -> Vec<Candidate> {
    let mut found: Vec<Candidate> = running(paths).iter().map(tunnel).collect();
    let entries = std::fs::read_dir(paths.logs()).into_iter().flatten().flatten();
    let names =
        entries.filter_map(|entry| Some(entry.file_name().to_str()?.strip_suffix(".log")?.to_owned()));
    // A name with a digest in it is not what the user calls the instance.
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
