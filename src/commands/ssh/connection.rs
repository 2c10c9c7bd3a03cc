//! The connection of a running tunnel, for a session that can go over it.

use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::config::instance::Instance;
use crate::runtime::directory::Directory;
use crate::runtime::state::{Phase, State};
use crate::system::paths::Paths;
use crate::system::spinner::Spinner;
use crate::terminal::printable;

/// Time between two checks of a reconnecting tunnel.
const PAUSE: Duration = Duration::from_millis(50);

/// Returns the control socket of the tunnel to `instance`, if it is up.
pub fn open(instance: &Instance, paths: &Paths) -> Option<PathBuf> {
    let directory = directory(instance, paths)?;
    let control = directory.ssh_control();
    // ssh reports a dead socket on stderr, which would be right.
    UnixStream::connect(&control).ok()?;
    let state = leads_to(instance, &directory)?;
    // Only on Linux does the supervisor see sessions before it ends an unused ssh.
    (cfg!(target_os = "linux") || state.on_demand.is_none()).then_some(control)
}

/// Like [`open`], but waits for a reconnecting tunnel, as connections to its ports do. `None` after
/// `hold`: the session must connect by itself. Ctrl-C ends the program.
pub fn wait(instance: &Instance, hold: Duration, paths: &Paths) -> Option<PathBuf> {
    let deadline = Instant::now() + hold;
    let mut spinner = None;
    loop {
        if let Some(control) = open(instance, paths) {
            return Some(control);
        }
        if Instant::now() >= deadline || !is_coming(instance, paths) {
            return None;
        }
        spinner.get_or_insert_with(|| {
            let name = printable(&instance.name);
            Spinner::watching(&format!("Waiting for the tunnel to {name}, at most {}s", hold.as_secs()))
        });
        sleep(PAUSE.min(hold));
    }
}

/// Returns true while a tunnel to `instance` is running that may be up soon.
fn is_coming(instance: &Instance, paths: &Paths) -> bool {
    let Some(directory) = directory(instance, paths) else { return false };
    let is_locked = directory.is_locked().unwrap_or(false);
    // An idle one stays idle: here ssh can ask its questions.
    let is_coming = |state: State| !matches!(state.phase, Phase::Idle | Phase::Failed);
    is_locked && leads_to(instance, &directory).is_some_and(is_coming)
}

/// Returns the directory of the tunnel, unless another user could have written to it.
fn directory(instance: &Instance, paths: &Paths) -> Option<Directory> {
    paths.check_runtime().ok()?;
    Directory::find(paths, &instance.tunnel_name()).ok()
}

/// Returns the state of the tunnel, unless another machine has its name now.
fn leads_to(instance: &Instance, directory: &Directory) -> Option<State> {
    let is_same = |state: &State| state.instance.id == instance.id && state.instance.host == instance.host;
    State::read(directory).filter(is_same)
}
