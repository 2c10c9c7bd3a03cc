//! Resolves command line and config into the [`Request`] for a supervisor.

use std::collections::BTreeMap;

use super::{mode, other_forwards};
use crate::commands::tunnel::arguments::{LocalPort, StartArguments};
use crate::config::instance::Instance;
use crate::config::{Config, Service};
use crate::error::{Error, Result};
use crate::instances::inventory;
use crate::openssh::Login;
use crate::runtime::forward::Forward;
use crate::runtime::remembered_ports;
use crate::runtime::state::State;
use crate::suggest;
use crate::supervisor::protocol::request::Request;
use crate::system::paths::{Paths, askpass_program};
use crate::terminal::{self, printable};

/// Resolves a request. `before` is the state of the tunnel that this one replaces; its local ports and added
/// forwards are kept. The command line takes precedence, then `before`, the config, the remembered ports, and
/// the defaults.
pub fn resolve(
    arguments: &StartArguments,
    before: Option<&State>,
    config: &Config,
    paths: &Paths,
) -> Result<Request> {
    let mut ports = Ports { wanted: wanted_ports(arguments, &config.services)?, ..Ports::default() };
    let had = before.into_iter().flat_map(State::services);
    ports.before = had.map(|service| (service.name.to_owned(), service.local)).collect();
    let unremembered = services(&config.services, &ports)?;
    // Last, as it may query a provider or the user.
    let instance = choose_instance(arguments, config, paths)?;
    ports.remembered = remembered_ports::recall(paths, &instance.id);
    let others = other_forwards::resolve(arguments, before, &instance, config, paths)?;
    let all = |services: Vec<Forward>| [services, others.clone()].concat();
    // Remembered ports that conflict with the request are dropped.
    let remembered = services(&config.services, &ports).ok().map(all);
    let remembered = remembered.filter(|forwards| other_forwards::check(forwards).is_ok());
    let recalled = if remembered.is_some() { recalled(&config.services, &ports) } else { Vec::new() };
    let forwards = remembered.unwrap_or_else(|| all(unremembered));
    other_forwards::check(&forwards)?;
    let on_demand = mode::resolve(arguments, before, &instance, config, &forwards)?;
    Ok(Request {
        name: instance.tunnel_name(),
        login: Login::resolve(&instance, &config.ssh, paths)?,
        forwards,
        on_demand,
        first: mode::first_link(arguments, on_demand),
        movable: movable(arguments, &config.services, &ports),
        chosen: chosen(&config.services, &ports),
        recalled,
        hold: config.hold,
        verbose: arguments.verbose,
        can_answer: !arguments.json && terminal::is_interactive(),
        askpass: askpass_program(),
        only_me: config.only_me,
        wanted: arguments.choice.instance_id.clone(),
        tries: Vec::new(),
    })
}

fn choose_instance(arguments: &StartArguments, config: &Config, paths: &Paths) -> Result<Instance> {
    let selector = arguments.choice.selector(arguments.quiet || arguments.json);
    // The supervisor asks the provider if the instance does not answer there.
    if arguments.keep_trying
        && let Some(known) = inventory::choose_cached(&selector, config, paths)
    {
        return Ok(known);
    }
    inventory::choose(&selector, config, paths).map_err(|error| {
        if config.instances.is_empty() && config.providers.is_empty() {
            let file = printable(&paths.config_file().to_string_lossy()).into_owned();
            error.with_hint(format!("or add it to [instances.NAME] in {file}: host = \"ADDRESS\""))
        } else {
            error
        }
    })
}

/// Returns the local ports on the command line, by service.
fn wanted_ports(arguments: &StartArguments, services: &[Service]) -> Result<BTreeMap<String, u16>> {
    let mut wanted = BTreeMap::new();
    for LocalPort { service, port } in arguments.local_ports() {
        if !services.iter().any(|known| known.name == service) {
            return Err(unknown_service(&service, services));
        }
        if wanted.insert(service.clone(), port).is_some_and(|other| other != port) {
            return Err(Error::usage(format!("two different local ports for {service}"))
                .with_hint("choose one of them"));
        }
    }
    Ok(wanted)
}

fn unknown_service(name: &str, services: &[Service]) -> Error {
    let names = || services.iter().map(|service| service.name.as_str());
    let hint = suggest::did_you_mean(name, names())
        .unwrap_or_else(|| format!("available: {}", names().collect::<Vec<_>>().join(", ")));
    Error::usage(format!("no service '{}'", printable(name)))
        .with_hint(hint)
        .with_hint("add it to [services] in config.toml: NAME = PORT")
}

/// Local ports by service and source.
#[derive(Debug, Default)]
struct Ports {
    wanted: BTreeMap<String, u16>,
    before: BTreeMap<String, u16>,
    remembered: BTreeMap<String, u16>,
}

