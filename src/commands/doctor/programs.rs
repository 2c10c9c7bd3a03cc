//! Checks of the installed programs: soong's own, and ssh.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::finding::{Finding, Findings};
use crate::built_in::BUILT_IN;
use crate::system::child::{self, Limits};
use crate::system::paths;
use crate::system::signals::Watch;

/// Oldest version of OpenSSH that knows the options which a tunnel needs: see `openssh::login`.
const OLDEST_SSH: (u32, u32) = (7, 6);

/// Limits for `ssh -V`.
const LIMITS: Limits = Limits { time: Duration::from_secs(5), output: 1 << 12 };

/// Checks the installed programs.
pub(super) fn check(findings: &mut Findings, watch: &Watch) {
    findings.add(soong());
    findings.add(ssh(watch));
}

/// Checks that all programs of this package are together, and that no other soong is found first.
fn soong() -> Finding {
    const CHECK: &str = "soong";
    let Some(directory) = paths::own_directory() else {
        return Finding::failed(CHECK, "cannot find its own directory");
    };
    let mut needed: Vec<String> = BUILT_IN.iter().map(|(name, _)| format!("soong-{name}")).collect();
    needed.extend(["soong", "soong-supervisor", "soong-complete"].map(str::to_owned));
    let is_missing = |name: &String| !paths::is_executable(&directory.join(name));
    let missing: Vec<String> = needed.into_iter().filter(is_missing).collect();
    if !missing.is_empty() {
        let text = format!("missing in {}: {}", directory.display(), missing.join(", "));
        return Finding::failed(CHECK, text).advice("install soong again, all programs into one directory");
    }
    let found = several(&paths::search_path());
    let own = directory.join("soong");
    match found.as_slice() {
        [] => Finding::warning(CHECK, format!("{} is not on PATH", directory.display()))
            .advice("add that directory to PATH in your shell's startup file"),
        [only] if is_same(only, &own) => {
            Finding::ok(CHECK, format!("{} at {}", env!("CARGO_PKG_VERSION"), only.display()))
        }
        [first, ..] => {
            let all: Vec<String> = found.iter().map(|file| file.display().to_string()).collect();
            let text = format!("several on PATH, of which the first runs: {}", all.join(", "));
            let finding = Finding::warning(CHECK, text).advice("remove the one that you do not want");
            if is_same(first, &own) {
                finding
            } else {
                finding.advice(format!("this is soong-doctor of {}", directory.display()))
            }
        }
    }
}

/// Returns the different programs `soong` in `directories`.
fn several(directories: &[PathBuf]) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = Vec::new();
    for file in directories.iter().map(|directory| directory.join("soong")) {
        if paths::is_executable(&file) && !found.iter().any(|known| is_same(known, &file)) {
            found.push(file);
        }
    }
    found
}

fn is_same(one: &Path, other: &Path) -> bool {
    one == other || std::fs::canonicalize(one).ok() == std::fs::canonicalize(other).ok()
}

fn ssh(watch: &Watch) -> Finding {
    const CHECK: &str = "ssh";
    let Some(program) = paths::find_program("ssh") else {
        return Finding::failed(CHECK, "not found on PATH")
            .advice("install the OpenSSH client: 'apt install openssh-client' on Debian and Ubuntu");
    };
    let told = match child::run(Command::new(&program).arg("-V"), LIMITS, watch) {
        Ok(outcome) => outcome.stderr.lines().next().unwrap_or_default().to_owned(),
        Err(fault) => return Finding::failed(CHECK, format!("cannot run {}: {fault}", program.display())),
    };
    let text = format!("{} at {}", told.split(',').next().unwrap_or_default(), program.display());
    match version(&told) {
        None => Finding::warning(CHECK, text).advice("soong is made for OpenSSH; other clients may not work"),
        Some(found) if found < OLDEST_SSH => Finding::failed(CHECK, text)
            .advice(format!("install OpenSSH {}.{} or newer", OLDEST_SSH.0, OLDEST_SSH.1)),
        Some(_) => Finding::ok(CHECK, text),
    }
}

/// Returns the version in the output of `ssh -V`: `OpenSSH_9.2p1 Debian-2, OpenSSL 3.0`.
fn version(told: &str) -> Option<(u32, u32)> {
    let rest = told.strip_prefix("OpenSSH_")?;
    let (major, rest) = rest.split_once('.')?;
    let minor: String = rest.chars().take_while(char::is_ascii_digit).collect();
    Some((major.parse().ok()?, minor.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_read_from_what_ssh_prints() {
        assert_eq!(version("OpenSSH_9.2p1 Debian-2+deb12u3, OpenSSL 3.0.15"), Some((9, 2)));
        assert_eq!(version("OpenSSH_10.0p2"), Some((10, 0)));
        assert_eq!(version("Dropbear v2022.83"), None);
        assert!(version("OpenSSH_7.4p1").unwrap() < OLDEST_SSH);
    }
}
