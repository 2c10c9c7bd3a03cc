//! Hooks: the user's programs for tunnels that come up, lose their link, become idle or fail, and for leases that end.
//!
//! They are files such as `hooks/up` beside the config file; see [`Occasion`]. A separate process,
//! `soong-tunnel hooks`, runs them; it starts with the first event that has a hook. The supervisor writes
//! events to its standard input and never waits for it. Hooks for the supervisor's last events run after its
//! end.

use std::fs;
use std::io::{self, Write};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use nix::fcntl::{FcntlArg, OFlag, fcntl};

use super::protocol::hook_event::{Event, Occasion};
use crate::system::paths::{self, Paths};

/// Passes the events of one tunnel to the process that runs its hooks.
#[derive(Debug)]
pub struct Hooks {
    directory: PathBuf,
    name: String,
    /// The last state, so that a lost link is reported once, however often attempts fail.
    last: Option<Occasion>,
    runner: Option<Child>,
}

impl Hooks {
    /// Returns the hooks of the tunnel `name`.
    pub fn new(paths: &Paths, name: &str) -> Self {
        Self { directory: paths.hooks(), name: name.to_owned(), last: None, runner: None }
    }

    /// Runs the hook for `event`, if there is one. A tunnel that was not up cannot go down, and one that still fails
    /// does not fail again.
    pub fn fire(&mut self, event: &Event) -> io::Result<()> {
        let is_news = match event.occasion {
            Occasion::Up | Occasion::LeaseEnding | Occasion::Gone => true,
            Occasion::Down | Occasion::Idle => self.last == Some(Occasion::Up),
            Occasion::Failed => self.last != Some(Occasion::Failed),
        };
        if !is_news {
            return Ok(());
        }
        if event.occasion.is_state() {
            self.last = Some(event.occasion);
        }
        // A running process also gets events without a hook: they replace a waiting one, which is out of
        // date.
        let wanted = fs::symlink_metadata(self.directory.join(event.occasion.word())).is_ok();
        if !wanted && self.runner.is_none() {
            return Ok(());
        }
        let mut line = serde_json::to_vec(event)?;
        line.push(b'\n');
        match self.write(&line) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                if let Some(mut ended) = self.runner.replace(start(&self.name)?) {
                    let _ = ended.try_wait();
                }
                self.write(&line)
            }
            outcome => outcome,
        }
    }

    /// Events are far smaller than a pipe, and the process reads while a hook runs.
    fn write(&mut self, line: &[u8]) -> io::Result<()> {
        let input = self.runner.as_mut().and_then(|runner| runner.stdin.as_mut());
        input.ok_or(io::ErrorKind::BrokenPipe)?.write_all(line)
    }
}

/// Starts the process that runs hooks. It ends after its input has ended and the last hook has run.
fn start(name: &str) -> io::Result<Child> {
    let mut command = Command::new(paths::sibling("soong-tunnel")?);
    command
        .args(["hooks", "--", name])
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        // Keeps it from the Ctrl-C of a tunnel in the foreground.
        .process_group(0);
    let mut runner = command.spawn()?;
    if let Some(input) = runner.stdin.as_mut() {
        // A suspended process must not block the tunnel.
        fcntl(input, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
    }
    Ok(runner)
}
