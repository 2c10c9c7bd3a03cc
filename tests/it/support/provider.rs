//! A call of a provider's program: a verb, an order on its stdin, and its answer.

use std::io::Write as _;
use std::process::Stdio;

use serde_json::Value;

use super::run::Run;

/// Answer of a provider.
#[derive(Debug)]
pub struct Answer {
    pub code: i32,
    /// Its stdout; `Null` if that is not JSON.
    pub json: Value,
    pub stderr: String,
}

impl Answer {
    /// Runs `run` with `input` on its stdin.
    pub fn of(run: &Run, input: &str) -> Self {
        let mut command = run.command();
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        // A program that reads no input has gone before it is written.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        let output = child.wait_with_output().unwrap();
        Self {
            code: output.status.code().unwrap_or(-1),
            json: serde_json::from_slice(&output.stdout).unwrap_or(Value::Null),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// The code of its error object; empty without one.
    pub fn error(&self) -> &str {
        self.json["error"]["code"].as_str().unwrap_or_default()
    }
}
