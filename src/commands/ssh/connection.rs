//! The connection of a running tunnel, for a session that can go over it.

use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::config::instance::Instance;
use crate::runtime::directory::Directory;
use crate::runtime::state::{Phase, State};
use crate::system::paths::Paths;
use crate::terminal::{self, print_error, printable};

/// The time between two looks at a tunnel that is reconnecting.
const PAUSE: Duration = Duration::from_millis(50);
/// How long a wait may be without being told.
const SILENCE: Duration = Duration::from_secs(1);

/// The control socket of the tunnel to `instance`, if it is up.
pub fn open(instance: &Instance, paths: &Paths) -> Option<PathBuf> {
    let directory = directory(instance, paths)?;
    let control = directory.ssh_control();
    // ssh says so on stderr when it finds the socket dead, and would be right.
    UnixStream::connect(&control).ok()?;
    leads_to(instance, &directory).map(|_| control)
}

/// The same; a tunnel that is reconnecting is waited for, as connections to its ports wait. `None`
/// after `hold`: the session has to connect by itself. Ctrl-C ends the program.
pub fn awaited(instance: &Instance, hold: Duration, paths: &Paths) -> Option<PathBuf> {
    let begun = Instant::now();
    let mut is_told = !terminal::is_interactive();
    loop {
        if let Some(control) = open(instance, paths) {
            return Some(control);
        }
        if begun.elapsed() >= hold || !is_coming(instance, paths) {
            return None;
        }
        if !is_told && begun.elapsed() >= SILENCE {
            is_told = true;
            print_error(&format!(
                "Waiting for the tunnel to {}, at most {} s (Ctrl-C to give up)...\n",
                printable(&instance.name),
                hold.as_secs()
            ));
        }
        sleep(PAUSE.min(hold));
    }
}

/// True while a tunnel to `instance` runs that may be up soon.
fn is_coming(instance: &Instance, paths: &Paths) -> bool {
    let Some(directory) = directory(instance, paths) else { return false };
    let is_locked = directory.is_locked().unwrap_or(false);
    is_locked && leads_to(instance, &directory).is_some_and(|state| state.phase != Phase::Failed)
}

/// Nothing is asked of a directory that somebody else could have filled: then there is no tunnel.
fn directory(instance: &Instance, paths: &Paths) -> Option<Directory> {
    paths.check_runtime().ok()?;
    Directory::find(paths, &instance.tunnel_name()).ok()
}

/// The state of the tunnel, unless its name was given to another machine since it was started.
fn leads_to(instance: &Instance, directory: &Directory) -> Option<State> {
    let is_same = |state: &State| state.instance.id == instance.id && state.instance.host == instance.host;
    State::read(directory).filter(is_same)
}
