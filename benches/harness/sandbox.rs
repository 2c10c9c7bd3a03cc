//! Where a benchmark works: a directory that goes with it, and an environment that knows nothing
//! of the user's. And the way out when a signal ends it early.

use std::ffi::OsStr;
use std::fs::File;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};
use nix::sys::time::TimeValLike;
use soong::error::{Error, Result};
use tempfile::TempDir;

/// Set once a signal has asked for the end.
static ENDING: AtomicBool = AtomicBool::new(false);

extern "C" fn note(_signal: i32) {
    ENDING.store(true, Ordering::Relaxed);
}

/// Handles the signals that would kill the benchmark: it ends the processes that it started and removes the
/// files that it wrote.
pub fn end_on_signals() -> Result<()> {
    let action = SigAction::new(SigHandler::Handler(note), SaFlags::empty(), SigSet::empty());
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
        // SAFETY: the handler does nothing but store to an atomic.
        let installed = unsafe { sigaction(signal, &action) };
        installed.map_err(|errno| failed("handle signals", errno.into()))?;
    }
    Ok(())
}

/// An error once a signal has asked for the end.
pub fn check_signals() -> Result<()> {
    if ENDING.load(Ordering::Relaxed) { Err(Error::failed("interrupted")) } else { Ok(()) }
}

/// Directories of the benchmark's own, removed when this is dropped.
#[derive(Debug)]
pub struct Sandbox {
    directory: TempDir,
    runtime: TempDir,
}

impl Sandbox {
    /// Creates the directories, with short paths because they hold sockets. The one for `XDG_RUNTIME_DIR` is
    /// in memory where possible, as after a login.
    pub fn new() -> Result<Self> {
        const MEMORY: &str = "/dev/shm";
        let make = |place: &str| tempfile::Builder::new().prefix("sb-").tempdir_in(place);
        let at_fault = |error| failed("make a directory in /tmp", error);
        let runtime = make(MEMORY).or_else(|_| make("/tmp")).map_err(at_fault)?;
        Ok(Self { directory: make("/tmp").map_err(at_fault)?, runtime })
    }

    /// Where `name` is in the directory.
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Where `name` is in the directory for what runs.
    pub fn runtime(&self, name: &str) -> PathBuf {
        self.runtime.path().join(name)
    }

    /// Writes a file.
    pub fn write(&self, name: &str, contents: &str) -> Result<PathBuf> {
        let path = self.path(name);
        std::fs::write(&path, contents).map_err(|error| Error::io("write", &path, error))?;
        Ok(path)
    }

    /// Writes a file that can be executed.
    pub fn write_program(&self, name: &str, contents: &str) -> Result<PathBuf> {
        let path = self.write(name, contents)?;
        let executable = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(&path, executable).map_err(|error| Error::io("write", &path, error))?;
        Ok(path)
    }

    /// A command that sees this sandbox and the directories of `path`. What it prints goes
    /// nowhere; what it complains about is kept for [`run`] to tell.
    pub fn command(&self, program: &Path, path: &OsStr) -> Result<Command> {
        let complaints = self.complaints();
        let complaints = File::create(&complaints).map_err(|error| Error::io("write", &complaints, error))?;
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("PATH", path)
            .env("HOME", self.directory.path())
            .env("XDG_RUNTIME_DIR", self.runtime.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(complaints);
        Ok(command)
    }

    /// Runs `command` to its end and says how long that took.
    pub fn time(&self, command: &mut Command) -> Result<Duration> {
        let begun = Instant::now();
        let status = command.status();
        let taken = begun.elapsed();
        let shown = command.get_program().to_string_lossy();
        let status = status.map_err(|error| failed(&format!("run {shown}"), error))?;
        if status.success() {
            return Ok(taken);
        }
        let said = std::fs::read_to_string(self.complaints()).unwrap_or_default();
        let error = Error::failed(format!("{shown} ended with {status}"));
        Err(said.lines().fold(error, |error, line| error.with_hint(format!("it said: {line}"))))
    }

    /// Runs `command` to its end and says how much of the processor's time it took, with all that it
    /// started and waited for. Nothing else that this process started may end meanwhile.
    pub fn processor_time(&self, command: &mut Command) -> Result<Duration> {
        let used = || -> Result<Duration> {
            let usage = getrusage(UsageWho::RUSAGE_CHILDREN)
                .map_err(|errno| failed("ask for the time of the processor", errno.into()))?;
            let parts = [usage.user_time(), usage.system_time()];
            let micros: i64 = parts.iter().map(TimeValLike::num_microseconds).sum();
            Ok(Duration::from_micros(micros.unsigned_abs()))
        };
        let before = used()?;
        self.time(command)?;
        Ok(used()?.saturating_sub(before))
    }

    fn complaints(&self) -> PathBuf {
        self.path("stderr")
    }
}

/// An error about something that the system refused.
pub fn failed(action: &str, source: std::io::Error) -> Error {
    Error::Io { action: format!("cannot {action}"), source, hint: None }
}
