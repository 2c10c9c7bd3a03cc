//! All paths that soong reads or writes.

use std::fs;
use std::path::{Path, PathBuf};

use super::environment::{absolute, home, runtime_directory, variable};
use super::replacement::{create_private, open_private};
use crate::error::{Error, Result};

/// Longest path of a Unix socket, in bytes. The kernel allows 107 on Linux and 103 on macOS (`sun_path` less
/// the terminating zero).
pub const SOCKET_PATH_MAX: usize = 99;

/// All paths, resolved once from the environment.
#[derive(Debug, Clone)]
pub struct Paths {
    pub(super) home: PathBuf,
    config_file: PathBuf,
    pub(super) state: PathBuf,
    pub(super) runtime: PathBuf,
    pub(super) runtime_fault: Option<String>,
}

impl Paths {
    /// Resolves all paths from `HOME`, `SOONG_CONFIG` and `XDG_*`; opens no file except the password database
    /// if `HOME` is unset. Relative values are ignored, as the XDG base directory specification says, and so
    /// is an `XDG_RUNTIME_DIR` that is not this user's alone.
    pub fn from_env() -> Result<Self> {
        let home = home()?;
        let config_home = absolute("XDG_CONFIG_HOME")?.unwrap_or_else(|| home.join(".config"));
        let state_home = absolute("XDG_STATE_HOME")?.unwrap_or_else(|| home.join(".local/state"));
        let state = state_home.join("soong");
        let (runtime, runtime_fault) = runtime_directory(&state)?;
        let config_file = match variable("SOONG_CONFIG")? {
            Some(file) => std::path::absolute(&file).map_err(|error| Error::io("find", &file, error))?,
            None => config_home.join("soong/config.toml"),
        };
        Ok(Self { home, config_file, state, runtime, runtime_fault })
    }

    /// Returns the path of `config.toml`.
    pub fn config_file(&self) -> &Path {
        &self.config_file
    }

    /// Returns the path of `credentials.toml`, beside the config file. If that is a link, beside the link, so
    /// that secrets do not end up in a repository.
    pub fn credentials_file(&self) -> PathBuf {
        self.config_file.with_file_name("credentials.toml")
    }

    /// Returns the path of the predecessor's config file.
    pub fn legacy_config(&self) -> PathBuf {
        self.home.join(".config/soong/config.json")
    }

    /// Returns the state directory: files to keep but not to edit.
    pub fn state(&self) -> &Path {
        &self.state
    }

    /// Returns the lock of the writers of the config file and `credentials.toml`.
    pub fn configure_lock(&self) -> PathBuf {
        self.state.join("configure.lock")
    }

    /// Returns the path of the pinned host keys, one line per instance.
    pub fn known_hosts(&self) -> PathBuf {
        self.state.join("known_hosts")
    }

    /// Returns the path of the log of the tunnel `name`.
    pub fn log(&self, name: &str) -> PathBuf {
        self.logs().join(format!("{name}.log"))
    }

    /// Returns the directory of the logs.
    pub fn logs(&self) -> PathBuf {
        self.state.join("logs")
    }

    /// Returns the path of the local ports that each instance's tunnel last had.
    pub fn remembered_ports(&self) -> PathBuf {
        self.state.join("ports.toml")
    }

    /// Returns the lock of the writers of [`Paths::remembered_ports`].
    pub fn remembered_ports_lock(&self) -> PathBuf {
        self.state.join("ports.lock")
    }

    /// Returns the directory of the user's hooks.
    pub fn hooks(&self) -> PathBuf {
        self.config_file.with_file_name("hooks")
    }

    /// Returns the path of the providers' last answers.
    pub fn instance_cache(&self) -> PathBuf {
        self.state.join("instances.json")
    }

    /// Returns the path of the ledger of rented instances.
    pub fn ledger(&self) -> PathBuf {
        self.state.join("ledger.jsonl")
    }

    /// Returns the lock of the writers of [`Paths::ledger`].
    pub fn ledger_lock(&self) -> PathBuf {
        self.state.join("ledger.lock")
    }

