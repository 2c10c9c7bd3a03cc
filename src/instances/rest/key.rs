//! Source of an API key: a command that prints it, or the stored credentials.

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::service::{Origin, Service};
use crate::config::credentials::Secret;
use crate::error::{Error, Result};
use crate::system::child::{self, Fault, Limits};
use crate::system::paths;
use crate::system::signals::Watch;
use crate::system::trust;
use crate::terminal::printable;

/// Longest output of the command, in bytes.
const OUTPUT_MAX: usize = 64 << 10;

/// An API key and its origin.
#[derive(Debug, Clone)]
pub struct Key {
    /// The key itself.
    pub secret: Secret,
    /// The origin.
    pub origin: Origin,
}

impl Key {
    /// Returns the key for `service` that `command` prints within `time`, or the stored one if there is no
    /// command.
    pub fn obtain(
        service: &Service,
        command: &[String],
        stored: impl FnOnce() -> Result<Option<Secret>>,
        time: Duration,
    ) -> Result<Self> {
        if let Some((program, arguments)) = command.split_first() {
            let secret = printed(program, arguments, time, &|reason| at_fault(service, reason))?;
            return Ok(Self { secret, origin: Origin::Printed });
        }
        match stored()? {
            Some(secret) => Ok(Self { secret, origin: Origin::Stored }),
            None => Err(Error::failed(format!("no API key for {} is configured", service.title))
                .with_hint(format!("create one at {}, then run '{}'", service.keys, service.store_key))),
        }
    }
}

/// Returns the command's program, which no other user can have placed: an absolute path, or a name in an
/// absolute directory of `PATH`.
fn find(program: &str, at_fault: &impl Fn(&str) -> Error) -> Result<PathBuf> {
    let name = printable(program);
    let file = match (Path::new(program).is_absolute(), program.contains('/')) {
        (true, _) => PathBuf::from(program),
        (false, true) => {
            return Err(at_fault(&format!("{name} depends on the current directory"))
                .with_hint("write its absolute path, or its name alone if it is on PATH"));
        }
        (false, false) => {
            paths::find_program(program).ok_or_else(|| at_fault(&format!("{name} is not on PATH")))?
        }
    };
    match trust::fault(&file) {
        Some(fault) => Err(at_fault(&format!("{} is not used: {fault}", printable(&file.to_string_lossy())))
            .with_hint(fault.hint())),
        None => Ok(file),
    }
}

/// Returns the first line that the command prints. Neither output nor arguments are ever shown: both can be
/// secrets.
fn printed(
    program: &str,
    arguments: &[String],
    time: Duration,
    at_fault: &impl Fn(&str) -> Error,
) -> Result<Secret> {
    let watch = Watch::new().map_err(|error| at_fault(&error.to_string()))?;
    let limits = Limits { time, output: OUTPUT_MAX };
    let name = printable(program);
    let file = find(program, at_fault)?;
    let outcome =
        child::run(Command::new(file).arg0(program).args(arguments), limits, &watch).map_err(|fault| {
            let error = at_fault(&format!("{name}: {fault}"));
            match fault {
                Fault::TooLong(_) => error.with_hint("if it needs a passphrase, unlock it first"),
                _ => error,
            }
        })?;
    if !outcome.status.success() {
        return Err(at_fault(&format!("{name} failed ({})", outcome.status))
            .with_hint("run it yourself to see its error"));
    }
    let text = String::from_utf8(outcome.stdout).unwrap_or_default();
    Secret::new(text.lines().next().unwrap_or_default())
        .ok_or_else(|| at_fault(&format!("the first line that {name} prints is not a key")))
}

fn at_fault(service: &Service, reason: &str) -> Error {
    Error::failed(format!("{}.api-key-command printed no key: {reason}", service.table))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::instances::lambda::SERVICE;

    fn obtain(command: &[&str]) -> Result<Key> {
        let command: Vec<String> = command.iter().map(|word| (*word).to_owned()).collect();
        Key::obtain(&SERVICE, &command, || Ok(Secret::new("stored")), Duration::from_secs(5))
    }

    #[test]
    fn a_command_goes_before_what_is_stored() {
        let key = obtain(&["printf", "%s\\nlogin: me\\n", "  k3y "]).unwrap();
        assert_eq!((key.secret.expose(), key.origin), ("k3y", Origin::Printed));
        let key = obtain(&[]).unwrap();
        assert_eq!((key.secret.expose(), key.origin), ("stored", Origin::Stored));
    }

    #[test]
    fn no_shell_is_involved() {
        assert_eq!(obtain(&["printf", "%s", "$HOME;`id`"]).unwrap().secret.expose(), "$HOME;`id`");
    }

    #[test]
    fn errors_name_the_program_and_nothing_secret() {
        for (command, words) in [
            (vec!["/nonexistent", "s3cret"], "/nonexistent: No such file or directory"),
            (vec!["sh", "-c", "echo s3cret; echo s3cret >&2; exit 3"], "sh failed (exit status: 3)"),
            (vec!["printf", "s3cret s3cret"], "the first line that printf prints is not a key"),
            (vec!["bin/key"], "bin/key depends on the current directory"),
            (vec!["no-such-program-4711"], "no-such-program-4711 is not on PATH"),
            (vec!["true"], "the first line that true prints is not a key"),
        ] {
            let error = obtain(&command).unwrap_err();
            let expected = format!("lambda.api-key-command printed no key: {words}");
            assert_eq!(error.to_string(), expected);
            assert!(!format!("{error:?}").contains("s3cret"));
        }
        let none = Key::obtain(&SERVICE, &[], || Ok(None), Duration::ZERO).unwrap_err();
        assert_eq!(none.to_string(), "no API key for Lambda Cloud is configured");
    }
}
