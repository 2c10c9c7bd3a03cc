//! Hooks: programs of the user that are run when a tunnel comes up, loses its link or fails.
//!
//! `hooks/up`, `hooks/down` and `hooks/failed`, beside the config file. They get the facts in their
//! environment, no input, a process group and a time limit of their own; what they say goes to the
//! tunnel's log.
//!
//! A process of its own runs them, `soong-tunnel hooks`, started with the first event for which there
//! is a hook. The supervisor writes events to its standard input and is never held up; and the hooks
//! of its last moments are run although it is gone. One hook runs at a time; of the events that come
//! meanwhile, the last counts.

use std::fs;
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::unistd::geteuid;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::runtime::log::Log;
use crate::system::child::{self, Fault, Limits};
use crate::system::paths::{self, Paths};
use crate::system::signals::Watch;

/// What a hook may use.
const LIMITS: Limits = Limits { time: Duration::from_secs(30), output: 1 << 20 };
/// How many lines of what a hook says are kept.
const LINES_MAX: usize = 100;

/// What has happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Occasion {
    /// Requests go through, for the first time or again.
    Up,
    /// The link was lost, or the tunnel was stopped.
    Down,
    /// The tunnel could not be had or kept.
    Failed,
}

impl Occasion {
    /// The name of the hook.
    pub fn word(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Down => "down",
            Self::Failed => "failed",
        }
    }
}

/// An event, with everything that its hook is to know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// What has happened.
    pub occasion: Occasion,
    /// The variables of the hook's environment.
    pub variables: Vec<(String, String)>,
}

/// Passes the events of one tunnel on to the process that runs its hooks.
#[derive(Debug)]
pub struct Hooks {
    directory: PathBuf,
    name: String,
    /// What was told last, so that a link is lost once, however often it cannot be had again.
    last: Option<Occasion>,
    runner: Option<Child>,
}

impl Hooks {
    /// The hooks for the tunnel `name`.
    pub fn new(paths: &Paths, name: &str) -> Self {
        Self { directory: paths.hooks(), name: name.to_owned(), last: None, runner: None }
    }

    /// Has the hook for `event` run, if there is one. The error says why it will not be. A tunnel
    /// that was not up cannot go down.
    pub fn fire(&mut self, event: &Event) -> io::Result<()> {
        if event.occasion == Occasion::Down && self.last != Some(Occasion::Up) {
            return Ok(());
        }
        self.last = Some(event.occasion);
        // An event without a hook is told nevertheless to a runner that is there: it replaces one
        // that still waits for its turn, and is not true any more.
        let wanted = fs::symlink_metadata(self.directory.join(event.occasion.word())).is_ok();
        if !wanted && self.runner.is_none() {
            return Ok(());
        }
        let mut line = serde_json::to_vec(event)?;
        line.push(b'\n');
        match self.tell(&line) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                if let Some(mut ended) = self.runner.replace(start(&self.name)?) {
                    let _ = ended.try_wait();
                }
                self.tell(&line)
            }
            told => told,
        }
    }

    /// Events are far smaller than a pipe, and the runner reads while a hook runs.
    fn tell(&mut self, line: &[u8]) -> io::Result<()> {
        let input = self.runner.as_mut().and_then(|runner| runner.stdin.as_mut());
        input.ok_or(io::ErrorKind::BrokenPipe)?.write_all(line)
    }
}

