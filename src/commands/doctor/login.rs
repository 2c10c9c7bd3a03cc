//! Checks of the key and of a login.

use std::path::Path;
use std::time::Instant;

use super::finding::{Finding, Findings};
use crate::config::Config;
use crate::config::instance::Instance;
use crate::openssh::key_file::{self, Lock};
use crate::openssh::{Login, agent, trial};
use crate::system::paths::{self, Paths};
use crate::system::signals::Watch;

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
    let in_agent = agent::fingerprints(watch);
    if login.entry.has_keys {
        findings.add(Finding::ok("key", "as your ssh_config says"));
    } else if login.keys.files.is_empty() {
        findings.add(no_file(in_agent.len()));
    }
    for file in &login.keys.files {
        let is_in_agent = agent::fingerprint(file, watch).is_some_and(|found| in_agent.contains(&found));
        findings.add(key(file, &login, is_in_agent, paths));
    }
    Some(login)
}

fn no_file(in_agent: usize) -> Finding {
    if in_agent > 0 {
        return Finding::ok("key", format!("none in ~/.ssh; {in_agent} in the agent"));
    }
    Finding::warning("key", "none in ~/.ssh and none in an agent")
        .command(["soong", "configure"])
        .advice("or create one: ssh-keygen -t ed25519")
}

/// Checks that ssh can use `file` without asking for a passphrase.
fn key(file: &Path, login: &Login, is_in_agent: bool, paths: &Paths) -> Finding {
    let (shown, path) = (paths.abbreviate(file), file.to_string_lossy().into_owned());
    if is_in_agent {
        return Finding::ok("key", format!("{shown}, in the agent"));
    }
    match key_file::check(file) {
        Ok(Lock::Open) => Finding::ok("key", shown),
        Ok(Lock::Passphrase) if paths::has_ssh_agent() => {
            Finding::warning("key", format!("{shown} has a passphrase, and the agent does not have it"))
                .command(["ssh-add".to_owned(), path])
        }
        Ok(Lock::Passphrase) => {
            Finding::warning("key", format!("{shown} has a passphrase, and no agent is running"))
                .advice("start one, so that a tunnel can come back by itself: eval \"$(ssh-agent)\"; ssh-add")
        }
        Err(error) if login.keys.named => Finding::error("key", &error),
        // Another key may fit.
        Err(error) => {
            let finding = Finding::warning("key", error.to_string());
            error.hints().into_iter().fold(finding, Finding::advice)
        }
    }
}

/// Logs in without questions. Returns true if that works.
pub(super) fn check_login(login: &Login, findings: &mut Findings, watch: &Watch) -> bool {
    let begun = Instant::now();
    let message = format!("Logging in to {}", login.instance.host);
    let outcome = findings.wait(&message, || trial::log_in(login, watch));
    let finding = match outcome {
        Ok(()) => Finding::ok("login", format!("{}@{}", login.user(), login.instance.host)),
        Err(refusal) => {
            refusal.hints.into_iter().fold(Finding::failed("login", refusal.reason), Finding::advice)
        }
    };
    findings.add(finding.took(begun.elapsed()))
}
