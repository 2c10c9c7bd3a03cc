//! Requests with the real `curl`, kept from any proxy and configuration of the developer's.

use std::process::{Command, Output};

use super::tools::tool;

/// A `curl` that fails on HTTP errors and is quiet but for its error.
pub fn curl() -> Command {
    let mut command = Command::new(tool("curl"));
    // Not --noproxy, which would also bypass the proxy that a test names.
    command.env_clear();
    command.args(["-q", "--silent", "--show-error", "--fail", "--max-time", "60"]);
    command
}

/// Runs `command` and returns what it printed; fails with its error when it does.
#[track_caller]
pub fn output(command: &mut Command) -> String {
    let Output { status, stdout, stderr } = command.output().unwrap();
    let error = String::from_utf8_lossy(&stderr);
    assert!(status.success(), "{command:?}: {status}\n{error}");
    String::from_utf8(stdout).unwrap()
}

/// Returns the answer of `url`.
#[track_caller]
pub fn get(url: &str) -> String {
    output(curl().arg(url))
}
