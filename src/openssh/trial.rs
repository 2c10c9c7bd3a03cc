//! A login on trial: without questions, within a time limit, and with the reason if it fails.

use std::process::{Command, Stdio};
use std::time::Duration;

use super::failure::{self, SshOutput};
use super::{Login, log_lines};
use crate::system::child::{self, Fault, Limits};
use crate::system::signals::Watch;

/// Time for a login beyond ssh's own limit for the connection.
const PATIENCE: Duration = Duration::from_secs(10);

/// Reason why a login failed.
#[derive(Debug)]
pub struct Refusal {
    /// One line.
    pub reason: String,
    /// Commands or checks for the user.
    pub hints: Vec<String>,
}

/// Logs in and out again.
pub fn log_in(login: &Login, watch: &Watch) -> Result<(), Refusal> {
    let limits = Limits { time: Duration::from_secs(login.connect_timeout) + PATIENCE, output: 1 << 16 };
    let mut command = Command::new(&login.program);
    // ssh ends when its input does, or at once if the server does not connect to the port.
    command.args(login.stdio_arguments("localhost", 22)).stdin(Stdio::null());
    let outcome = match child::run(&mut command, limits, watch) {
        Ok(outcome) => outcome,
        Err(fault) => {
            let hints = match fault {
                Fault::TooLong(_) => failure::timeout_hints(login),
                _ => Vec::new(),
            };
            let at = format!("{}@{}", login.user(), login.instance.host);
            return Err(Refusal { reason: format!("{at}: {fault}"), hints });
        }
    };
    let log: Vec<String> = outcome.stderr.lines().map(str::to_owned).collect();
    if outcome.status.success() || !outcome.stdout.is_empty() || log_lines::is_forward_failure(&log) {
        return Ok(());
    }
    let failure = failure::classify(&SshOutput { log, others: Vec::new() });
    Err(Refusal { hints: failure::hints(&failure, login, 0), reason: failure.reason })
}
