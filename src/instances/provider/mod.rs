//! Providers: executables that list rented instances.
//!
//! `soong-provider-NAME list` prints one JSON object (see [`answer`]) and exits with 0. On failure it exits
//! with another code and explains on stderr: the first line is the reason, lines that begin with `hint: ` are
//! fixes. It gets no input, no terminal, and [`LIMITS`]; processes that it starts end with it.

pub mod answer;
pub mod cache;

mod executable;

use std::ffi::OsStr;
use std::os::unix::process::ExitStatusExt;
use std::process::Command;

use self::answer::{Answer, Listed};
use crate::error::{Error, Result};
use crate::system::child::{self, Fault, Outcome};
use crate::system::signals::Watch;
use crate::system::trust;
use crate::terminal::printable;
use crate::toml_text::typed_key;

pub use self::answer::API;
pub use self::executable::{LIMITS, find};

/// Asks the provider `name` for its instances.
pub fn list(name: &str, watch: &Watch) -> Result<Vec<Listed>> {
    list_with(name, &[], watch)
}

/// Asks the provider `name` for its instances, with `environment` added to this process's.
pub fn list_with(name: &str, environment: &[(&str, &OsStr)], watch: &Watch) -> Result<Vec<Listed>> {
    let Some(program) = find(name) else { return Err(absent(name)) };
    // Programs beside the running one are as trustworthy as that.
    if let Some(fault) = trust::fault(&program).filter(|_| !executable::is_beside(&program)) {
        return Err(fault.refuse(&program));
    }
    let mut command = Command::new(program);
    // Its messages are parsed here, so they must be in English.
    command
        .arg("list")
        .env("SOONG_API", API.to_string())
        .env("NO_COLOR", "1")
        .envs(environment.iter().copied());
    let outcome = child::run(&mut command, LIMITS, watch).map_err(|fault| cut_short(name, fault))?;
    if !outcome.status.success() {
        return Err(failed(name, &outcome));
    }
    Answer::parse(&outcome.stdout).map(|answer| answer.instances).map_err(|reason| {
        Error::failed(format!("cannot read the answer of the provider {name}: {}", shown(&reason)))
            .with_hint(format!("check its output: soong-provider-{name} list"))
    })
}

/// Returns the error for a provider that cannot be run.
fn absent(name: &str) -> Error {
    let switch_off = format!("soong configure set {} false", typed_key(&["providers", name]));
    let Some(file) = executable::find_non_executable(name) else {
        return Error::failed(format!(
            "the provider {name} is enabled, but soong-provider-{name} is not installed"
        ))
        .with_hint(format!("put soong-provider-{name} on PATH, or disable it: {switch_off}"));
    };
    let text = file.to_string_lossy();
    Error::failed(format!("the provider {name} is enabled, but {} is not executable", printable(&text)))
        .with_hint(format!("make it executable: chmod +x {}", printable(&shell_words::quote(&text))))
        .with_hint(format!("or disable it: {switch_off}"))
}

/// Returns the error for a provider that did not finish.
fn cut_short(name: &str, fault: Fault) -> Error {
    match fault {
        Fault::TooLong(said) => {
            let limit = LIMITS.time.as_secs();
            let error = Error::failed(format!("the provider {name} did not answer within {limit} s"))
                .with_hint(format!("run it by hand: soong-provider-{name} list"));
            match said.lines().rev().find(|line| !line.trim().is_empty()) {
                Some(line) => error.with_hint(format!("it said: {}", shown(line))),
                None => error,
            }
        }
        Fault::TooMuch => {
            Error::failed(format!("the provider {name} printed more than {} MiB", LIMITS.output >> 20))
        }
        Fault::System(source) => Error::cannot(format_args!("run the provider {name}"), source),
        Fault::Interrupted => Error::interrupted(),
    }
}

/// Returns the error for a provider that reports a failure.
fn failed(name: &str, outcome: &Outcome) -> Error {
    const HINTS_MAX: usize = 5;
    let prefix = format!("soong-provider-{name}: ");
    let mut lines = outcome.stderr.lines().map(str::trim_end).filter(|line| !line.is_empty());
    let reason = match (lines.next(), outcome.status.code(), outcome.status.signal()) {
        (Some(line), ..) => shown(line.strip_prefix(&prefix).unwrap_or(line)),
        (None, Some(code), _) => format!("exit code {code} without a message"),
        (None, None, signal) => format!("killed by signal {}", signal.unwrap_or_default()),
    };
    let error = Error::failed(format!("the provider {name} failed: {reason}"));
    lines.take(HINTS_MAX).fold(error, |error, line| match line.strip_prefix("hint: ") {
        Some(hint) => error.with_hint(shown(hint)),
        None => error.with_hint(format!("it also said: {}", shown(line))),
    })
}

/// Returns a line of foreign text, printable and clipped.
fn shown(line: &str) -> String {
    const LENGTH: usize = 300;
    let mut clipped: String = line.chars().take(LENGTH).collect();
    if clipped.len() < line.len() {
        clipped.push('…');
    }
    printable(&clipped).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::ExitStatus;

    fn said(stderr: &str, status: i32) -> String {
        let outcome =
            Outcome { status: ExitStatus::from_raw(status), stdout: Vec::new(), stderr: stderr.into() };
        let error = failed("x", &outcome);
        format!("{error}{}", error.hints().iter().map(|hint| format!(" | {hint}")).collect::<String>())
    }

    #[test]
    fn a_failure_is_told_in_the_providers_words() {
        assert_eq!(
            said("soong-provider-x: no key\nhint: make one\n", 256),
            "the provider x failed: no key | make one"
        );
        assert_eq!(said("one\n\ntwo\n", 256), "the provider x failed: one | it also said: two");
        assert_eq!(said("", 3 << 8), "the provider x failed: exit code 3 without a message");
        assert_eq!(said("", 9), "the provider x failed: killed by signal 9");
        assert_eq!(said("\u{1b}[2Jgone", 256), "the provider x failed: \\u{1b}[2Jgone");
        assert!(said(&"x".repeat(5000), 256).chars().count() < 400);
    }
}
