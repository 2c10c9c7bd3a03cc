//! One run of a provider's program, and the errors of runs.

use std::ffi::OsStr;
use std::os::unix::process::ExitStatusExt;
use std::process::Command;
use std::time::Duration;

use super::executable;
use super::field::API;
use crate::error::Error;
use crate::system::child::{self, Fault, Limits, Outcome};
use crate::system::signals::Watch;
use crate::system::trust;
use crate::terminal::printable;
use crate::toml_text::typed_key;

/// Limits of a verb that changes nothing.
pub(super) const LIMITS: Limits = Limits { time: Duration::from_secs(20), output: 16 << 20 };

/// A run of a provider with a verb.
#[derive(Debug)]
pub(super) struct Call<'a> {
    /// Name of the provider.
    pub name: &'a str,
    /// Verb, its only argument.
    pub verb: &'a str,
    /// Variables beside this process's.
    pub environment: &'a [(&'a str, &'a OsStr)],
    /// Text on its stdin.
    pub input: Option<Vec<u8>>,
    /// Limits.
    pub limits: Limits,
}

/// Failure of a run without an outcome.
#[derive(Debug)]
pub(super) enum Failure {
    /// The program was not started.
    NotStarted(Error),
    /// The program was ended early.
    Ended(Error),
}

impl Failure {
    pub fn into_error(self) -> Error {
        match self {
            Self::NotStarted(error) | Self::Ended(error) => error,
        }
    }
}

impl<'a> Call<'a> {
    /// Returns a run without input, with the limits for verbs that change nothing.
    pub fn new(name: &'a str, verb: &'a str) -> Self {
        Self { name, verb, environment: &[], input: None, limits: LIMITS }
    }

    /// Runs the program to its end.
    pub fn run(&self, watch: &Watch) -> Result<Outcome, Failure> {
        let name = self.name;
        let Some(program) = executable::find(name) else { return Err(Failure::NotStarted(absent(name))) };
        // Programs beside the running one are as trustworthy as that.
        if let Some(fault) = trust::fault(&program).filter(|_| !executable::is_beside(&program)) {
            return Err(Failure::NotStarted(fault.refuse(&program)));
        }
        let mut command = Command::new(program);
        // Its messages are parsed here, so they must be in English.
        command
            .arg(self.verb)
            .env("SOONG_API", API.to_string())
            .env("NO_COLOR", "1")
            .envs(self.environment.iter().copied());
        child::run_with(&mut command, self.input.clone(), self.limits, watch).map_err(|fault| {
            let started = !matches!(fault, Fault::System(_));
            let error = cut_short(name, self.verb, self.limits, fault);
            if started { Failure::Ended(error) } else { Failure::NotStarted(error) }
        })
    }

    /// Returns the error for an answer that cannot be read for `reason`.
    pub fn unreadable(&self, reason: &str) -> Error {
        let (name, verb) = (self.name, self.verb);
        let error =
            Error::failed(format!("cannot read the answer of the provider {name}: {}", shown(reason)));
        if self.input.is_some() {
            return error;
        }
        error.with_hint(format!("check its output: soong-provider-{name} {verb}"))
    }
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
fn cut_short(name: &str, verb: &str, limits: Limits, fault: Fault) -> Error {
    match fault {
        Fault::TooLong(said) => {
            let limit = limits.time.as_secs();
            let error = Error::failed(format!("the provider {name} did not answer within {limit} s"));
            let error = match verb {
                // Running it again would repeat what it does.
                "launch" | "terminate" => error,
                _ => error.with_hint(format!("run it by hand: soong-provider-{name} {verb}")),
            };
            match said.lines().rev().find(|line| !line.trim().is_empty()) {
                Some(line) => error.with_hint(format!("it said: {}", shown(line))),
                None => error,
            }
        }
        Fault::TooMuch => {
            Error::failed(format!("the provider {name} printed more than {} MiB", limits.output >> 20))
        }
        Fault::System(source) | Fault::Lost(source) => {
            Error::cannot(format_args!("run the provider {name}"), source)
        }
        Fault::Interrupted => Error::interrupted(),
    }
}

/// Returns the error for a provider that reports a failure.
pub(super) fn failed(name: &str, outcome: &Outcome) -> Error {
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
pub(super) fn shown(line: &str) -> String {
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
