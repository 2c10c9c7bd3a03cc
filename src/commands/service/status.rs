//! `soong service status`.

use serde::Serialize;

use super::arguments::StatusArguments;
use super::definition::Definition;
use super::manager::Manager;
use crate::command_line;
use crate::error::{EXIT_NOT_RUNNING, Result};
use crate::runtime::liveness::TunnelStatus;
use crate::runtime::registry::{self, Survey};
use crate::system::paths::Paths;
use crate::terminal::printable;

/// Output of `--json`.
#[derive(Serialize)]
struct Answer<'a> {
    services: Vec<Service<'a>>,
}

#[derive(Serialize)]
struct Service<'a> {
    name: &'a str,
    id: &'a str,
    file: String,
    enabled: bool,
    /// The service manager's word; null if it does not run.
    #[serde(rename = "service")]
    state: Option<String>,
    /// Value of `--on-demand`.
    on_demand: Option<&'a str>,
    /// State of the tunnel, also of one that was started otherwise; null if none runs.
    tunnel: Option<TunnelStatus>,
}

/// Shows the services. Returns the exit code.
pub fn status(arguments: &StatusArguments, manager: &Manager, paths: &Paths) -> Result<u8> {
    let installed = manager.installed()?;
    let mut survey = registry::survey(paths)?;
    let services: Vec<Service<'_>> =
        installed.iter().map(|definition| service(definition, &mut survey, manager)).collect();
    let code = if services.is_empty() { EXIT_NOT_RUNNING } else { 0 };
    command_line::print(&if arguments.json { json(services)? } else { plain(&services) })?;
    Ok(code)
}

fn service<'a>(definition: &'a Definition, survey: &mut Survey, manager: &Manager) -> Service<'a> {
    let label = definition.label();
    let is_meant = |id: &str| id == definition.id;
    let running = survey
        .running
        .iter_mut()
        .find(|running| running.state.as_ref().is_some_and(|state| is_meant(&state.instance.id)));
    Service {
        name: &definition.name,
        id: &definition.id,
        file: manager.file(&label).display().to_string(),
        enabled: manager.is_enabled(&label),
        state: manager.state(&label),
        on_demand: definition.on_demand.as_deref(),
        tunnel: running.map(TunnelStatus::of),
    }
}

fn plain(services: &[Service<'_>]) -> String {
    if services.is_empty() {
        return "No tunnel starts at login\n".to_owned();
    }
    services.iter().map(line).collect()
}

/// Returns `dev: starts at login, service active, tunnel idle`.
fn line(service: &Service<'_>) -> String {
    let login = if service.enabled { "starts at login" } else { "does not start at login" };
    let state = match &service.state {
        Some(word) => format!("service {}", printable(word)),
        None => "no service manager is running for you now".to_owned(),
    };
    let tunnel = match service.tunnel {
        None => "tunnel not running".to_owned(),
        Some(doing) => serde_json::to_string(&doing)
            .map_or_else(|_| String::new(), |word| format!("tunnel {}", word.trim_matches('"'))),
    };
    format!("{}: {login}, {state}, {tunnel}\n", printable(service.name))
}

fn json(services: Vec<Service<'_>>) -> Result<String> {
    command_line::json_line(&Answer { services })
}