impl Ports {
    fn of(&self, service: &Service) -> u16 {
        let asked = self.wanted.get(&service.name).or_else(|| self.before.get(&service.name));
        let remembered = || self.remembered.get(&service.name).filter(|_| !service.is_local_set);
        asked.or_else(remembered).copied().unwrap_or(service.local)
    }
}

/// With `--auto-ports`, all ports may change except the requested ones.
fn movable(arguments: &StartArguments, services: &[Service], ports: &Ports) -> Vec<String> {
    let names = services.iter().map(|service| &service.name).filter(|_| arguments.auto_ports);
    names.filter(|name| !ports.wanted.contains_key(*name)).cloned().collect()
}

/// Returns the services with a requested port, or another port of the tunnel before than their usual one.
fn chosen(services: &[Service], ports: &Ports) -> Vec<String> {
    let kept = |service: &Service| ports.before.get(&service.name).is_some_and(|port| *port != service.local);
    let services = services.iter().filter(|it| ports.wanted.contains_key(&it.name) || kept(it));
    services.map(|service| service.name.clone()).collect()
}

/// Returns the services with another port than usual because they had it last time.
fn recalled(services: &[Service], ports: &Ports) -> Vec<String> {
    let asked = |name| ports.wanted.contains_key(name) || ports.before.contains_key(name);
    let services = services.iter().filter(|it| !asked(&it.name) && ports.of(it) != it.local);
    services.map(|service| service.name.clone()).collect()
}

/// Returns the next port above `port` that no service uses.
fn spare(port: u16, services: &[Service], ports: &Ports) -> u16 {
    let wanted: Vec<u16> = services.iter().map(|service| ports.of(service)).collect();
    let above = port.saturating_add(1).max(1024)..=u16::MAX;
    above.chain(1024..=u16::MAX).find(|port| !wanted.contains(port)).unwrap_or(port)
}

/// Returns the forwards of `services`, whose local ports differ.
fn services(services: &[Service], ports: &Ports) -> Result<Vec<Forward>> {
    let mut forwards: Vec<Forward> = Vec::new();
    for service in services {
        let local = ports.of(service);
        let forward = Forward::of_service(&service.name, local, service.remote);
        if let Some(other) = forwards.iter().find(|other| other.spec.collides_with(&forward.spec)) {
            return Err(Error::usage(format!("{other} and {forward} both want local port {local}"))
                .with_hint(format!("change one of them: {}", forward.flag(spare(local, services, ports)))));
        }
        forwards.push(forward);
    }
    if forwards.is_empty() {
        return Err(Error::failed("nothing to forward")
            .with_hint("add a service to [services] in config.toml: NAME = PORT"));
    }
    Ok(forwards)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service(name: &str, remote: u16, local: u16) -> Service {
        Service { name: name.into(), remote, local, is_local_set: local != remote }
    }

    fn two() -> Vec<Service> {
        vec![service("sglang", 8000, 8000), service("web", 80, 8081)]
    }

    fn table(ports: &[(&str, u16)]) -> BTreeMap<String, u16> {
        ports.iter().map(|(name, port)| ((*name).to_owned(), *port)).collect()
    }

    fn locals(ports: [&[(&str, u16)]; 3]) -> Result<Vec<u16>> {
        let [wanted, before, remembered] = ports.map(table);
        let ports = Ports { wanted, before, remembered };
        Ok(services(&two(), &ports)?.iter().filter_map(|forward| forward.spec.local_port()).collect())
    }

    #[test]
    fn a_port_comes_from_the_command_line_then_before_then_config_then_memory() {
        assert_eq!(locals([&[], &[], &[]]).unwrap(), [8000, 8081]);
        let before: &[_] = &[("web", 9999)];
        assert_eq!(locals([&[], before, &[]]).unwrap(), [8000, 9999]);
        assert_eq!(locals([&[("web", 7)], before, &[]]).unwrap(), [8000, 7]);
        let remembered: &[_] = &[("web", 9), ("sglang", 8003), ("gone", 8081)];
        assert_eq!(locals([&[], &[], remembered]).unwrap(), [8003, 8081], "the config names a port for web");
        assert_eq!(locals([&[("sglang", 1)], before, remembered]).unwrap(), [1, 9999]);
    }

    #[test]
    fn a_port_belongs_to_one_service() {
        let error = locals([&[("web", 8000)], &[], &[]]).unwrap_err();
        assert_eq!(error.to_string(), "sglang and web both want local port 8000");
        assert_eq!(error.hints(), ["change one of them: --port web=8001"]);
        assert_eq!(error.exit_code(), 2);
        let wanted = [service("a", 1, 65_535), service("b", 2, 65_535), service("c", 3, 1024)];
        let error = services(&wanted, &Ports::default()).unwrap_err();
        assert_eq!(error.hints(), ["change one of them: --port b=1025"], "a port that nothing else wants");
    }
}
