//! Runs one of the user's hooks.
//!
//! A hook gets the facts in its environment, no input, a process group and a time limit.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::error::{Error, Result};
use crate::system::child::{self, Fault, Limits};
use crate::system::paths;
use crate::system::signals::Watch;
use crate::system::trust;

/// Limits of a hook.
const LIMITS: Limits = Limits { time: Duration::from_secs(30), output: 1 << 20 };
/// Number of a hook's output lines to keep.
const LINES_MAX: usize = 100;

/// Runs `hook` with `variables` in its environment; returns its output, and how it ended if it failed.
pub fn run(hook: &Path, variables: &[(String, String)], watch: &Watch) -> Result<Vec<String>> {
    refuse_unsafe(hook)?;
    let mut command = Command::new(hook);
    command.current_dir("/").envs(variables.iter().map(|(name, value)| (name, value)));
    let outcome = child::run(&mut command, LIMITS, watch).map_err(|fault| match fault {
        Fault::TooLong(_) => Error::failed(format!("ended after {} s", LIMITS.time.as_secs())),
        fault => Error::failed(fault.to_string()),
    })?;
    let said = String::from_utf8_lossy(&outcome.stdout).into_owned() + &outcome.stderr;
    let mut lines: Vec<String> = said.lines().take(LINES_MAX).map(str::to_owned).collect();
    if !outcome.status.success() {
        lines.push(format!("{}", outcome.status));
    }
    Ok(lines)
}

/// Refuses a hook that another user could have written.
fn refuse_unsafe(hook: &Path) -> Result<()> {
    if let Some(fault) = trust::fault(hook) {
        return Err(fault.refuse(hook));
    }
    if !paths::is_executable(hook) {
        return Err(Error::failed(format!("{} is not executable", hook.display()))
            .with_hint(format!("chmod +x {}", shell_words::quote(&hook.to_string_lossy()))));
    }
    Ok(())
}
