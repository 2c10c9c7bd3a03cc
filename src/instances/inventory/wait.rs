//! Waiting for an instance that is booting.
//!
//! Polls the provider every few seconds, and less often while it fails: most providers limit requests.

use std::time::{Duration, Instant};

use super::arguments::{Selector, WAIT_MAX};
use super::machine::Machine;
use super::progress::Progress;
use super::readiness::{Readiness, readiness};
use crate::config::Config;
use crate::config::instance::{self, Instance};
use crate::error::{Error, Result};
use crate::instances::provider;
use crate::instances::provider::answer::Status;
use crate::system::signals::Watch;
use crate::terminal::printable;

/// Time between two polls.
const INTERVAL: Duration = Duration::from_secs(5);
/// Longest time between polls of a failing provider.
const INTERVAL_MAX: Duration = Duration::from_secs(60);
/// Failures in a row that end the wait.
const FAILURES_MAX: u32 = 3;

/// Returns the current data of the machine; `None` if its provider no longer lists it.
type Lookup<'a> = dyn FnMut() -> Result<Option<Machine>> + 'a;

/// Waits until `machine` is reachable and returns the instance.
pub(super) fn until_reachable(
    machine: &Machine,
    selector: &Selector<'_>,
    config: &Config,
    watch: &Watch,
) -> Result<Instance> {
    match readiness(machine) {
        Readiness::Ready(instance) => return Ok(instance),
        Readiness::Never(error) => return Err(error),
        Readiness::NotYet => {}
    }
    let Some(limit) = selector.wait else {
        return Err(not_yet(machine, selector));
    };
    let provider = machine.provider.clone().unwrap_or_default();
    let mut ask = || {
        let listed = provider::list(&provider, watch)?.into_iter().find(|listed| listed.id == machine.id);
        Ok(listed.map(|listed| machine.renewed(listed, &config.ssh)))
    };
    let name = printable(&machine.name);
    let progress = Progress::new(&name, &format!("{name} to boot"), limit, selector.quiet);
    let outcome = poll(machine, limit, &mut ask, &mut |time| watch.sleep(time));
    progress.finish(outcome.is_ok().then_some("is active"));
    outcome
}

/// Polls until the machine is reachable or `limit` has passed. `sleep` returns true if a signal interrupted
/// it.
fn poll(
    machine: &Machine,
    limit: Duration,
    ask: &mut Lookup<'_>,
    sleep: &mut dyn FnMut(Duration) -> bool,
) -> Result<Instance> {
    let name = printable(&machine.name);
    let begun = Instant::now();
    let mut waited = Duration::ZERO;
    let mut failures = 0;
    loop {
        let pause = (INTERVAL * 2u32.pow(failures)).min(INTERVAL_MAX);
        if waited + pause > limit {
            let interrupted = sleep(limit.saturating_sub(waited));
            return Err(if interrupted { Error::interrupted() } else { too_long(&name, limit) });
        }
        if sleep(pause) {
            return Err(Error::interrupted());
        }
        // Polls take time, too.
        waited = (waited + pause).max(begun.elapsed());
        match ask() {
            Ok(Some(machine)) => match readiness(&machine) {
                Readiness::Ready(instance) => return Ok(instance),
                Readiness::Never(error) => return Err(error),
                Readiness::NotYet => failures = 0,
            },
            Ok(None) => {
                return Err(Error::failed(format!("the instance {name} is gone"))
                    .with_hint("its provider no longer lists it; list yours: soong status"));
            }
            Err(error) => {
                failures += 1;
                if failures == FAILURES_MAX {
                    return Err(error);
                }
            }
        }
    }
}

fn not_yet(machine: &Machine, selector: &Selector<'_>) -> Error {
    let name = printable(&machine.name);
    let what = match machine.status {
        Status::Booting => "is still booting",
        _ => "has no address yet",
    };
    let which = match selector.wanted {
        Some(wanted) => format!(" {}", instance::as_argument(wanted)),
        None => String::new(),
    };
    Error::failed(format!("the instance {name} {what}"))
        .with_hint(format!("wait for it: soong tunnel start{which} --wait"))
}

fn too_long(name: &str, limit: Duration) -> Error {
    let shown = humantime::format_duration(limit);
    let error = Error::failed(format!("the instance {name} is still booting after {shown}"));
    match limit.as_secs() {
        WAIT_MAX => error.with_hint("check it in your provider's console"),
        seconds => error.with_hint(format!("wait longer: --wait={}", (seconds * 2).min(WAIT_MAX))),
    }
}

#[cfg(test)]
mod tests;
