//! Matching of machines: pure functions.

use super::machine::Machine;
use crate::error::Error;
use crate::instances::provider::answer::Status;
use crate::suggest;
use crate::terminal::printable;

/// Returns the machines that match `wanted`: by id, else by name, else by the start of the id. Without
/// `wanted`, returns the reachable ones, else those that will be.
///
/// Terminated machines give way to others: a reused name means the new machine. Cached machines do not count
/// as reachable.
pub(super) fn candidates<'a>(machines: &'a [Machine], wanted: Option<&str>) -> Vec<&'a Machine> {
    let having = |test: &dyn Fn(&Machine) -> bool| -> Vec<&'a Machine> {
        machines.iter().filter(|machine| !machine.stale && test(machine)).collect()
    };
    let first = |choices: [Vec<&'a Machine>; 3]| {
        choices.into_iter().find(|choice| !choice.is_empty()).unwrap_or_default()
    };
    match wanted {
        Some(wanted) => first([
            living(having(&|machine| machine.id == wanted)),
            living(having(&|machine| machine.name == wanted)),
            living(having(&|machine| !wanted.is_empty() && machine.id.starts_with(wanted))),
        ]),
        None => first([
            having(&|machine| {
                machine.fault.is_none() && (machine.status == Status::Active || machine.provider.is_none())
            }),
            having(&|machine| machine.status == Status::Booting),
            having(&|machine| matches!(machine.status, Status::Active | Status::Unknown)),
        ]),
    }
}

fn living(found: Vec<&Machine>) -> Vec<&Machine> {
    let living: Vec<&Machine> = found.iter().copied().filter(|machine| !machine.status.is_final()).collect();
    if living.is_empty() { found } else { living }
}

/// Returns the error for no match.
pub(super) fn none(machines: &[Machine], wanted: Option<&str>) -> Error {
    let Some(wanted) = wanted else {
        let error = Error::failed("no instance is active");
        return if machines.is_empty() {
            error.with_hint("start one at your provider, or run 'soong configure'")
        } else {
            error.with_hint(format!("available: {}", listing(machines)))
        };
    };
    unknown(machines, wanted)
}

/// Returns the error for a name that none of `machines` has.
pub fn unknown<'a>(machines: impl IntoIterator<Item = &'a Machine> + Clone, wanted: &str) -> Error {
    let names = machines.clone().into_iter().flat_map(|machine| [machine.name.as_str(), machine.id.as_str()]);
    suggest::unknown_instance(wanted, names, &listing(machines))
}

/// Returns the error for more than one match.
pub(super) fn several(candidates: &[&Machine], wanted: Option<&str>) -> Error {
    let message = match wanted {
        None => match candidates.first().map(|machine| machine.status) {
            Some(Status::Booting) => "more than one instance is booting".to_owned(),
            _ => "more than one instance is active".to_owned(),
        },
        Some(wanted) if candidates.iter().all(|machine| machine.id == wanted) => {
            format!("more than one provider has an instance with the id '{}'", printable(wanted))
        }
        Some(wanted) if candidates.iter().all(|machine| machine.name == wanted) => {
            format!("more than one instance is called '{}'", printable(wanted))
        }
        Some(wanted) => format!("more than one instance id starts with '{}'", printable(wanted)),
    };
    Error::failed(message)
        .with_hint(format!("choose one with --instance-id: {}", listing(candidates.iter().copied())))
}

/// Lists at most ten machines with id and state: `dev (a1b2c3d4), staging (b2, booting)`.
pub fn listing<'a>(machines: impl IntoIterator<Item = &'a Machine>) -> String {
    suggest::listing(machines.into_iter().map(described))
}

fn described(machine: &Machine) -> String {
    let id = (machine.id != machine.name).then(|| printable(&machine.id).into_owned());
    let status = (!matches!(machine.status, Status::Active | Status::Unknown))
        .then(|| machine.status.word().to_owned());
    let details: Vec<String> = id.into_iter().chain(status).collect();
    let name = printable(&machine.name);
    if details.is_empty() { name.into_owned() } else { format!("{name} ({})", details.join(", ")) }
}

#[cfg(test)]
mod tests;
