//! Shell scripts on the instance, run by `soong ssh`: over the tunnel's connection if it is up, with all
//! questions and reasons of a session.

use std::collections::HashMap;
use std::io::{self, Write};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;

use zeroize::Zeroizing;

use crate::config::instance::Instance;
use crate::error::{Error, Result};
use crate::system::paths;
use crate::terminal::printable;

/// A machine that runs scripts.
pub(super) struct Remote<'a> {
    instance: &'a Instance,
    rights: Rights,
}

/// The line between sudo's password and the input of a script.
const INPUT_BEGINS: &str = "soong-input-begins";

/// Skips a password that sudo has not read: PAM may accept the account without one.
const SKIP_PASSWORD: &str =
    "while IFS= read -r line; do [ \"$line\" != soong-input-begins ] || break; done; unset line\n";

/// Rights with which scripts run.
#[derive(Debug)]
pub(super) enum Rights {
    /// Those of the account.
    Account,
    /// Root's, by sudo without a password.
    Sudo,
    /// Root's, by sudo with this password.
    Password(Zeroizing<String>),
}

/// The `KEY=VALUE` lines that a script printed.
#[derive(Debug, Default)]
pub(super) struct Answer(HashMap<String, String>);

impl Answer {
    /// Returns the value of `key`; empty if it is missing.
    pub fn get(&self, key: &str) -> &str {
        self.0.get(key).map_or("", String::as_str)
    }

    /// Returns true if `key` has the value `yes`.
    pub fn is(&self, key: &str) -> bool {
        self.get(key) == "yes"
    }

    fn parse(text: &str) -> Self {
        let lines = text.lines().filter_map(|line| line.split_once('='));
        Self(lines.map(|(key, value)| (key.to_owned(), value.to_owned())).collect())
    }
}

impl<'a> Remote<'a> {
    /// The account that ssh logs in to.
    pub fn new(instance: &'a Instance) -> Self {
        Self { instance, rights: Rights::Account }
    }

    /// The same machine with other rights.
    pub fn with_rights(self, rights: Rights) -> Self {
        Self { rights, ..self }
    }

    /// Runs `script` with `arguments`, and with `input` on its standard input.
    pub fn run(&self, script: &str, arguments: &[&str], input: &[u8]) -> Result<Answer> {
        let (skip, before) = match &self.rights {
            Rights::Password(password) => {
                (SKIP_PASSWORD, Zeroizing::new(format!("{}\n{INPUT_BEGINS}\n", **password)))
            }
            Rights::Account | Rights::Sudo => ("", Zeroizing::default()),
        };
        let mut command = self.command(&["sh", "-c", &format!("{skip}{script}"), "soong-daemon"])?;
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().map_err(cannot_run)?;
        let pipe = child.stdin.take();
        let output = thread::scope(|scope| {
            // A script that ends early reads no more.
            scope.spawn(move || {
                pipe.map(|mut pipe| pipe.write_all(before.as_bytes()).and_then(|()| pipe.write_all(input)))
            });
            child.wait_with_output()
        });
        let output = output.map_err(cannot_run)?;
        let answer = Answer::parse(&String::from_utf8_lossy(&output.stdout));
        self.judge(answer, output.status)
    }

    /// Runs a program whose output goes to the terminal; returns its exit code.
    pub fn show(&self, words: &[&str]) -> Result<u8> {
        let mut command = self.command(words)?;
        let status = match &self.rights {
            Rights::Account | Rights::Sudo => command.status(),
            Rights::Password(password) => {
                let start = command.stdin(Stdio::piped()).spawn();
                start.and_then(|child| finish(child, &Zeroizing::new(format!("{}\n", **password))))
            }
        };
        let status = status.map_err(cannot_run)?;
        Ok(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1))
    }

    fn command(&self, words: &[&str]) -> Result<Command> {
        let program =
            paths::sibling("soong-ssh").map_err(|source| Error::cannot("find soong-ssh", source))?;
        let mut command = Command::new(program);
        command.args(["--instance-id", &self.instance.id, "--"]);
        match self.rights {
            Rights::Account => {}
            Rights::Sudo => _ = command.args(["sudo", "-n"]),
            // Without the cache, which would leave the password to the script.
            Rights::Password(_) => _ = command.args(["sudo", "-S", "-k", "-p", ""]),
        }
        command.args(words);
        Ok(command)
    }

    fn judge(&self, answer: Answer, status: ExitStatus) -> Result<Answer> {
        let name = printable(&self.instance.name);
        match answer.get("error") {
            "" if status.success() => Ok(answer),
            // ssh has printed the reason.
            "" => Err(Error::failed(format!("the command on {name} failed ({status})"))),
            error => Err(Error::failed(format!("{name}: {}", printable(error)))),
        }
    }
}

/// Quotes `name` as a word for a shell.
pub(super) fn quoted(name: &str) -> String {
    printable(&shell_words::quote(name)).into_owned()
}

fn cannot_run(source: io::Error) -> Error {
    Error::cannot("run soong-ssh", source)
}

/// Writes `input` to `child` and waits until it ends.
fn finish(mut child: Child, input: &str) -> io::Result<ExitStatus> {
    if let Some(mut pipe) = child.stdin.take() {
        // A program that needs no password does not read it.
        let _ = pipe.write_all(input.as_bytes());
    }
    child.wait()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_script_skips_up_to_the_line_that_is_sent() {
        assert!(SKIP_PASSWORD.contains(&format!("!= {INPUT_BEGINS} ]")));
    }

    #[test]
    fn lines_of_an_answer_are_keys_and_values() {
        let answer = Answer::parse("uid=0\nbanner\nsudo=yes\ntoken=a=b\n");
        assert_eq!((answer.get("uid"), answer.get("token"), answer.get("none")), ("0", "a=b", ""));
        assert!(answer.is("sudo") && !answer.is("uid"));
    }
}
