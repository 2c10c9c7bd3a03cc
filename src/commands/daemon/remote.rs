//! Shell scripts on the instance, run by `soong ssh`: over the tunnel's connection if it is up, with all
//! questions and reasons of a session.

use std::collections::HashMap;
use std::io::{self, Write};
use std::process::{Command, ExitStatus, Stdio};
use std::thread;

use crate::config::instance::Instance;
use crate::error::{Error, Result};
use crate::system::paths;
use crate::terminal::printable;

/// A machine that runs scripts.
pub(super) struct Remote<'a> {
    instance: &'a Instance,
    /// True to run scripts by sudo.
    sudo: bool,
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
        Self { instance, sudo: false }
    }

    /// The same machine as root: by sudo unless the account `is_root`.
    pub fn elevated(self, is_root: bool) -> Self {
        Self { sudo: !is_root, ..self }
    }

    /// Runs `script` with `arguments`, and with `input` on its standard input.
    pub fn run(&self, script: &str, arguments: &[&str], input: &[u8]) -> Result<Answer> {
        let mut command = self.command(&["sh", "-c", script, "soong-daemon"])?;
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
        let cannot = |source: io::Error| Error::cannot("run soong-ssh", source);
        let mut child = command.spawn().map_err(cannot)?;
        let pipe = child.stdin.take();
        let output = thread::scope(|scope| {
            // A script that ends early reads no more.
            scope.spawn(move || pipe.map(|mut pipe| pipe.write_all(input)));
            child.wait_with_output()
        });
        let output = output.map_err(cannot)?;
        let answer = Answer::parse(&String::from_utf8_lossy(&output.stdout));
        self.judge(answer, output.status)
    }

    /// Runs a program whose output goes to the terminal; returns its exit code.
    pub fn show(&self, words: &[&str]) -> Result<u8> {
        let cannot = |source: io::Error| Error::cannot("run soong-ssh", source);
        let status = self.command(words)?.status().map_err(cannot)?;
        Ok(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1))
    }

    fn command(&self, words: &[&str]) -> Result<Command> {
        let program =
            paths::sibling("soong-ssh").map_err(|source| Error::cannot("find soong-ssh", source))?;
        let mut command = Command::new(program);
        command.args(["--instance-id", &self.instance.id, "--"]);
        if self.sudo {
            command.args(["sudo", "-n"]);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_an_answer_are_keys_and_values() {
        let answer = Answer::parse("uid=0\nbanner\nsudo=yes\ntoken=a=b\n");
        assert_eq!((answer.get("uid"), answer.get("token"), answer.get("none")), ("0", "a=b", ""));
        assert!(answer.is("sudo") && !answer.is("uid"));
    }
}
