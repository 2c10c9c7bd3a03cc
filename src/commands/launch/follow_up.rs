//! Steps after the boot: the status daemon and the tunnel, by soong's own programs, and the hook.

use std::ffi::OsStr;
use std::process::{Command, Stdio};
use std::time::Duration;

use super::choice::Candidate;
use super::setting::{Rented, Setting};
use super::steps::Step;
use crate::error::{Error, Result};
use crate::ledger::cost::dollars;
use crate::runtime::hook;
use crate::system::paths::{self, Paths};
use crate::system::signals::Watch;
use crate::terminal::print_error;

/// Default hard limit of the status daemon.
const LIMIT: Duration = Duration::from_secs(8 * 3600);

/// Installs the status daemon, as `soong daemon install` does.
pub(super) fn guard(rented: &Rented, setting: &Setting) -> Result<()> {
    let step = Step::of_program(&format!("Installing the status daemon on {}", rented.name));
    let lease = humantime::format_duration(setting.time).to_string();
    let limit = humantime::format_duration(setting.time.max(LIMIT)).to_string();
    let arguments = ["install", "--lease", &lease, "--limit", &limit, "--", &rented.id];
    run("soong-daemon", &arguments, setting)?;
    step.finish("the status daemon guards it");
    Ok(())
}

/// Starts the tunnel, as `soong tunnel start` does, with its lines on stdout.
pub(super) fn tunnel(rented: &Rented, setting: &Setting) -> Result<()> {
    let step = Step::of_program("Starting the tunnel");
    run("soong-tunnel", &["start", "--instance-id", &rented.id], setting)?;
    // One on demand is idle so far, and the login is worth a try while the user looks.
    run("soong-tunnel", &["wait", "--instance-id", &rented.id], setting)?;
    step.finish("the tunnel is up");
    Ok(())
}

/// Runs one of soong's programs, which reports its own failure.
fn run(name: &str, arguments: &[&str], setting: &Setting) -> Result<()> {
    let program =
        paths::sibling(name).map_err(|source| Error::cannot(format_args!("find {name}"), source))?;
    let status =
        Command::new(program).args(arguments.iter().map(OsStr::new)).stdin(Stdio::inherit()).status();
    let status = status.map_err(|source| Error::cannot(format_args!("run {name}"), source))?;
    if setting.watch.interrupted() {
        return Err(Error::interrupted());
    }
    if status.success() { Ok(()) } else { Err(Error::failed(format!("{name} failed"))) }
}

/// Runs the user's hook `launched` or `launch-failed`.
pub(super) fn notify(outcome: std::result::Result<&Rented, &Error>, setting: &Setting) {
    match outcome {
        Ok(rented) => {
            let price = dollars(rented.price_cents_per_hour);
            let variables = [
                ("SOONG_INSTANCE_NAME", rented.name.as_str()),
                ("SOONG_INSTANCE_ID", &rented.id),
                ("SOONG_TYPE", &rented.type_name),
                ("SOONG_REGION", &rented.region),
                ("SOONG_PRICE", &price),
                ("SOONG_REASON", ""),
            ];
            run_hook("launched", &variables, &setting.paths, &setting.watch);
        }
        Err(error) => {
            let reason = error.to_string();
            run_hook("launch-failed", &[("SOONG_REASON", &reason)], &setting.paths, &setting.watch);
        }
    }
}

/// Runs the user's hook `capacity` for `candidate`, which has capacity after a wait.
pub(super) fn notify_capacity(candidate: &Candidate, name: &str, paths: &Paths, watch: &Watch) {
    let offer = &candidate.offer;
    let (price, place) = (dollars(offer.price_cents_per_hour), &candidate.region);
    let reason = format!("there is capacity for {} in {place}", offer.type_name);
    let variables = [
        ("SOONG_INSTANCE_NAME", name),
        ("SOONG_TYPE", &offer.type_name),
        ("SOONG_REGION", place),
        ("SOONG_PRICE", &price),
        ("SOONG_REASON", &reason),
    ];
    run_hook("capacity", &variables, paths, watch);
}

/// Runs the user's hook for `event`, if there is one; reports its failure as a warning.
fn run_hook(event: &str, variables: &[(&str, &str)], paths: &Paths, watch: &Watch) {
    let file = paths.hooks().join(event);
    if std::fs::symlink_metadata(&file).is_err() || watch.interrupted() {
        return;
    }
    let variables: Vec<(String, String)> = std::iter::once(&("SOONG_EVENT", event))
        .chain(variables)
        .map(|(name, value)| ((*name).to_owned(), value.replace('\0', "")))
        .collect();
    match hook::run(&file, &variables, watch) {
        Ok(lines) => lines.iter().for_each(|line| print_error(&format!("hook {event}: {line}\n"))),
        Err(error) => print_error(&format!("soong-launch: warning: hook {event}: {error}\n")),
    }
}
