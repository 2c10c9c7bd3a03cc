//! The user's ssh-agent: which keys it has.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::system::child::{self, Limits};
use crate::system::paths;
use crate::system::signals::Watch;

/// Limits for `ssh-add` and `ssh-keygen`.
const LIMITS: Limits = Limits { time: Duration::from_secs(5), output: 1 << 16 };

/// Returns the fingerprints of the agent's keys (`SHA256:…`); empty without an agent.
pub fn fingerprints(watch: &Watch) -> Vec<String> {
    if !paths::has_ssh_agent() {
        return Vec::new();
    }
    listed(Command::new("ssh-add").arg("-l"), watch)
}

/// Returns the fingerprint of the key in `file`; `None` if `ssh-keygen` cannot tell.
pub fn fingerprint(file: &Path, watch: &Watch) -> Option<String> {
    listed(Command::new("ssh-keygen").arg("-lf").arg(file), watch).into_iter().next()
}

/// Returns the fingerprints that `command` prints, a line each: `256 SHA256:… comment (ED25519)`.
fn listed(command: &mut Command, watch: &Watch) -> Vec<String> {
    let Ok(outcome) = child::run(command.stdin(Stdio::null()), LIMITS, watch) else { return Vec::new() };
    let text = String::from_utf8_lossy(&outcome.stdout);
    let second = text.lines().filter_map(|line| line.split_whitespace().nth(1));
    second.filter(|word| word.contains(':')).map(str::to_owned).collect()
}