/// Starts the process that runs hooks. It ends by itself, once its input has ended and the last hook
/// has run.
fn start(name: &str) -> io::Result<Child> {
    let mut command = Command::new(paths::sibling("soong-tunnel")?);
    command
        .args(["hooks", "--", name])
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        // Out of the way of Ctrl-C at a tunnel in the foreground.
        .process_group(0);
    let mut runner = command.spawn()?;
    if let Some(input) = runner.stdin.as_mut() {
        // A runner that is suspended must not suspend the tunnel.
        fcntl(input, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
    }
    Ok(runner)
}

/// `soong-tunnel hooks`: runs the hooks of the tunnel `name` for the events on standard input.
pub fn run(name: &str, paths: &Paths) {
    let (sender, events) = channel();
    thread::spawn(move || {
        let lines = BufReader::new(io::stdin()).lines().map_while(io::Result::ok);
        let events = lines.filter_map(|line| serde_json::from_str::<Event>(&line).ok());
        // The end of the events ends this thread, and so the channel.
        let _ = events.into_iter().try_for_each(|event| sender.send(event));
    });
    let directory = paths.hooks();
    while let Some(event) = latest(&events) {
        let hook = directory.join(event.occasion.word());
        if fs::symlink_metadata(&hook).is_ok() {
            let log = Log::new(paths.log(name));
            for line in report(&event, run_one(&hook, &event)) {
                log.write(&line);
            }
        }
    }
}

/// The last of the events that wait; waits for one where none does.
fn latest(events: &Receiver<Event>) -> Option<Event> {
    let first = events.recv().ok()?;
    Some(events.try_iter().last().unwrap_or(first))
}

/// What to write into the log about a hook.
fn report(event: &Event, said: Result<Vec<String>>) -> Vec<String> {
    let hook = event.occasion.word();
    match said {
        Ok(lines) => lines.into_iter().map(|line| format!("hook {hook}: {line}")).collect(),
        Err(error) => {
            let hints = error.hints().into_iter().map(|hint| format!("; {hint}")).collect::<String>();
            vec![format!("hook {hook}: {error}{hints}")]
        }
    }
}

/// Runs one hook; returns what it said, and how it ended where that was not well.
fn run_one(hook: &Path, event: &Event) -> Result<Vec<String>> {
    refuse_unsafe(hook)?;
    let watch = Watch::new().map_err(|source| Error::Io {
        action: "cannot handle signals".into(),
        source,
        hint: None,
    })?;
    let mut command = Command::new(hook);
    command.current_dir("/").envs(event.variables.iter().map(|(name, value)| (name, value)));
    let outcome = child::run(&mut command, LIMITS, &watch).map_err(|fault| match fault {
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

/// Refuses a hook that somebody else could have written.
fn refuse_unsafe(hook: &Path) -> Result<()> {
    for path in [Some(hook), hook.parent()].into_iter().flatten() {
        let metadata = fs::metadata(path).map_err(|error| Error::io("read", path, error))?;
        let shown = path.display();
        if metadata.uid() != geteuid().as_raw() {
            return Err(Error::failed(format!("{shown} is not yours, so it is not run")));
        }
        if metadata.permissions().mode() & 0o022 != 0 {
            return Err(Error::failed(format!("{shown} can be written by other users, so it is not run"))
                .with_hint(format!("close it: chmod go-w {}", shell_words::quote(&path.to_string_lossy()))));
        }
    }
    if !paths::is_executable(hook) {
        return Err(Error::failed(format!("{} is not executable", hook.display()))
            .with_hint(format!("chmod +x {}", shell_words::quote(&hook.to_string_lossy()))));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::supervisor::hooks::*;

    fn event(occasion: Occasion) -> Event {
        Event { occasion, variables: vec![("SOONG_X".into(), "a b".into())] }
    }

    #[test]
    fn of_the_events_that_wait_the_last_counts() {
        let (sender, events) = channel();
        for occasion in [Occasion::Up, Occasion::Down, Occasion::Up, Occasion::Failed] {
            sender.send(event(occasion)).unwrap();
        }
        assert_eq!(latest(&events), Some(event(Occasion::Failed)));
        drop(sender);
        assert_eq!(latest(&events), None);
    }

    #[test]
    fn a_hook_that_others_could_write_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let hook = directory.path().join("up");
        fs::write(&hook, "#!/bin/sh\necho \"$SOONG_X\"; echo why >&2; exit 3\n").unwrap();
        let run = |mode| {
            fs::set_permissions(&hook, fs::Permissions::from_mode(mode)).unwrap();
            report(&event(Occasion::Up), run_one(&hook, &event(Occasion::Up))).join("\n")
        };
        assert!(run(0o600).contains("is not executable; chmod +x"));
        assert!(run(0o722).contains("can be written by other users, so it is not run; close it: chmod go-w"));
        assert_eq!(run(0o700), "hook up: a b\nhook up: why\nhook up: exit status: 3");
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o777)).unwrap();
        assert!(run(0o700).contains("can be written by other users"));
    }
}
