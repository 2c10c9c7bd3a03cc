//! One user's machine for one test: a home, a runtime directory and a clean environment below its own short
//! directory, and a check at the end that nothing of it still runs.

use std::ffi::{OsStr, OsString};
use std::fmt::Write as _;
use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::fcntl::{Flock, FlockArg};
use nix::sys::signal::Signal;
use tempfile::TempDir;

use super::config::{Config, path};
use super::instance::Instance;
use super::process::{self, Process};
use super::run::Run;
use super::sshd::generate_key;
use super::{ports, tools, wait};

/// A private environment; its tunnels are stopped and its files removed when it is dropped.
pub struct Sandbox {
    root: TempDir,
    pub config: Config,
}

impl Sandbox {
    /// Returns a home with a configuration without instances.
    pub fn new() -> Self {
        Self::configured(Config::new())
    }

    /// Returns a home whose configuration leads to `instance`.
    pub fn with(instance: &Instance) -> Self {
        Self::configured(Config::with(instance))
    }

    /// Returns a home whose instance accepts connections and never speaks, so that a start waits.
    pub fn mute() -> (Self, TcpListener) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut sandbox = Self::new();
        let key = sandbox.path("key");
        generate_key(&key);
        sandbox.configure(|config| {
            config.set(["ssh", "key"], path(&key));
            config.instance("dev", "127.0.0.1", listener.local_addr().unwrap().port());
        });
        (sandbox, listener)
    }

    fn configured(config: Config) -> Self {
        // Short, because the path of a Unix socket has to fit into about a hundred bytes.
        let root = tempfile::Builder::new().prefix("so-").tempdir_in("/tmp").unwrap();
        let sandbox = Self { root, config };
        for directory in [sandbox.home(), sandbox.runtime(), sandbox.path("bin"), sandbox.path("tmp")] {
            fs::DirBuilder::new().mode(0o700).create(directory).unwrap();
        }
        // Without it, the first fish of a home reads all manual pages in the background.
        fs::create_dir_all(sandbox.path("home/.local/share/fish/generated_completions")).unwrap();
        sandbox.save();
        sandbox
    }

    /// Returns the path of `relative` below the sandbox's directory.
    pub fn path(&self, relative: &str) -> PathBuf {
        self.root.path().join(relative)
    }

    /// Returns `HOME`.
    pub fn home(&self) -> PathBuf {
        self.path("home")
    }

    /// Returns `XDG_RUNTIME_DIR`.
    pub fn runtime(&self) -> PathBuf {
        self.path("run")
    }

    /// Returns the path of `config.toml`.
    pub fn config_file(&self) -> PathBuf {
        self.path("home/.config/soong/config.toml")
    }

    /// Returns the path of the PID file of soong's predecessor.
    pub fn pid_file(&self) -> PathBuf {
        self.path("home/.config/gpu-dashboard/tunnel.pid")
    }

    /// Returns the directory of the tunnel to the instance `dev`.
    pub fn tunnel_directory(&self) -> PathBuf {
        self.path("run/soong/tunnels/dev")
    }

    /// Changes the configuration and writes it.
    pub fn configure(&mut self, change: impl FnOnce(&mut Config)) -> &Self {
        change(&mut self.config);
        self.save();
        self
    }

    /// Sets `ssh.key`.
    pub fn use_key(&mut self, key: impl AsRef<str>) {
        self.configure(|config| {
            config.set(["ssh", "key"], key.as_ref());
        });
    }

    /// Sets the time limit for candidates of extensions to that of a busy machine, instead of a second.
    pub fn wait_for_candidates(&mut self) {
        self.configure(|config| {
            config.set(["completion", "timeout"], 60);
        });
    }

    /// Replaces the config in one step: a running supervisor may be reading it.
    fn save(&self) {
        let file = self.config_file();
        let new = file.with_extension("new");
        self.write(&new, self.config.text());
        fs::rename(new, file).unwrap();
    }

    /// Writes a file and creates the directories above it.
    pub fn write(&self, path: &Path, contents: impl AsRef<[u8]>) {
        assert!(path.starts_with(self.root.path()), "{} is outside the sandbox", path.display());
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let contents = contents.as_ref();
        if !contents.starts_with(b"#!") {
            return fs::write(path, contents).unwrap();
        }
        // A child that another test is starting has a copy of each open file for a moment, and a program that is open for
        // writing cannot be run. So another process writes it.
        let text = path.with_extension("text");
        fs::write(&text, contents).unwrap();
        let copied = Command::new("cp").arg("--").args([&text, path]).status().unwrap();
        assert!(copied.success(), "cp to {}", path.display());
        fs::remove_file(text).unwrap();
    }

    /// Writes `credentials.toml`, readable by its owner only.
    pub fn store_secrets(&self, text: &str) {
        let file = self.config_file().with_file_name("credentials.toml");
        self.write(&file, text);
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    }

    /// Enables the provider `name`, which is this shell script. [`Sandbox::soong_with_bin`] finds it.
    pub fn provide(&mut self, name: &str, script: &str) {
        let program = self.path(&format!("bin/soong-provider-{name}"));
        self.write(&program, format!("#!/bin/sh\n{script}\n"));
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        self.configure(|config| {
            config.set(["providers", name], true);
        });
    }

    /// Returns the command `soong ARGS` with the sandbox's own programs on PATH.
    pub fn soong_with_bin<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Run<'_> {
        let mut path = self.path("bin").into_os_string();
        path.push(":");
        path.push(tools::system_path());
        self.soong(args).env("PATH", path)
    }

    /// Returns the environment of every program of the sandbox.
    pub fn environment(&self) -> Vec<(OsString, OsString)> {
        let mut environment: Vec<(OsString, OsString)> = vec![
            ("HOME".into(), self.home().into()),
            ("XDG_RUNTIME_DIR".into(), self.runtime().into()),
            ("TMPDIR".into(), self.path("tmp").into()),
            ("PATH".into(), tools::system_path()),
            ("LC_ALL".into(), "C".into()),
        ];
        // Set when coverage is measured: without it every run would write into the working directory.
        if let Some(profile) = std::env::var_os("LLVM_PROFILE_FILE") {
            environment.push(("LLVM_PROFILE_FILE".into(), profile));
        }
        environment
    }

    /// Returns the command `soong ARGS`.
    pub fn soong<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Run<'_> {
        Run::new(self, Path::new(env!("CARGO_BIN_EXE_soong")), args)
    }

    /// Returns the command `soong tunnel ARGS`, as a user types it.
    pub fn tunnel<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Run<'_> {
        self.soong(["tunnel"]).args(args)
    }

    /// Starts the tunnel to the instance and returns the PID it prints.
    #[track_caller]
    pub fn start(&self, instance: &Instance) -> i32 {
        let output = self.tunnel(["start"]).stdout(self.started(instance)).run();
        pid_in(&output.stdout)
    }

    /// Returns the output of a successful start, with `[PID]` in place of the PID.
    pub fn started(&self, instance: &Instance) -> String {
        let mut text = "Starting SSH tunnel to 127.0.0.1...\nSSH tunnel started (PID: [PID])\n".to_owned();
        for (service, local) in instance.services.iter().zip(self.config.local) {
            writeln!(text, "  localhost:{local} -> 127.0.0.1:{}", service.port).unwrap();
        }
        text
    }

    /// Returns `http://localhost:PORT/REQUEST` for the service that `start` lists at `index`.
    pub fn url(&self, index: usize, request: &str) -> String {
        format!("http://localhost:{}/{request}", self.config.local[index])
    }

    /// Returns every live process that has this sandbox's directory in its command line or environment.
    pub fn processes(&self) -> Vec<Process> {
        let root = format!("{}/", self.root.path().display());
        process::all().into_iter().filter(|process| process.mentions(&root)).collect()
    }

    /// Returns the supervisors among them.
    pub fn supervisors(&self) -> Vec<Process> {
        let mut processes = self.processes();
        processes.retain(|p| p.program() == "soong-supervisor");
        processes
    }

    /// Returns the `ssh` clients among them.
    pub fn clients(&self) -> Vec<Process> {
        let mut processes = self.processes();
        processes.retain(|p| p.program() == "ssh" || p.program() == "ssh:");
        processes
    }

    /// Asserts that nothing runs, nothing listens, no lock is held, no file is half written and no tunnel is
    /// listed.
    #[track_caller]
    pub fn assert_idle(&self) {
        wait::until_true(&format!("the processes of {} to end", self.root.path().display()), || {
            self.processes().is_empty()
        });
        for port in self.config.local {
            wait::until_true(&format!("port {port} to be free"), || ports::is_free(port));
        }
        let files = self.files();
        for file in &files {
            let name = file.file_name().unwrap().to_string_lossy();
            let leftover = name.starts_with('.') || name.ends_with('~') || name.contains("tmp");
            assert!(!leftover, "half-written file left: {}", file.display());
            let socket = name == "ctl" || name.ends_with(".sock");
            assert!(!socket, "socket left: {}", file.display());
            if name == "lock" {
                assert_unlocked(file);
            }
        }
        assert!(!self.pid_file().exists(), "PID file left: {:?}", fs::read_to_string(self.pid_file()));
    }

    /// Returns every file below the sandbox's home, runtime and temporary directories that soong may have
    /// written.
    pub fn files(&self) -> Vec<PathBuf> {
        let mut found = Vec::new();
        let mut directories = vec![self.home(), self.runtime(), self.path("tmp")];
        while let Some(directory) = directories.pop() {
            let Ok(entries) = fs::read_dir(&directory) else {
                continue;
            };
            for entry in entries.map(Result::unwrap) {
                if entry.file_type().unwrap().is_dir() {
                    directories.push(entry.path());
                } else {
                    found.push(entry.path());
                }
            }
        }
        found.sort();
        found
    }

    /// Replaces text that differs from run to run: the sandbox's directory and PIDs in brackets.
    pub fn normalise(&self, text: &str) -> String {
        let text = text.replace(self.root.path().to_str().unwrap(), "[ROOT]");
        let mut parts = text.split("(PID: ");
        let mut normalised = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let rest = part.trim_start_matches(|c: char| c.is_ascii_digit());
            let pid = if rest.len() < part.len() { "[PID]" } else { "" };
            write!(normalised, "(PID: {pid}{rest}").unwrap();
        }
        normalised
    }

    /// Ends the remaining processes of this sandbox and returns them.
    pub fn kill_all(&self) -> Vec<Process> {
        let left = self.processes();
        // Repeated, because a process may have started another before it was killed.
        wait::until_true("the processes of the sandbox to die", || {
            let now = self.processes();
            for process in &now {
                process::signal(process.pid, Signal::SIGKILL);
            }
            now.is_empty()
        });
        left
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        if !self.processes().is_empty() {
            self.tunnel(["stop", "--all"]).unchecked();
        }
        let end = std::time::Instant::now() + std::time::Duration::from_secs(30);
        while !self.processes().is_empty() && std::time::Instant::now() < end {
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        let left = self.kill_all();
        assert!(left.is_empty() || std::thread::panicking(), "left running: {left:#?}");
    }
}

/// Returns the number after `(PID: `.
#[track_caller]
pub fn pid_in(text: &str) -> i32 {
    let after = text.split_once("(PID: ").unwrap_or_else(|| panic!("no PID in {text:?}")).1;
    let digits: String = after.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().unwrap_or_else(|_| panic!("no PID in {text:?}"))
}

#[track_caller]
fn assert_unlocked(path: &Path) {
    let file = fs::File::open(path).unwrap();
    let lock = Flock::lock(file, FlockArg::LockExclusiveNonblock);
    assert!(lock.is_ok(), "{} is still locked", path.display());
}
