//! A running tunnel in place of a new one, for `run` and `start --if-needed`.

use std::time::Instant;

use super::arguments::StartArguments;
use super::phase_text::doing;
use super::wait;
use crate::config::Config;
use crate::config::instance;
use crate::error::{Error, Result};
use crate::runtime::registry;
use crate::runtime::state::{Phase, State};
use crate::supervisor::protocol::event::Event;
use crate::supervisor::protocol::progress::{Report, Style, arrow};
use crate::system::paths::Paths;
use crate::terminal::{print, printable};

/// Returns the state of the running tunnel that `arguments` mean once it is up; `None` if none runs. `takes_idle` is true
/// for a caller to whom open ports are enough. Fails if the tunnel lacks what the arguments ask for.
pub fn find(arguments: &StartArguments, takes_idle: bool, paths: &Paths) -> Result<Option<State>> {
    let Some(running) = registry::survey(paths)?.take(arguments.choice.instance_id.as_deref())? else {
        return Ok(None);
    };
    drop(running.supervisor);
    let limit = Config::load(paths)?.ssh.connect_timeout;
    let state = match running.state {
        Some(state) if takes_idle && state.phase == Phase::Idle => Some(state),
        _ => wait::until_up(&running.directory, Instant::now() + limit)?,
    };
    if let Some(state) = &state {
        refuse_other_ports(arguments, state, paths)?;
    }
    Ok(state)
}

/// Refuses requests for other ports and forwards than the running tunnel has.
fn refuse_other_ports(arguments: &StartArguments, state: &State, paths: &Paths) -> Result<()> {
    let carries = |service: &str, port| state.service(service).is_some_and(|service| service.local == port);
    let lacks = |what: String| {
        let name = instance::as_argument(&state.instance.name);
        Err(Error::failed(format!("the running tunnel does not have {}", printable(&what)))
            .with_hint(format!(
                "drop the option to use that tunnel, or stop it first: soong tunnel stop {name}"
            ))
            .with_hint(format!("or replace it: soong tunnel restart {name}, with the same options")))
    };
    if let Some(wanted) = arguments.local_ports().iter().find(|it| !carries(&it.service, it.port)) {
        return lacks(format!("{} on local port {}", wanted.service, wanted.port));
    }
    let typed = arguments.forward.iter().chain(&arguments.remote).chain(&arguments.socks);
    let mut typed = typed.map(|spec| spec.clone().expanded(paths));
    match typed.find(|spec| !state.others().any(|forward| forward.spec == *spec)) {
        Some(spec) => lacks(format!("the forward {spec}")),
        None => Ok(()),
    }
}

/// Shows a tunnel that runs already.
pub fn show(state: &State, style: Style) -> Result<()> {
    match style {
        Style::Quiet => Ok(()),
        Style::Json => {
            let forwards = state.forwards.clone();
            let is_idle = state.phase == Phase::Idle;
            Report::of(state, style).show(&if is_idle {
                Event::Idle { forwards }
            } else {
                Event::Up { forwards }
            });
            Ok(())
        }
        Style::Normal | Style::Verbose => {
            let host = &state.instance.host;
            let lines: String = state.forwards.iter().map(|forward| arrow(forward, host)).collect();
            print(&format!("Tunnel is {} (PID: {})\n{lines}", doing(state.phase), state.pid))
                .map_err(Error::output)
        }
    }
}
