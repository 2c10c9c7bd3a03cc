//! Every place that soong reads or writes.

use std::fs;
use std::path::{Path, PathBuf};

use super::environment::{absolute, home, runtime_directory, variable};
use super::replacement::{create_private, open_private};
use crate::error::{Error, Result};

/// The longest path a Unix socket may have here, in bytes. The kernel allows 107 on Linux and 103
/// on macOS (`sun_path`, less the terminating zero).
pub const SOCKET_PATH_MAX: usize = 99;

/// Every place soong reads or writes, resolved once from the environment.
#[derive(Debug, Clone)]
pub struct Paths {
    pub(super) home: PathBuf,
    config_file: PathBuf,
    pub(super) state: PathBuf,
    pub(super) runtime: PathBuf,
    pub(super) runtime_fault: Option<String>,
}

impl Paths {
    /// Resolves all places from `HOME`, `SOONG_CONFIG` and `XDG_*`; opens no file but the password
    /// database when `HOME` is unset. Relative values are ignored, as the XDG base directory
    /// specification asks, and so is an `XDG_RUNTIME_DIR` that is not this user's alone.
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

    /// `config.toml`.
    pub fn config_file(&self) -> &Path {
        &self.config_file
    }

    /// `credentials.toml`, beside the config file: beside the link where that one is a link, so that
    /// secrets do not follow it into a repository.
    pub fn credentials_file(&self) -> PathBuf {
        self.config_file.with_file_name("credentials.toml")
    }

    /// The config file of soong's predecessor.
    pub fn legacy_config(&self) -> PathBuf {
        self.home.join(".config/soong/config.json")
    }

    /// Where files live that are worth keeping but not worth editing.
    pub fn state(&self) -> &Path {
        &self.state
    }

    /// Serialises the writers of the config file and of `credentials.toml`.
    pub fn configure_lock(&self) -> PathBuf {
        self.state.join("configure.lock")
    }

    /// Host keys that were pinned, one line per instance.
    pub fn known_hosts(&self) -> PathBuf {
        self.state.join("known_hosts")
    }

    /// What the tunnel `name` and its ssh said.
    pub fn log(&self, name: &str) -> PathBuf {
        self.logs().join(format!("{name}.log"))
    }

    /// The directory that holds a log per tunnel.
    pub fn logs(&self) -> PathBuf {
        self.state.join("logs")
    }

    /// The local ports that the tunnel to each instance had last time.
    pub fn remembered_ports(&self) -> PathBuf {
        self.state.join("ports.toml")
    }

    /// Serialises the writers of [`Paths::remembered_ports`].
    pub fn remembered_ports_lock(&self) -> PathBuf {
        self.state.join("ports.lock")
    }

    /// The user's programs that are run when something happens to a tunnel.
    pub fn hooks(&self) -> PathBuf {
        self.config_file.with_file_name("hooks")
    }

    /// What providers last answered.
    pub fn instance_cache(&self) -> PathBuf {
        self.state.join("instances.json")
    }

    /// Serialises the writers of the PID file.
    pub fn pid_file_lock(&self) -> PathBuf {
        self.state.join("pid.lock")
    }

    /// The PID file of soong's predecessor, where other programs look for it.
    pub fn pid_file(&self) -> PathBuf {
        self.home.join(".config/gpu-dashboard/tunnel.pid")
    }

    /// The user's own ssh directory.
    pub fn ssh_directory(&self) -> PathBuf {
        self.home.join(".ssh")
    }

    /// The user's own configuration of ssh.
    pub fn ssh_config(&self) -> PathBuf {
        self.ssh_directory().join("config")
    }

    /// The hosts that soong adds to it.
    pub fn ssh_hosts(&self) -> PathBuf {
        self.config_file.with_file_name("ssh_config")
    }

    /// The file that `shell` (bash, zsh or fish) reads when an interactive shell starts.
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

    /// `text` as a path, with a leading `~` or `~/` replaced by the home directory.
    pub fn expand(&self, text: &str) -> PathBuf {
        match text.strip_prefix('~') {
            Some("") => self.home.clone(),
            Some(rest) if rest.starts_with('/') => self.home.join(rest.trim_start_matches('/')),
            _ => PathBuf::from(text),
        }
    }

    /// `path` as text, with the home directory as `~/`: the way back from [`Paths::expand`].
    pub fn abbreviate(&self, path: &Path) -> String {
        match path.strip_prefix(&self.home) {
            Ok(rest) if !rest.as_os_str().is_empty() => format!("~/{}", rest.display()),
            _ => path.display().to_string(),
        }
    }

    /// Makes sure that the directories for logs and known hosts exist.
    pub fn ensure_state(&self) -> Result<()> {
        let known_hosts = self.known_hosts();
        if fs::symlink_metadata(&known_hosts).is_err() {
            // ssh would leave its mode to the umask. What is wrong with the directory is told below.
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
