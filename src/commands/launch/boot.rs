//! Waits until a launched instance is active, and until its SSH server answers.

use std::time::{Duration, Instant};

use super::setting::{Existence, Rented, Setting};
use super::steps::Step;
use crate::config::instance::Instance;
use crate::error::{Error, Result};
use crate::instances::inventory::{self, Selector, Status};
use crate::instances::provider;
use crate::instances::provider::answer::Listed;
use crate::openssh::{Login, greeting};
use crate::terminal::printable;

/// Longest time until an instance is active: large machines take ten minutes.
const BOOT: Duration = Duration::from_secs(1800);
/// Longest time from then until its SSH server answers.
const SERVER: Duration = Duration::from_secs(600);
/// Time in which the provider must have listed a new instance.
const LISTED: Duration = Duration::from_secs(120);
/// Pauses between looks; the last one repeats.
const PAUSES: [Duration; 4] =
    [Duration::from_millis(500), Duration::from_secs(1), Duration::from_secs(2), Duration::from_secs(5)];
/// Failures in a row of the provider that end the wait.
const FAILURES_MAX: u32 = 6;

/// Waits until `rented` is active and its SSH server answers; returns it as ssh reaches it.
pub(super) fn wait(rented: &Rented, setting: &Setting) -> Result<Instance> {
    let step = Step::begin(&format!("Waiting for {} to boot", rented.name));
    let listed = until_active(rented, setting)?;
    inventory::record(&setting.paths, &setting.provider, &listed, &setting.config);
    let selector = Selector { wanted: Some(&rented.id), ..Selector::default() };
    let instance = inventory::choose_cached(&selector, &setting.config, &setting.paths).ok_or_else(|| {
        Error::failed(format!("{} is active, but ssh does not accept its address", rented.name))
    })?;
    step.finish(&format!("{} is active at {}", rented.name, printable(&instance.host)));
    let step = Step::begin(&format!("Waiting for the SSH server of {}", rented.name));
    let login = Login::resolve(&instance, &setting.config.ssh, &setting.paths)?;
    greeting::wait(&login, SERVER, Instant::now(), true)?;
    step.finish("its SSH server answers");
    Ok(instance)
}

/// Polls the provider until the instance is active; returns the list in which it is.
fn until_active(rented: &Rented, setting: &Setting) -> Result<Vec<Listed>> {
    let begun = Instant::now();
    let mut failures = 0;
    for round in 0.. {
        if setting.watch.sleep(PAUSES[PAUSES.len().min(round + 1) - 1]) {
            return Err(Error::interrupted());
        }
        let listed = match provider::list(&setting.provider, &setting.watch) {
            Ok(listed) => listed,
            Err(_) if setting.watch.interrupted() => return Err(Error::interrupted()),
            Err(error) => {
                failures += 1;
                if failures == FAILURES_MAX {
                    return Err(error);
                }
                continue;
            }
        };
        failures = 0;
        match listed.iter().find(|listed| listed.id == rented.id) {
            Some(mine) if mine.status.is_final() => return Err(ended(rented, mine.status, &listed, setting)),
            Some(mine) if mine.status == Status::Active && mine.host.is_some() => return Ok(listed),
            None if begun.elapsed() > LISTED => {
                return Err(Error::failed(format!("the provider no longer lists {}", rented.name))
                    .with_hint("check it in your provider's console"));
            }
            _ => {}
        }
        if begun.elapsed() > BOOT {
            let limit = BOOT.as_secs() / 60;
            return Err(Error::failed(format!("{} is not active after {limit} min", rented.name)));
        }
    }
    unreachable!("the rounds do not end")
}

fn ended(rented: &Rented, status: Status, listed: &[Listed], setting: &Setting) -> Error {
    inventory::record(&setting.paths, &setting.provider, listed, &setting.config);
    if status != Status::Terminating {
        setting.exists(Existence::Nothing);
    }
    Error::failed(format!("{} is {} before it was active", rented.name, status.word()))
        .with_hint("launch another one: soong launch")
}
