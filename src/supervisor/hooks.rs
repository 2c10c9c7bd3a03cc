//! Hooks: programs of the user that are run when a tunnel comes up, loses its link or fails.
//!
//! `hooks/up`, `hooks/down` and `hooks/failed`, beside the config file. A process of its own runs them,
//! `soong-tunnel hooks`, started with the first event for which there is a hook. The supervisor writes events
//! to its standard input and never waits for it; the hooks of a supervisor's last moments run after it is gone.

use std::fs;
use std::io::{self, Write};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use nix::fcntl::{FcntlArg, OFlag, fcntl};

use super::protocol::hook_event::{Event, Occasion};
use crate::system::paths::{self, Paths};

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
