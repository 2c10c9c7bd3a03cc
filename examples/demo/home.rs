//! A temporary home directory in which the tour's user lives: a key, a config file, and the `soong`
//! commands run in it. It is gone, and so is the tunnel, when it is closed.

use std::error::Error;
use std::ffi::OsString;
use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use russh::keys::PrivateKey;
use russh::keys::ssh_key::LineEnding;
use tempfile::TempDir;
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::screen::Screen;

/// A temporary directory longer than this would not leave room for the names of sockets, which may
/// have about 100 bytes (`sun_path`).
const TEMPORARY_PATH_MAX: usize = 32;

/// No command of the tour takes nearly as long: `start` itself gives up after 30 seconds.
const PATIENCE: Duration = Duration::from_secs(60);

/// The command that takes the tunnel down.
pub const STOP: &str = "soong tunnel stop";
/// The command that says whether there is a tunnel.
pub const STATUS: &str = "soong tunnel status";
/// Its exit code when there is none.
pub const NOT_RUNNING: i32 = 3;

/// The home directory, and what runs in it.
pub struct Home {
    directory: TempDir,
    programs: PathBuf,
    /// The command that runs at the moment, also when the tour has been interrupted.
    running: Option<Child>,
    /// True if a tunnel may be up.
    tunnel: bool,
}

impl Home {
    /// Creates the directory, with `key` where ssh keys are and `config` where soong looks for it.
    pub fn create(key: &PrivateKey, config: &str) -> Result<Self, Box<dyn Error>> {
        let programs = programs()?;
        let directory = tempfile::Builder::new().prefix("soong-demo.").tempdir_in(temporary())?;
        let root = directory.path();
        for private in [".ssh", ".config/soong", "run"] {
            DirBuilder::new().recursive(true).mode(0o700).create(root.join(private))?;
        }
        // Readable by its owner only, or ssh would refuse it.
        key.write_openssh_file(root.join(".ssh/id_ed25519"), LineEnding::LF)?;
        fs::write(root.join(".config/soong/config.toml"), config)?;
        Ok(Self { directory, programs, running: None, tunnel: false })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// The config file as it is on disk.
    pub fn config(&self) -> io::Result<String> {
        fs::read_to_string(self.path().join(".config/soong/config.toml"))
    }

    /// Shows and runs the command `line`, which is one of soong's; its output goes where the tour's
    /// goes. Returns its exit code.
    pub async fn run(&mut self, screen: &Screen, line: &str) -> Result<i32, Box<dyn Error>> {
        let words = shell_words::split(line)?;
        screen.command(line);
        self.tunnel |= words.iter().any(|word| word == "start");
        let child = self.command(&words).spawn().map_err(|error| format!("cannot run {line}: {error}"))?;
        // Kept here, so that it can still be waited for when the tour is interrupted.
        let child = self.running.insert(child);
        let status =
            timeout(PATIENCE, child.wait()).await.map_err(|_| format!("{line} does not come back"))??;
        self.running = None;
        if line == STATUS && status.code() == Some(NOT_RUNNING) {
            self.tunnel = false;
        }
        Ok(status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or_default()))
    }

    /// Waits until the tunnel's state is `phase`, at most `patience`.
    pub async fn wait_for_state(&self, phase: &str, patience: Duration) -> Result<(), Box<dyn Error>> {
        let file = self.path().join("run/soong/tunnels/demo/state.toml");
        let line = format!("phase = \"{phase}\"\n");
        let reached = async {
            while !fs::read_to_string(&file).is_ok_and(|text| text.contains(&line)) {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        timeout(patience, reached).await.map_err(|_| format!("the tunnel is not {phase}").into())
    }

    /// `soong ARGUMENTS` in an environment that holds nothing of the caller's but PATH and what
    /// concerns the terminal.
    fn command(&self, words: &[String]) -> Command {
        let mut command = Command::new(self.programs.join(&words[0]));
        command.args(&words[1..]).current_dir(self.path()).stdin(Stdio::null()).env_clear();
        command.env("HOME", self.path()).env("XDG_RUNTIME_DIR", self.path().join("run"));
        command.env("PATH", self.search_path());
        for name in ["TERM", "NO_COLOR"] {
            if let Some(value) = variable(name) {
                command.env(name, value);
            }
        }
        // Ctrl-C is for the tour alone: it lets the command finish and then takes the tunnel down.
        command.process_group(0);
        command
    }

    /// The freshly built programs first, then the caller's PATH, where `ssh` is.
    fn search_path(&self) -> OsString {
        let mut path = self.programs.clone().into_os_string();
        if let Some(rest) = variable("PATH") {
            path.push(":");
            path.push(rest);
        }
        path
    }

    /// Everything soong and its ssh have logged.
    pub fn logs(&self) -> String {
        let mut found = String::new();
        let mut directories = vec![self.path().join(".local/state")];
        while let Some(directory) = directories.pop() {
            for path in fs::read_dir(directory).into_iter().flatten().flatten().map(|entry| entry.path()) {
                if path.is_dir() {
                    directories.push(path);
                } else if path.extension().is_some_and(|extension| extension == "log") {
                    found += &fs::read_to_string(&path).unwrap_or_default();
                }
            }
        }
        found
    }

    /// Waits for the command that was interrupted, if any, stops the tunnel unless it was seen to be
    /// down, and removes the directory.
    pub async fn close(mut self, screen: &Screen) -> Result<(), Box<dyn Error>> {
        if let Some(mut child) = self.running.take()
            && timeout(PATIENCE, child.wait()).await.is_err()
        {
            child.kill().await?;
        }
        if self.tunnel {
            self.run(screen, STOP).await?;
            // Any failure but this one leaves no tunnel behind that would need its files.
            if self.run(screen, STATUS).await? == 0 {
                let kept = self.directory.keep();
                return Err(
                    format!("the tunnel cannot be stopped; its files stay in {}", kept.display()).into()
                );
            }
        }
        self.directory.close()?;
        Ok(())
    }
}

/// The directory of the `soong` programs: cargo puts examples one level below them.
fn programs() -> Result<PathBuf, Box<dyn Error>> {
    let example = std::env::current_exe()?;
    let programs = example.ancestors().nth(2).unwrap_or(Path::new("/"));
    if programs.join("soong").is_file() && programs.join("soong-tunnel").is_file() {
        return Ok(programs.to_owned());
    }
    Err(format!("no soong in {}; build it first: cargo build --bins", programs.display()).into())
}

/// The system's temporary directory, unless it is too deep.
fn temporary() -> PathBuf {
    let directory = std::env::temp_dir();
    if directory.as_os_str().len() > TEMPORARY_PATH_MAX { PathBuf::from("/tmp") } else { directory }
}

fn variable(name: &str) -> Option<OsString> {
    #[expect(clippy::disallowed_methods, reason = "the caller's environment is cleared, but for these")]
    std::env::var_os(name)
}
