//! `soong tunnel wait`: waits until the tunnel is up, and optionally until a service answers through it.

use std::thread::sleep;
use std::time::{Duration, Instant};

use super::arguments::WaitArguments;
use super::{check, choice, status, url};
use crate::error::{EXIT_NOT_RUNNING, Error, Result};
use crate::runtime::directory::Directory;
use crate::runtime::liveness::TunnelStatus;
use crate::runtime::registry::{self, Survey};
use crate::runtime::state::{Phase, State};
use crate::system::paths::Paths;
use crate::system::spinner::Spinner;
use crate::terminal::{print_error, printable};

/// Time between two checks of a tunnel.
const PAUSE: Duration = Duration::from_millis(50);
/// Time between two requests to a service.
const SERVICE_PAUSE: Duration = Duration::from_millis(500);

/// Waits as `arguments` say. Returns the exit code: 0 on success, 3 if no such tunnel is running.
pub fn wait(arguments: &WaitArguments, paths: &Paths) -> Result<u8> {
    let wanted = arguments.which.wanted()?;
    let limit = Duration::from_secs(arguments.timeout);
    let deadline = Instant::now() + limit;
    let mut survey = registry::survey(paths)?;
    let Some(running) = survey.take(wanted)? else {
        return none_runs(wanted, &survey, paths);
    };
    let directory = running.directory;
    drop(running.supervisor);
    let message =
        arguments.service.as_ref().map_or("the tunnel".to_owned(), |service| printable(service).into_owned());
    let spinner = Spinner::watching(&format!("Waiting for {message}"));
    let answer = match &arguments.service {
        None => until_up(&directory, deadline)?.map(drop),
        Some(service) => until_answering(&directory, service, deadline)?,
    };
    drop(spinner);
    if answer.is_none() {
        print_error("soong-tunnel: the tunnel was stopped\n");
        return Ok(EXIT_NOT_RUNNING);
    }
    Ok(0)
}

/// Reports that no such tunnel is running. Returns the exit code, or an error.
fn none_runs(wanted: Option<&str>, survey: &Survey, paths: &Paths) -> Result<u8> {
    let is_meant = |state: &&State| wanted.is_none_or(|name| choice::is_meant(&state.instance, name));
    if let Some(state) = survey.failed.iter().find(is_meant) {
        return Err(failed(state));
    }
    if let Some(error) = wanted.and_then(|name| choice::unknown(name, survey, paths)) {
        return Err(choice::with_running(error, survey));
    }
    choice::absent(wanted, survey, paths).report("soong-tunnel");
    Ok(EXIT_NOT_RUNNING)
}

/// Waits until the tunnel in `directory` is up; `None` if it was stopped. The error has the reason of a
/// failure, or the state at the deadline.
pub fn until_up(directory: &Directory, deadline: Instant) -> Result<Option<State>> {
    loop {
        let Some(mut running) = registry::running(directory)? else {
            return gone(directory);
        };
        match running.state.as_ref().map(|state| state.phase) {
            Some(Phase::Idle) if Instant::now() < deadline => {
                let left = deadline.saturating_duration_since(Instant::now());
                running.supervisor.open_link(left)?;
            }
            Some(Phase::Up) if TunnelStatus::of(&mut running).responds() => return Ok(running.state),
            Some(Phase::Up) if Instant::now() >= deadline => return Err(status::unresponsive(&running)),
            Some(Phase::Failed) => return gone(directory),
            _ if Instant::now() >= deadline => return Err(not_up(running.state.as_ref())),
            _ => sleep(PAUSE.min(deadline.saturating_duration_since(Instant::now()))),
        }
    }
}

/// Waits until `service` answers through the tunnel in `directory`; `None` if the tunnel was stopped.
fn until_answering(directory: &Directory, service: &str, deadline: Instant) -> Result<Option<()>> {
    loop {
        let Some(state) = until_up(directory, deadline)? else { return Ok(None) };
        let (state, _link) = check::open_link(directory, state);
        let service = url::service(&state, service)?;
        let finding = check::examine_service(directory, &state, service.name)?;
        if finding.is_well() {
            return Ok(Some(()));
        }
        if Instant::now() >= deadline {
            return Err(Error::failed(format!("{} is {}", service.name, finding.text()))
                .with_hint("wait longer with --timeout, or check the service: soong ssh"));
        }
        sleep(SERVICE_PAUSE.min(deadline.saturating_duration_since(Instant::now())));
    }
}

/// Returns the error for a tunnel that no longer runs.
fn gone(directory: &Directory) -> Result<Option<State>> {
    match State::read(directory) {
        Some(state) if state.phase == Phase::Failed => Err(failed(&state)),
        _ => Ok(None),
    }
}

fn failed(state: &State) -> Error {
    let reason = state.last_error.as_deref().unwrap_or("no reason given");
    let name = printable(&state.instance.name);
    let error = Error::failed(format!("the tunnel to {name} failed: {}", printable(reason)));
    state.hints.iter().fold(error, |error, hint| error.with_hint(printable(hint)))
}

fn not_up(state: Option<&State>) -> Error {
    let Some(state) = state else { return Error::failed("the tunnel is still starting") };
    let name = printable(&state.instance.name);
    match (&state.last_error, state.phase) {
        (_, Phase::Idle) => Error::failed(format!("the tunnel to {name} is idle")),
        (Some(reason), Phase::Reconnecting) => {
            let attempt = state.attempt;
            Error::failed(format!(
                "the tunnel to {name} is reconnecting (attempt {attempt}): {}",
                printable(reason)
            ))
        }
        _ => Error::failed(format!("the tunnel to {name} is still starting")),
    }
    .with_hint("wait longer with --timeout")
}
