//! Settings of the user's `ssh_config` for one host that `config.toml` leaves open: user and keys.
//!
//! `ssh -G` does not tell settings from ssh's defaults. So ssh gets the user's files plus a last entry with
//! known values, which apply only if no other does.

use std::fmt::Write as _;
use std::io::{Seek, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::{Deserialize, Serialize};

use super::quoting::in_config;
use super::user_config::UserConfig;
use crate::config::Ssh;
use crate::config::address::is_user;
use crate::config::instance::Instance;
use crate::system::paths;

/// The last entry.
const UNSET: &str = "/unset";
const LAST: &str = "Host *\nUser unset\nIdentityFile /unset\n";

/// Settings for a host.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Entry {
    /// User name, if set.
    pub user: Option<String>,
    /// True if keys are set. Then ssh tries those, and soong adds none before them.
    pub has_keys: bool,
}

impl Entry {
    /// Returns the settings for the host of `instance`. Runs ssh only if its files can have any.
    pub(super) fn look_up(instance: &Instance, ssh: &Ssh, program: &Path, files: &UserConfig) -> Self {
        let user = instance.leaves_user_to_ssh() && files.sets("user");
        let no_key = instance.key.is_none() && ssh.key.is_none();
        let keys = no_key && !instance.has_address() && files.sets("identityfile");
        if !user && !keys {
            return Self::default();
        }
        let answer = query(instance, &ssh.options, program, files.roots()).unwrap_or_default();
        let found = read(&answer);
        Self { user: found.user.filter(|_| user), has_keys: found.has_keys && keys }
    }
}

/// Runs ssh with the last entry after `files`.
fn query(instance: &Instance, options: &[String], program: &Path, files: &[PathBuf]) -> Option<String> {
    let mut text = String::new();
    for file in files {
        writeln!(text, "Include {}", in_config(&file.to_string_lossy())).ok()?;
    }
    text.push_str(LAST);
    let mut config = tempfile::tempfile().ok()?;
    config.write_all(text.as_bytes()).ok()?;
    config.rewind().ok()?;
    let mut command = Command::new(program);
    // The last -F counts.
    command.arg("-TG").args(options).args(["-F", "/dev/stdin", "--", &instance.host]);
    paths::mark_query_of_ssh_config(&mut command);
    let output = command.stdin(Stdio::from(config)).stderr(Stdio::null()).output().ok()?;
    String::from_utf8(output.stdout).ok().filter(|_| output.status.success())
}

/// Parses the output of `ssh -G`; values of the last entry count as unset.
fn read(answer: &str) -> Entry {
    let mut entry = Entry::default();
    for (keyword, value) in answer.lines().filter_map(|line| line.split_once(' ')) {
        match keyword {
            "user" if value != "unset" && is_user(value) => entry.user = Some(value.to_owned()),
            "identityfile" if value != UNSET => entry.has_keys = true,
            _ => {}
        }
    }
    entry
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_has_set_is_not_taken_for_set() {
        let entry = |answer| {
            let Entry { user, has_keys } = read(answer);
            (user.unwrap_or_default(), has_keys)
        };
        assert_eq!(entry("user unset\nidentityfile /unset\n"), (String::new(), false));
        assert_eq!(
            entry("user alice\nidentityfile ~/.ssh/a b\nidentityfile /unset\n"),
            ("alice".into(), true)
        );
        assert_eq!(entry("user $(id)\nidentityfile none\n"), (String::new(), true));
        assert_eq!(entry(""), (String::new(), false));
    }
}
