//! Checks of the key and of a login.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::finding::{Finding, Findings};
use crate::config::Config;
use crate::config::instance::Instance;
use crate::openssh::Login;
use crate::openssh::failure::{self, SshOutput};
use crate::system::child::{self, Limits};
use crate::system::paths::{self, Paths};
use crate::system::signals::Watch;

/// Limits for programs that read a key.
const LIMITS: Limits = Limits { time: Duration::from_secs(5), output: 1 << 16 };
/// Time for a login beyond ssh's own time limit.
const PATIENCE: Duration = Duration::from_secs(10);

/// Checks the key for `instance`. Returns the login if ssh can use one.
pub(super) fn check_key(
    instance: &Instance,
    config: &Config,
    paths: &Paths,
    findings: &mut Findings,
    watch: &Watch,
) -> Option<Login> {
    let login = match Login::resolve(instance, &config.ssh, paths) {
        Ok(login) => login,
        Err(error) => {
            findings.add(Finding::error("key", &error));
            return None;
        }
    };
    if login.entry.has_keys {
        findings.add(Finding::ok("key", "as your ssh_config says"));
    } else if login.keys.files.is_empty() {
        findings.add(no_file(watch));
    }
    for file in &login.keys.files {
        findings.add(key(file, paths, watch));
    }
    Some(login)
}

fn no_file(watch: &Watch) -> Finding {
    let in_agent = agent_keys(watch).len();
    if in_agent > 0 {
        return Finding::ok("key", format!("none in ~/.ssh; {in_agent} in the agent"));
    }
    Finding::warning("key", "none in ~/.ssh and none in an agent")
        .command(["soong", "configure"])
        .advice("or create one: ssh-keygen -t ed25519")
}

/// Checks that ssh can use `file` without asking for a passphrase.
fn key(file: &Path, paths: &Paths, watch: &Watch) -> Finding {
    let (shown, path) = (paths.abbreviate(file), file.to_string_lossy().into_owned());
    if let Some(fingerprint) = fingerprint(file, watch)
        && agent_keys(watch).contains(&fingerprint)
    {
        return Finding::ok("key", format!("{shown}, in the agent"));
    }
    let mut command = Command::new("ssh-keygen");
    // The empty passphrase is no secret.
    command.args(["-y", "-P", "", "-f"]).arg(file).stdin(Stdio::null());
    match child::run(&mut command, LIMITS, watch) {
        Ok(outcome) if outcome.status.success() => Finding::ok("key", shown),
        Ok(outcome) if outcome.stderr.contains("passphrase") && paths::has_ssh_agent() => {
            Finding::warning("key", format!("{shown} has a passphrase, and the agent does not have it"))
                .command(["ssh-add".to_owned(), path])
        }
        Ok(outcome) if outcome.stderr.contains("passphrase") => {
            Finding::warning("key", format!("{shown} has a passphrase, and no agent is running"))
                .advice("start one, so that a tunnel can come back by itself: eval \"$(ssh-agent)\"; ssh-add")
        }
        Ok(outcome) => {
            let reason = outcome.stderr.lines().last().unwrap_or("ssh-keygen cannot read it").to_owned();
            Finding::warning("key", format!("{shown}: {reason}"))
        }
        Err(fault) => Finding::warning("key", format!("{shown}: cannot run ssh-keygen: {fault}")),
    }
}

/// Returns the fingerprint of a key, from `ssh-keygen -l`: `256 SHA256:… comment (ED25519)`.
fn fingerprint(file: &Path, watch: &Watch) -> Option<String> {
    let mut command = Command::new("ssh-keygen");
    let outcome = child::run(command.arg("-lf").arg(file).stdin(Stdio::null()), LIMITS, watch).ok()?;
    String::from_utf8_lossy(&outcome.stdout).split_whitespace().nth(1).map(str::to_owned)
}

/// Returns the fingerprints of the agent's keys, from `ssh-add -l`.
fn agent_keys(watch: &Watch) -> Vec<String> {
    if !paths::has_ssh_agent() {
        return Vec::new();
    }
    let outcome = child::run(Command::new("ssh-add").arg("-l").stdin(Stdio::null()), LIMITS, watch);
    let Ok(outcome) = outcome else { return Vec::new() };
    let text = String::from_utf8_lossy(&outcome.stdout).into_owned();
    text.lines().filter_map(|line| line.split_whitespace().nth(1)).map(str::to_owned).collect()
}

/// Logs in without questions. Returns true if that works.
pub(super) fn check_login(login: &Login, findings: &mut Findings, watch: &Watch) -> bool {
    let begun = Instant::now();
    let limits = Limits { time: Duration::from_secs(login.connect_timeout) + PATIENCE, output: 1 << 16 };
    let mut command = Command::new(&login.program);
    // The connection to the server itself ends when its greeting has been written to a closed pipe, or at once if the
    // server does not allow it.
    command.args(login.stdio_arguments("localhost", 22)).stdin(Stdio::null());
    let message = format!("Logging in to {}", login.instance.host);
    let outcome = findings.wait(&message, || child::run(&mut command, limits, watch));
    let at = format!("{}@{}", login.user(), login.instance.host);
    let said = match outcome {
        Ok(outcome) if outcome.status.success() || !outcome.stdout.is_empty() => {
            return findings.add(Finding::ok("login", at).took(begun.elapsed()));
        }
        Ok(outcome) => outcome.stderr,
        Err(fault) => {
            return findings.add(Finding::failed("login", format!("{at}: {fault}")).took(begun.elapsed()));
        }
    };
    // The login worked if ssh got as far as a forward.
    if said.contains("open failed") || said.contains("stdio forwarding failed") {
        return findings.add(Finding::ok("login", at).took(begun.elapsed()));
    }
    let failure =
        failure::classify(&SshOutput { log: said.lines().map(str::to_owned).collect(), others: Vec::new() });
    let finding = Finding::failed("login", failure.reason).took(begun.elapsed());
    findings.add(failure::hints(failure.kind, login, 0).into_iter().fold(finding, Finding::advice))
}
