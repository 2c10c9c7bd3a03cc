//! From a wish to the one instance to reach.

use std::time::Duration;

use super::candidates::{candidates, none, several};
use super::{Inventory, Machine, Status, picker, wait};
use crate::config::Config;
use crate::config::instance::{self, Instance};
use crate::error::{Error, Result};
use crate::system::paths::Paths;
use crate::system::signals::Watch;
use crate::terminal::{self, printable};

/// Which instance is wanted, and what may be done to have it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Wish<'a> {
    /// Its id, its name, or the start of its id; else the only active one.
    pub wanted: Option<&'a str>,
    /// How long to wait for one that is booting; else it is an error.
    pub wait: Option<Duration>,
    /// Whether to say nothing while waiting.
    pub quiet: bool,
}

/// Chooses the instance that is wished for. Where several could be meant, a terminal is asked and
/// everyone else gets an error that lists them. Providers are asked only where one is switched on
/// and the config does not have what is wanted.
pub fn choose(wish: &Wish<'_>, config: &Config, paths: &Paths) -> Result<Instance> {
    if config.providers.is_empty() {
        return choose_written(wish, config);
    }
    if let Some(found) = wish.wanted.and_then(|wanted| written(&config.instances, wanted)) {
        return Ok(found.clone());
    }
    let watch = watch()?;
    let inventory = Inventory::fresh(config, paths, &watch, wish.quiet);
    if watch.interrupted() {
        return Err(Error::failed("interrupted"));
    }
    let machine = pick(inventory, wish, &watch)?;
    wait::until_reachable(&machine, wish, config, &watch)
}

/// The instance that is wished for as far as is known without asking, where that leaves no doubt.
/// For callers with a proof of their own that it is still there: a tunnel that is up.
pub fn known(wish: &Wish<'_>, config: &Config, paths: &Paths) -> Option<Instance> {
    let inventory = Inventory::cached(config, paths);
    match candidates(&inventory.machines, wish.wanted).as_slice() {
        [only] => only.instance(),
        _ => None,
    }
}

/// Signals are held back from here on, so that a provider ends with its caller and the terminal is
/// left as it was.
fn watch() -> Result<Watch> {
    Watch::new().map_err(|source| Error::Io { action: "cannot handle signals".into(), source, hint: None })
}

fn written<'a>(instances: &'a [Instance], wanted: &str) -> Option<&'a Instance> {
    instances.iter().find(|i| i.id == wanted).or_else(|| instances.iter().find(|i| i.name == wanted))
}

/// Chooses among the instances of the config alone.
fn choose_written(wish: &Wish<'_>, config: &Config) -> Result<Instance> {
    let several = config.instances.len() > 1 && wish.wanted.is_none();
    if !several || !terminal::is_interactive() {
        return instance::choose(&config.instances, wish.wanted).cloned();
    }
    let machines: Vec<Machine> = config.instances.iter().map(Machine::written).collect();
    let picked = picker::pick(&machines.iter().collect::<Vec<_>>(), &watch()?)?;
    Ok(config.instances[picked].clone())
}

fn pick(inventory: Inventory, wish: &Wish<'_>, watch: &Watch) -> Result<Machine> {
    let found = candidates(&inventory.machines, wish.wanted);
    // What a silent provider might have could be what is meant, unless it is known already.
    let known = wish.wanted.is_some_and(|wanted| found.iter().any(|m| m.id == wanted || m.name == wanted));
    if !known && inventory.sources.iter().any(|source| source.error.is_some()) {
        return Err(unanswered(inventory));
    }
    match found.as_slice() {
        [] => Err(none(&inventory.machines, wish.wanted)),
        [only] => Ok((*only).clone()),
        all if terminal::is_interactive() => Ok(all[picker::pick(all, watch)?].clone()),
        all => Err(several(all, wish.wanted)),
    }
}

/// The provider's own error; what the config describes can still be reached by name.
fn unanswered(inventory: Inventory) -> Error {
    let written = inventory.machines.iter().find(|machine| machine.is_written());
    let way = written.map(|machine| {
        let name = printable(&shell_words::quote(&machine.name)).into_owned();
        format!("instances of the config need no provider: --instance-id {name}")
    });
    let error = inventory.into_failure().unwrap_or_else(|| Error::failed("a provider does not answer"));
    match way {
        Some(way) => error.with_hint(way),
        None => error,
    }
}

/// Where an instance stands between "booting" and "gone".
#[derive(Debug)]
pub(super) enum Readiness {
    /// It can be reached.
    Ready(Instance),
    /// It cannot be reached yet.
    NotYet,
    /// It cannot be reached, and waiting does not help.
    Never(Error),
}

/// Whether `machine` can be reached.
pub(super) fn readiness(machine: &Machine) -> Readiness {
    const START_ANOTHER: &str = "start another one at your provider; 'soong status' lists those you have";
    let name = printable(&machine.name);
    let never = |what: &str, hint: &str| {
        Readiness::Never(Error::failed(format!("the instance {name} {what}")).with_hint(hint))
    };
    match machine.status {
        Status::Terminated => return never("is terminated", START_ANOTHER),
        Status::Terminating => return never("is being terminated", START_ANOTHER),
        Status::Preempted => return never("was taken away by its provider (preempted)", START_ANOTHER),
        Status::Unhealthy => {
            return never("is unhealthy, says its provider", "restart it in your provider's console");
        }
        Status::Booting => return Readiness::NotYet,
        Status::Active | Status::Unknown => {}
    }
    match (machine.instance(), machine.fault) {
        (Some(instance), _) => Readiness::Ready(instance),
        (None, Some(fault)) => {
            let login = format!("{}@{}", machine.user, machine.host.as_deref().unwrap_or_default());
            let hint =
                format!("its provider lists \"{}\"; add it to [instances] in config.toml", printable(&login));
            never(&format!("cannot be reached: {fault}"), &hint)
        }
        (None, None) => Readiness::NotYet,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::instances::inventory::machine::sample as machine;

    #[test]
    fn only_what_runs_and_has_an_address_can_be_reached() {
        let host = Some("192.0.2.7");
        assert!(matches!(readiness(&machine(Status::Active, host)), Readiness::Ready(_)));
        assert!(matches!(readiness(&machine(Status::Unknown, host)), Readiness::Ready(_)));
        assert!(matches!(readiness(&machine(Status::Booting, host)), Readiness::NotYet));
        assert!(matches!(readiness(&machine(Status::Active, None)), Readiness::NotYet));
        for (status, words) in [
            (Status::Terminated, "the instance a1 is terminated"),
            (Status::Terminating, "the instance a1 is being terminated"),
            (Status::Preempted, "the instance a1 was taken away by its provider (preempted)"),
            (Status::Unhealthy, "the instance a1 is unhealthy, says its provider"),
        ] {
            let Readiness::Never(error) = readiness(&machine(status, host)) else { panic!("{status:?}") };
            assert_eq!(error.to_string(), words);
            assert_eq!(error.hints().len(), 1);
        }
    }

    #[test]
    fn an_address_that_ssh_could_misread_is_refused_and_shown_safely() {
        let odd = machine(Status::Active, Some("-oProxyCommand=touch\u{1b}[2J"));
        let Readiness::Never(error) = readiness(&odd) else { panic!("refused") };
        assert_eq!(
            error.to_string(),
            "the instance a1 cannot be reached: its address is not one that ssh can be given"
        );
        assert!(error.hints()[0].contains("touch\\u{1b}[2J"), "{:?}", error.hints());
    }
}
