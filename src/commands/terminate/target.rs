//! Instances that the command line means: pure functions of the inventory.

use crate::error::{Error, Result};
use crate::instances::inventory::{self, Machine, Status};
use crate::suggest;
use crate::terminal::printable;

/// Shortest start of an id that names an instance.
const START_MIN: usize = 4;

/// Returns the machine that `wanted` means: by id, else by name, else by the start of its id.
pub(super) fn find<'a>(machines: &'a [Machine], wanted: &str) -> Result<&'a Machine> {
    let living = |test: &dyn Fn(&Machine) -> bool| -> Vec<&'a Machine> {
        machines.iter().filter(|machine| exists(machine) && test(machine)).collect()
    };
    let is_start = wanted.chars().count() >= START_MIN;
    let found = [
        living(&|machine| machine.id == wanted),
        living(&|machine| machine.name == wanted || machine.unique_name() == wanted),
        living(&|machine| is_start && machine.id.starts_with(wanted)),
    ];
    let found = found.into_iter().find(|found| !found.is_empty()).unwrap_or_default();
    match found.as_slice() {
        [] => Err(none(machines, wanted)),
        [only] if only.provider.is_none() => Err(Error::failed(format!(
            "{} is an instance of config.toml; no provider lists it",
            printable(&only.name)
        ))
        .with_hint("terminate it at its provider, then: soong configure unset instances.NAME")),
        [only] => Ok(only),
        several => {
            let ids = suggest::listing(several.iter().map(|machine| printable(&machine.id).into_owned()));
            Err(Error::failed(format!("'{}' means more than one instance", printable(wanted)))
                .with_hint(format!("choose one by its id: {ids}")))
        }
    }
}

/// Returns the machines of providers that exist.
pub(super) fn all(machines: &[Machine]) -> Vec<&Machine> {
    machines.iter().filter(|machine| machine.provider.is_some() && exists(machine)).collect()
}

fn exists(machine: &Machine) -> bool {
    !matches!(machine.status, Status::Terminated | Status::Preempted)
}

fn none(machines: &[Machine], wanted: &str) -> Error {
    let is_meant = |machine: &&Machine| machine.id == wanted || machine.name == wanted;
    if let Some(gone) = machines.iter().find(is_meant) {
        let (name, status) = (printable(&gone.name), gone.status.word());
        return Error::failed(format!("the instance {name} is {status} already"));
    }
    inventory::unknown(all(machines), wanted)
}
