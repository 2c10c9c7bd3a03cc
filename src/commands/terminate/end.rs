//! The end of one instance: tunnel, request, and the wait until the provider says that it is gone.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::setting::Setting;
use crate::error::{Error, Result};
use crate::instances::inventory::{self, Machine, Status};
use crate::instances::provider::rental::Provider;
use crate::instances::provider::{self, Code};
use crate::ledger::{self, Entry, Event};
use crate::runtime::registry;
use crate::system::paths;
use crate::system::spinner::Spinner;
use crate::system::time::now;
use crate::terminal::{print_error, printable};

/// Pause before the second look at the provider's list; later ones grow.
const PAUSE: Duration = Duration::from_secs(2);
/// Longest pause between two looks.
const PAUSE_MAX: Duration = Duration::from_secs(15);
/// Longest wait for the end.
const PATIENCE: Duration = Duration::from_secs(600);
/// Number of requests of which the provider may refuse all but the last as too frequent, or lose the answer.
const TRIES: u32 = 6;
/// Failures in a row of the provider's list that end the wait.
const FAILURES_MAX: u32 = 5;

/// Ends `machine`, with its tunnel first; returns once it is gone.
pub(super) fn end(machine: &Machine, setting: &Setting) -> Result<()> {
    stop_tunnel(machine, setting)?;
    let provider = machine.provider.as_deref().unwrap_or_default();
    enter(setting, &entry(machine, provider, Event::TerminateAsked));
    let _spinner = Spinner::new(&format!("Terminating {}", printable(&machine.name)));
    if request(machine, provider, setting)? {
        return wait_until_gone(machine, provider, setting);
    }
    enter(setting, &entry(machine, provider, Event::Ended).because("terminated by soong"));
    Ok(())
}

fn entry(machine: &Machine, provider: &str, event: Event) -> Entry {
    Entry::new(now(), event, provider).about(Some(&machine.id), Some(&machine.name))
}

/// Writes to the ledger. A failure must not keep an instance alive that costs money.
fn enter(setting: &Setting, entry: &Entry) {
    if let Err(error) = ledger::append(&setting.paths, std::slice::from_ref(entry)) {
        print_error(&format!("soong-terminate: warning: {error}\n"));
    }
}

/// Stops the tunnel to `machine`, if one is running.
fn stop_tunnel(machine: &Machine, setting: &Setting) -> Result<()> {
    let survey = registry::survey(&setting.paths)?;
    let is_of = |id: &str| id == machine.id;
    let tunnel = survey.running.iter().find_map(|running| {
        running.state.as_ref().map(|state| &state.instance).filter(|instance| is_of(&instance.id))
    });
    let Some(tunnel) = tunnel else { return Ok(()) };
    let program =
        paths::sibling("soong-tunnel").map_err(|error| Error::cannot("find soong-tunnel", error))?;
    let mut command = Command::new(program);
    command.args(["stop", "--", &tunnel.name]).stdin(Stdio::null());
    let status = command.status().map_err(|error| Error::cannot("run soong-tunnel", error))?;
    if !status.success() {
        print_error(&format!(
            "soong-terminate: warning: the tunnel to {} did not stop\n",
            printable(&machine.name)
        ));
    }
    Ok(())
}

/// Requests the end; returns false if the instance was gone already. A request that is repeated ends nothing
/// else, so one whose answer was lost is sent again.
fn request(machine: &Machine, name: &str, setting: &Setting) -> Result<bool> {
    let provider = Provider::new(name, &setting.watch);
    for attempt in 1.. {
        let Err(refused) = provider.terminate(&machine.id) else { return Ok(true) };
        if setting.watch.interrupted() {
            return Err(interrupted(machine));
        }
        let pause = match refused.code {
            Code::NotFound => return Ok(false),
            Code::RateLimited if attempt < TRIES => refused.retry_after.unwrap_or(PAUSE * attempt),
            Code::UnknownOutcome if attempt < TRIES => PAUSE * attempt,
            _ => {
                let name = printable(&machine.name).into_owned();
                return Err(Error::from(refused)
                    .with_hint(format!("{name} may still run and cost money; check: soong status")));
            }
        };
        if setting.watch.sleep(pause) {
            return Err(interrupted(machine));
        }
    }
    Ok(true)
}

fn wait_until_gone(machine: &Machine, provider: &str, setting: &Setting) -> Result<()> {
    let begun = Instant::now();
    let (mut pause, mut failures) = (PAUSE, 0);
    loop {
        match provider::list(provider, &setting.watch) {
            Ok(listed) => {
                failures = 0;
                let mine = listed.iter().find(|listed| listed.id == machine.id);
                if mine.is_none_or(|mine| matches!(mine.status, Status::Terminated | Status::Preempted)) {
                    // The end is entered before its absence is noticed.
                    let ended = entry(machine, provider, Event::Ended).because("terminated by soong");
                    enter(setting, &ended);
                    inventory::record(&setting.paths, provider, &listed, &setting.config);
                    return Ok(());
                }
            }
            Err(_) if setting.watch.interrupted() => return Err(interrupted(machine)),
            Err(error) => {
                failures += 1;
                if failures == FAILURES_MAX {
                    let name = printable(&machine.name);
                    return Err(error.with_hint(format!(
                        "the provider has accepted the end of {name}; check it: soong status"
                    )));
                }
            }
        }
        if begun.elapsed() > PATIENCE {
            let (name, limit) = (printable(&machine.name), PATIENCE.as_secs() / 60);
            return Err(Error::failed(format!("{name} is still not gone after {limit} min"))
                .with_hint("check it in your provider's console"));
        }
        if setting.watch.sleep(pause) {
            return Err(interrupted(machine));
        }
        pause = (pause * 3 / 2).min(PAUSE_MAX);
    }
}

fn interrupted(machine: &Machine) -> Error {
    let name = printable(&machine.name);
    Error::failed(format!(
        "interrupted; the end of {name} was requested, and {name} costs money until it is gone"
    ))
    .with_hint("check it: soong status")
}
