//! Choice of a running tunnel, and errors if there is none.

use crate::config::Config;
use crate::config::instance;
use crate::error::{Error, Result};
use crate::instances::inventory::{self, Inventory, Machine};
use crate::runtime::registry::{Running, Survey};
use crate::runtime::state::Target;
use crate::suggest;
use crate::system::paths::Paths;
use crate::terminal::printable;

/// Returns true if `wanted` means the instance `target`: by name, id or the start of its id.
pub fn is_meant(target: &Target, wanted: &str) -> bool {
    target.name == wanted || !wanted.is_empty() && target.id.starts_with(wanted)
}

/// Leaves only the tunnel to the instance `wanted` in `survey`. If it does not run, returns the hint about those that
/// do. Fails if there is no such instance.
pub fn narrow(survey: &mut Survey, wanted: &str, paths: &Paths) -> Result<Option<String>> {
    if let Some(error) = unknown(wanted, survey, paths) {
        return Err(with_running(error, survey));
    }
    let meant = survey.take(Some(wanted))?;
    let others = running(survey).filter(|_| meant.is_none());
    survey.running = meant.into_iter().collect();
    survey.failed.retain(|state| is_meant(&state.instance, wanted));
    Ok(others)
}

/// Returns the error if no tunnel that `wanted` means is running, with the command that starts one.
pub fn absent(wanted: Option<&str>, survey: &Survey, paths: &Paths) -> Error {
    let Some(wanted) = wanted else {
        return Error::failed("no tunnel is running").with_hint("start a tunnel: soong tunnel start");
    };
    let error = unknown(wanted, survey, paths).unwrap_or_else(|| {
        let name = instance::as_argument(wanted);
        without_tunnel(wanted).with_hint(format!("start a tunnel: soong tunnel start {name}"))
    });
    with_running(error, survey)
}

/// Returns the error if no tunnel that `wanted` means can be stopped.
pub fn not_running(wanted: &str, survey: &Survey, paths: &Paths) -> Error {
    with_running(unknown(wanted, survey, paths).unwrap_or_else(|| without_tunnel(wanted)), survey)
}

fn without_tunnel(instance: &str) -> Error {
    Error::failed(format!("no tunnel to '{}' is running", printable(instance)))
}

/// Returns the error for an unknown instance, judged by cached data.
pub fn unknown(wanted: &str, survey: &Survey, paths: &Paths) -> Option<Error> {
    if name_of(wanted, survey, paths).is_some() {
        return None;
    }
    let machines = machines(paths);
    let names = targets(survey).flat_map(|target| [target.name.as_str(), target.id.as_str()]);
    let names = names.chain(machines.iter().flat_map(|machine| [machine.name.as_str(), machine.id.as_str()]));
    Some(suggest::unknown_instance(wanted, names, &inventory::listing(&machines)))
}

/// Returns the name of the instance that `wanted` means, from cached data: of a tunnel, the config, or a
/// provider's last answer.
pub fn name_of(wanted: &str, survey: &Survey, paths: &Paths) -> Option<String> {
    let by_tunnel = targets(survey).find(|target| is_meant(target, wanted)).map(|target| target.name.clone());
    by_tunnel.or_else(|| {
        let is_meant = |machine: &&Machine| {
            machine.name == wanted
                || machine.unique_name() == wanted
                || !wanted.is_empty() && machine.id.starts_with(wanted)
        };
        machines(paths).iter().find(is_meant).map(Machine::unique_name)
    })
}

/// Returns the instances with a running or failed tunnel.
fn targets(survey: &Survey) -> impl Iterator<Item = &Target> {
    let running = survey.running.iter().filter_map(|running| running.state.as_ref());
    running.chain(&survey.failed).map(|state| &state.instance)
}

/// Returns the instances of the config and of providers' last answers. Other commands report an invalid
/// config.
fn machines(paths: &Paths) -> Vec<Machine> {
    Config::load(paths).map(|config| Inventory::cached(&config, paths).machines).unwrap_or_default()
}

/// Adds the hint of [`running`].
pub fn with_running(error: Error, survey: &Survey) -> Error {
    running(survey).into_iter().fold(error, Error::with_hint)
}

/// Returns `running: dev, staging`; `None` if no tunnel is running.
pub fn running(survey: &Survey) -> Option<String> {
    let names = suggest::listing(survey.running.iter().map(Running::shown_name));
    (!names.is_empty()).then(|| format!("running: {names}"))
}
