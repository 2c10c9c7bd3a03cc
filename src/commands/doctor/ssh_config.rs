//! Check of the user's `ssh_config`: which of its settings a tunnel obeys.

use std::collections::BTreeMap;
use std::process::Command;
use std::time::Duration;

use super::finding::{Finding, Findings};
use crate::openssh::tunnel_keywords::Use;
use crate::openssh::{Login, tunnel_keywords};
use crate::system::child::{self, Limits};
use crate::system::signals::Watch;

/// Limits for an ssh that prints its settings.
const LIMITS: Limits = Limits { time: Duration::from_secs(5), output: 1 << 20 };
/// The line that repeats the host of the command line.
const HOST: &str = "host";

/// Reports the settings of the user's files for the host of `login`. Reports nothing if there are none, or if ssh
/// cannot read them: the login says why.
pub(super) fn check(login: &Login, findings: &mut Findings, watch: &Watch) {
    let (Some(with), Some(without)) = (settings(login, &[], watch), settings(login, &["-F", "none"], watch))
    else {
        return;
    };
    let changed = changed(&with, &without);
    let of = |wanted: Use| {
        let names = changed.iter().filter(|name| tunnel_keywords::of(name, login) == wanted);
        names.copied().collect::<Vec<_>>().join(", ")
    };
    let parts =
        [("obeyed", Use::Obeyed), ("replaced by config.toml", Use::Replaced), ("ignored", Use::Ignored)];
    let parts: Vec<String> = parts
        .into_iter()
        .map(|(word, wanted)| (word, of(wanted)))
        .filter(|(_, names)| !names.is_empty())
        .map(|(word, names)| format!("{word}: {names}"))
        .collect();
    if !parts.is_empty() {
        findings.add(Finding::ok("ssh_config", parts.join("; ")));
    }
}

/// Returns the values of each keyword, as ssh prints them for the host of `login`.
fn settings(login: &Login, more: &[&str], watch: &Watch) -> Option<BTreeMap<String, Vec<String>>> {
    let mut command = Command::new(&login.program);
    // The last -F counts.
    command.arg("-TG").args(&login.options).args(more).args(["--", &login.instance.host]);
    let outcome = child::run(&mut command, LIMITS, watch).ok().filter(|outcome| outcome.status.success())?;
    let mut settings: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for line in String::from_utf8_lossy(&outcome.stdout).lines() {
        let (keyword, value) = line.split_once(' ').unwrap_or((line, ""));
        settings.entry(keyword.to_owned()).or_default().push(value.to_owned());
    }
    Some(settings)
}

/// Returns the keywords with other values in `with` than in `without`.
fn changed<'a>(
    with: &'a BTreeMap<String, Vec<String>>,
    without: &BTreeMap<String, Vec<String>>,
) -> Vec<&'a str> {
    let differs = |(keyword, values): &(&String, &Vec<String>)| without.get(*keyword) != Some(*values);
    let changed = with.iter().filter(differs).map(|(keyword, _)| keyword.as_str());
    changed.filter(|keyword| *keyword != HOST).collect()
}
