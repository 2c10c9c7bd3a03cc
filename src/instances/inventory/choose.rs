//! From a request to the one instance to reach.

use super::arguments::Selector;
use super::candidates::{candidates, none, several};
use super::machine::Machine;
use super::sources::Inventory;
use super::{picker, wait};
use crate::config::Config;
use crate::config::instance::{self, Instance};
use crate::error::{Error, Result};
use crate::system::paths::Paths;
use crate::system::signals::Watch;
use crate::system::time::{now, span};
use crate::terminal::{self, print_error, printable};

/// Chooses the requested instance. If several match, asks on a terminal, and otherwise fails with a list.
/// Queries providers only if one is enabled and the config has no match.
pub fn choose(selector: &Selector<'_>, config: &Config, paths: &Paths) -> Result<Instance> {
    if config.providers.is_empty() {
        return choose_configured(selector, config);
    }
    if let Some(found) = selector.wanted.and_then(|wanted| written(&config.instances, wanted)) {
        return Ok(found.clone());
    }
    // Signals are held back, so that a provider ends with its caller and the terminal is restored.
    let watch = Watch::new()?;
    let inventory = Inventory::fresh(config, paths, &watch, selector.quiet);
    if watch.interrupted() {
        return Err(Error::interrupted());
    }
    let machine = pick(inventory, selector, &watch)?;
    wait::until_reachable(&machine, selector, config, &watch)
}

/// Chooses from cached data without a query if the match is unambiguous. For callers that know that the
/// instance exists, such as those with a tunnel that is up.
pub fn choose_cached(selector: &Selector<'_>, config: &Config, paths: &Paths) -> Option<Instance> {
    let inventory = Inventory::cached(config, paths);
    match candidates(&inventory.machines, selector.wanted).as_slice() {
        [only] => only.instance(),
        _ => None,
    }
}

fn written<'a>(instances: &'a [Instance], wanted: &str) -> Option<&'a Instance> {
    instances.iter().find(|i| i.id == wanted).or_else(|| instances.iter().find(|i| i.name == wanted))
}

/// Chooses among the instances of the config alone.
fn choose_configured(selector: &Selector<'_>, config: &Config) -> Result<Instance> {
    let several = config.instances.len() > 1 && selector.wanted.is_none();
    if !several || !terminal::is_interactive() {
        return instance::choose(&config.instances, selector.wanted).cloned();
    }
    let machines: Vec<Machine> = config.instances.iter().map(Machine::configured).collect();
    let picked = picker::pick(&machines.iter().collect::<Vec<_>>(), &Watch::new()?)?;
    Ok(config.instances[picked].clone())
}

/// Chooses from `inventory`. If several match, asks on a terminal, and otherwise fails with a list. In place of a
/// provider that fails, its last answer counts if it is recent; a warning says so.
pub fn pick(mut inventory: Inventory, selector: &Selector<'_>, watch: &Watch) -> Result<Machine> {
    // An instance of a silent provider could match too, unless the match is known already.
    let is_known = |inventory: &Inventory| {
        let found = candidates(&inventory.machines, selector.wanted);
        selector.wanted.is_some_and(|wanted| found.iter().any(|m| m.id == wanted || m.name == wanted))
    };
    let has_failed = |inventory: &Inventory| inventory.sources.iter().any(|source| source.error.is_some());
    if !is_known(&inventory) && has_failed(&inventory) {
        let is_complete = inventory.use_last_answers(now());
        let is_found = !candidates(&inventory.machines, selector.wanted).is_empty();
        let is_certain = is_known(&inventory) || (is_complete && is_found);
        if !is_certain {
            return Err(unanswered(inventory));
        }
    }
    let found = candidates(&inventory.machines, selector.wanted);
    let machine = match found.as_slice() {
        [] => return Err(none(&inventory.machines, selector.wanted)),
        [only] => *only,
        all if terminal::is_interactive() => all[picker::pick(all, watch)?],
        all => return Err(several(all, selector.wanted)),
    };
    if let (Some(warning), false) = (last_answer(&inventory, machine, now()), selector.quiet) {
        print_error(&warning);
    }
    Ok(machine.clone())
}

/// Returns the warning that `machine` is known only from the last answer of a provider that fails now.
fn last_answer(inventory: &Inventory, machine: &Machine, now: u64) -> Option<String> {
    let provider = machine.provider.as_ref().filter(|_| !machine.is_configured())?;
    let source = inventory.sources.iter().find(|source| source.provider == *provider)?;
    let (error, age) = (source.error.as_ref()?, span(now.saturating_sub(source.taken?)));
    let (name, host) = (printable(&machine.name), printable(machine.host.as_deref().unwrap_or("no address")));
    Some(format!("warning: {error}; using its answer from {age} ago: {name}, {host}\n"))
}

/// Returns the provider's error with a hint that instances of the config remain reachable.
fn unanswered(inventory: Inventory) -> Error {
    let written = inventory.machines.iter().find(|machine| machine.is_configured());
    let way = written.map(|machine| {
        let name = printable(&shell_words::quote(&machine.name)).into_owned();
        format!("use an instance of the config: --instance-id {name}")
    });
    let error = inventory.into_failure().unwrap_or_else(|| Error::failed("a provider is not answering"));
    match way {
        Some(way) => error.with_hint(way),
        None => error,
    }
}
