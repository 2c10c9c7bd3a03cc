//! Steps after the boot: the status daemon and the tunnel, by soong's own programs, and the hook.

use std::ffi::OsStr;
use std::process::{Command, Stdio};
use std::time::Duration;

use super::setting::{Rented, Setting};
use super::steps::Step;
use crate::error::{Error, Result};
use crate::ledger::cost::dollars;
use crate::runtime::hook;
use crate::system::paths;
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

/// Runs the user's hook `launched` or `launch-failed`; reports its failure as a warning.
pub(super) fn notify(outcome: std::result::Result<&Rented, &Error>, setting: &Setting) {
    let event = if outcome.is_ok() { "launched" } else { "launch-failed" };
    let file = setting.paths.hooks().join(event);
    if std::fs::symlink_metadata(&file).is_err() || setting.watch.interrupted() {
        return;
    }
    let mut variables = vec![("SOONG_EVENT".to_owned(), event.to_owned())];
    let mut add = |name: &str, value: &str| variables.push((name.to_owned(), value.to_owned()));
    match outcome {
        Ok(rented) => {
            add("SOONG_INSTANCE_NAME", &rented.name);
            add("SOONG_INSTANCE_ID", &rented.id);
            add("SOONG_TYPE", &rented.type_name);
            add("SOONG_REGION", &rented.region);
            add("SOONG_PRICE", &dollars(rented.price_cents_per_hour));
            add("SOONG_REASON", "");
        }
        Err(error) => add("SOONG_REASON", &error.to_string()),
    }
    match hook::run(&file, &variables, &setting.watch) {
        Ok(lines) => lines.iter().for_each(|line| print_error(&format!("hook {event}: {line}\n"))),
        Err(error) => print_error(&format!("soong-launch: warning: hook {event}: {error}\n")),
    }
}