    /// Returns the lock of a launch, from the check of the budget to the provider's answer.
    pub fn launch_lock(&self) -> PathBuf {
        self.state.join("launch.lock")
    }

    /// Returns the lock of a launch of the instance `name` that goes on: its boot, its guard, its tunnel. `name` must be
    /// one that `soong launch` accepts.
    pub fn launch_in_progress(&self, name: &str) -> PathBuf {
        self.state.join(format!("launch-{name}.lock"))
    }

    /// Returns the lock of the writers of the PID file.
    pub fn pid_file_lock(&self) -> PathBuf {
        self.state.join("pid.lock")
    }

    /// Returns the path of the predecessor's PID file, which other programs read.
    pub fn pid_file(&self) -> PathBuf {
        self.home.join(".config/gpu-dashboard/tunnel.pid")
    }

    /// Returns the user's ssh directory.
    pub fn ssh_directory(&self) -> PathBuf {
        self.home.join(".ssh")
    }

    /// Returns the path of the user's `ssh_config`.
    pub fn ssh_config(&self) -> PathBuf {
        self.ssh_directory().join("config")
    }

    /// Returns the path of our file that it includes.
    pub fn ssh_include(&self) -> PathBuf {
        self.config_file.with_file_name("ssh_config")
    }

    /// Returns the path of the hosts, which our file includes.
    pub fn ssh_hosts(&self) -> PathBuf {
        self.config_file.with_file_name("ssh_hosts")
    }

    /// Returns the lock of the writers of the hosts.
    pub fn ssh_hosts_lock(&self) -> PathBuf {
        self.state.join("ssh-hosts.lock")
    }

    /// Returns the startup file of interactive shells of the kind `shell` (bash, zsh or fish).
    pub fn startup_file(&self, shell: &str) -> Result<PathBuf> {
        Ok(match shell {
            "fish" => {
                let config = absolute("XDG_CONFIG_HOME")?.unwrap_or_else(|| self.home.join(".config"));
                config.join("fish/config.fish")
            }
            "zsh" => absolute("ZDOTDIR")?.unwrap_or_else(|| self.home.clone()).join(".zshrc"),
            _ => self.home.join(".bashrc"),
        })
    }

    /// Returns `text` as a path, with a leading `~` or `~/` replaced by the home directory.
    pub fn expand(&self, text: &str) -> PathBuf {
        match text.strip_prefix('~') {
            Some("") => self.home.clone(),
            Some(rest) if rest.starts_with('/') => self.home.join(rest.trim_start_matches('/')),
            _ => PathBuf::from(text),
        }
    }

    /// Returns `path` as text, with the home directory as `~/`; the inverse of [`Paths::expand`].
    pub fn abbreviate(&self, path: &Path) -> String {
        match path.strip_prefix(&self.home) {
            Ok(rest) if !rest.as_os_str().is_empty() => format!("~/{}", rest.display()),
            _ => path.display().to_string(),
        }
    }

    /// Creates the directories for logs and known hosts.
    pub fn ensure_state(&self) -> Result<()> {
        let known_hosts = self.known_hosts();
        if fs::symlink_metadata(&known_hosts).is_err() {
            // ssh would take their modes from the umask. Faults of the directory are reported below.
            let _ = create_private(&self.state).and_then(|()| open_private(&known_hosts));
        }
        create_private(&self.state.join("logs")).map_err(|error| {
            error.with_hint(
                "soong stores logs and pinned host keys there; set XDG_STATE_HOME to a writable directory",
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths() -> Paths {
        Paths {
            home: "/home/u".into(),
            config_file: "/home/u/.config/soong/config.toml".into(),
            state: "/home/u/.local/state/soong".into(),
            runtime: "/run/user/1/soong".into(),
            runtime_fault: None,
        }
    }

    #[test]
    fn tilde_is_expanded_only_where_it_means_home() {
        assert_eq!(paths().expand("~/.ssh/id"), Path::new("/home/u/.ssh/id"));
        assert_eq!(paths().expand("~"), Path::new("/home/u"));
        assert_eq!(paths().expand("~other/x"), Path::new("~other/x"));
        assert_eq!(paths().expand("/a/~"), Path::new("/a/~"));
    }
}
