//! Checks of the running tunnel: its state, its services, and the status daemon.

use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use super::finding::{Finding, Findings};
use crate::config::Config;
use crate::config::instance::Instance;
use crate::daemon::{self, client};
use crate::error::Result;
use crate::runtime::liveness::TunnelStatus;
use crate::runtime::registry::{self, Running};
use crate::runtime::state::{Phase, State};
use crate::system::paths::{self, Paths};
use crate::system::time::{lasting, now, span};
use crate::terminal::printable;

/// Checks the tunnel to `instance`. Returns its state if it runs.
pub(super) fn check(instance: &Instance, paths: &Paths, findings: &mut Findings) -> Result<Option<State>> {
    const CHECK: &str = "tunnel";
    let mut survey = registry::survey(paths)?;
    let is_ours = |state: &State| state.instance.id == instance.id;
    let running = survey.running.iter_mut().find(|running| running.state.as_ref().is_some_and(is_ours));
    let Some(running) = running else {
        let failed = survey.failed.iter().find(|state| is_ours(state));
        let name = quoted(instance);
        findings.add(match failed {
            Some(state) => {
                let reason = state.last_error.as_deref().unwrap_or("no reason given");
                let ago = span(now().saturating_sub(state.since));
                Finding::warning(CHECK, format!("failed {ago} ago: {reason}")).command([
                    "soong",
                    "tunnel",
                    "start",
                    "--instance-id",
                    &instance.name,
                ])
            }
            None => Finding::ok(CHECK, format!("not running; start it: soong tunnel start {name}")),
        });
        return Ok(None);
    };
    let Some(state) = running.state.clone() else { return Ok(None) };
    findings.add(condition(running, &state, instance));
    if is_outdated(running.supervisor.pid()) {
        let text = "its supervisor is from before the last installation of soong";
        findings.add(Finding::warning(CHECK, text).command(["soong", "tunnel", "restart", &instance.name]));
    }
    if state.phase == Phase::Up {
        services(instance, findings);
    }
    Ok(Some(state))
}

fn condition(running: &mut Running, state: &State, instance: &Instance) -> Finding {
    const CHECK: &str = "tunnel";
    let pid = running.supervisor.pid();
    let time = lasting(now().saturating_sub(state.since));
    let reason = || state.last_error.clone().unwrap_or_default();
    match TunnelStatus::of(running) {
        TunnelStatus::Unresponsive => {
            Finding::failed(CHECK, format!("its supervisor (PID {pid}) does not respond"))
                .advice(format!("if it was suspended, resume it: kill -CONT {pid}"))
                .command(["soong", "tunnel", "restart", &instance.name])
        }
        TunnelStatus::Phase(Phase::Up) => Finding::ok(CHECK, format!("up{time} (PID {pid})")),
        TunnelStatus::Phase(Phase::Idle) if state.blocked.is_some() => {
            Finding::failed(CHECK, format!("idle, and cannot connect: {}", reason())).command([
                "soong",
                "tunnel",
                "wait",
                &instance.name,
            ])
        }
        TunnelStatus::Phase(Phase::Idle) => {
            Finding::ok(CHECK, format!("idle{time}; ssh starts with the next connection (PID {pid})"))
        }
        TunnelStatus::Phase(Phase::Starting) => Finding::ok(CHECK, format!("starting{time} (PID {pid})")),
        TunnelStatus::Phase(Phase::Reconnecting) => {
            Finding::failed(CHECK, format!("reconnecting{time}: {}", reason()))
                .advice("it retries by itself; what is wrong stands above, or has just passed")
        }
        TunnelStatus::Phase(Phase::Failed) => Finding::failed(CHECK, format!("failed: {}", reason())),
    }
}

/// Returns true if the program of the process was deleted or replaced, as by an upgrade. Only Linux tells.
fn is_outdated(pid: u32) -> bool {
    let program = std::fs::read_link(Path::new("/proc").join(pid.to_string()).join("exe"));
    program.is_ok_and(|program| program.to_string_lossy().ends_with(" (deleted)"))
}

/// Checks the services as `soong tunnel status --check` does.
fn services(instance: &Instance, findings: &mut Findings) {
    let asked = findings.wait("Asking the services", || {
        let program = paths::sibling("soong-tunnel").ok()?;
        let mut command = Command::new(program);
        command.args(["status", "--check", "--json", "--", &instance.name]).stdin(Stdio::null());
        serde_json::from_slice::<Value>(&command.output().ok()?.stdout).ok()
    });
    let Some(answer) = asked else {
        findings.add(Finding::warning("services", "'soong tunnel status --check' gave no answer"));
        return;
    };
    for check in answer["tunnels"][0]["checks"].as_array().into_iter().flatten() {
        findings.add(service(check, instance));
    }
}

/// Returns the finding for one result of `--check`, whose format `docs/json.md` describes.
fn service(check: &Value, instance: &Instance) -> Finding {
    let text = |key: &str| check[key].as_str().unwrap_or_default();
    let status = check["http_status"].as_u64().map(|status| format!("HTTP {status}"));
    let details = [status, Some(text("model").to_owned()), Some(text("reason").to_owned())];
    let details: Vec<String> = details.into_iter().flatten().filter(|text| !text.is_empty()).collect();
    let what = format!("{} is {}", text("service"), text("state").replace('-', " "));
    let what = if details.is_empty() { what } else { format!("{what}: {}", details.join(", ")) };
    match text("state") {
        "answering" | "open" => Finding::ok("service", what),
        _ => Finding::failed("service", what)
            .advice(format!("check it on the instance: soong ssh {}", quoted(instance))),
    }
}

/// Checks the status daemon of `instance`.
pub(super) fn check_daemon(instance: &Instance, config: &Config, paths: &Paths, findings: &mut Findings) {
    const CHECK: &str = "status daemon";
    let token = match client::token(&instance.id, &instance.name, config, paths) {
        Ok(Some(token)) => token,
        Ok(None) => {
            findings.add(Finding::ok(CHECK, "not set up: no lease, no idle shutdown"));
            return;
        }
        Err(error) => {
            findings.add(Finding::error(CHECK, &error));
            return;
        }
    };
    let request = daemon::status_request(token.expose());
    let answer =
        findings.wait("Asking the status daemon", || client::send(instance, config, paths, &request));
    findings.add(match answer.and_then(|answer| daemon::facts(&answer)) {
        Ok(facts) => {
            let lease =
                facts.lease_end.map(|end| format!("lease ends in {}", span(end.saturating_sub(now()))));
            let facts: Vec<String> = [lease, facts.why].into_iter().flatten().collect();
            Finding::ok(CHECK, if facts.is_empty() { "answers".to_owned() } else { facts.join("; ") })
        }
        Err(error) => Finding::error(CHECK, &error),
    });
}

/// Returns the instance's name quoted for a shell.
fn quoted(instance: &Instance) -> String {
    printable(&shell_words::quote(&instance.name)).into_owned()
}
