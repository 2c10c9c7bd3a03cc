//! Checks of the providers, and the choice of the instance.

use std::time::Instant;

use super::finding::{Finding, Findings};
use crate::config::Config;
use crate::config::instance::Instance;
use crate::instances::inventory::{self, Inventory, Machine, Selector};
use crate::instances::provider;
use crate::system::paths::Paths;
use crate::system::signals::Watch;
use crate::terminal::printable;

/// Asks every provider and chooses the instance `wanted`. Returns `None` if there is none to connect to.
pub(super) fn check(
    wanted: Option<&str>,
    config: &Config,
    paths: &Paths,
    findings: &mut Findings,
    watch: &Watch,
) -> Option<Instance> {
    let mut is_complete = true;
    for name in &config.providers {
        let begun = Instant::now();
        let message = format!("Asking {}", printable(name));
        let finding = match findings.wait(&message, || provider::list(name, watch)) {
            Ok(listed) => {
                inventory::record(paths, name, &listed, config);
                let count = listed.len();
                let text = format!("{name} lists {count} instance{}", if count == 1 { "" } else { "s" });
                Finding::ok("provider", text)
            }
            Err(error) => Finding::error("provider", &error),
        };
        is_complete &= findings.add(finding.took(begun.elapsed()));
    }
    let machine = match inventory::pick(Inventory::cached(config, paths), &Selector::of(wanted), watch) {
        Ok(machine) => machine,
        // Otherwise the provider that failed may have it.
        Err(error) if is_complete => {
            findings.add(Finding::error("instance", &error));
            return None;
        }
        Err(_) => return None,
    };
    let instance = machine.instance();
    findings.add(describe(&machine, instance.as_ref()));
    instance
}

fn describe(machine: &Machine, instance: Option<&Instance>) -> Finding {
    let name = machine.unique_name();
    let status = if machine.is_configured() { "in the config" } else { machine.status.word() };
    match instance {
        Some(instance) => Finding::ok("instance", format!("{name}, {status}, {}", instance.host)),
        None => Finding::failed("instance", format!("{name}, {status}, has no address yet"))
            .advice("wait for it: soong tunnel start --wait"),
    }
}
