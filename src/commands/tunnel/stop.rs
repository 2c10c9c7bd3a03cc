//! `soong tunnel stop`.

use std::thread::sleep;
use std::time::{Duration, Instant};

use super::arguments::StopArguments;
use super::choice;
use crate::command_line;
use crate::error::{Error, Result};
use crate::runtime::control::Supervisor;
use crate::runtime::directory::Directory;
use crate::runtime::registry::{self, Running};
use crate::runtime::{pidfile, prompt};
use crate::system::paths::Paths;

/// Time for a supervisor to end ssh and itself before it is killed.
const PATIENCE: Duration = Duration::from_secs(5);
/// Time for the kernel to remove a killed process.
const KILL_PATIENCE: Duration = Duration::from_secs(5);
/// Time that the lock can outlast its process: a child holds it until it executes its program.
const LOCK_PATIENCE: Duration = Duration::from_secs(1);

/// Stops the tunnels in `arguments` and reports it.
pub fn stop(arguments: &StopArguments, paths: &Paths) -> Result<()> {
    let wanted = arguments.which.wanted()?;
    let mut survey = registry::survey(paths)?;
    let chosen: Vec<Running> = if arguments.all {
        std::mem::take(&mut survey.running)
    } else {
        survey.take(wanted)?.into_iter().collect()
    };
    if let (true, Some(name)) = (chosen.is_empty(), wanted) {
        return Err(choice::not_running(name, &survey, paths));
    }
    if chosen.is_empty() {
        let dead = survey.remains || !survey.failed.is_empty();
        registry::tidy(paths)?;
        let line =
            if dead { "Tunnel process not found (already stopped?)\n" } else { "Tunnel is not running\n" };
        return if arguments.quiet { Ok(()) } else { command_line::print(line) };
    }
    for running in chosen {
        let pid = stop_running(running)?;
        if !arguments.quiet {
            report(pid)?;
        }
    }
    // A killed supervisor could not update the prompt and PID files.
    if arguments.all {
        registry::tidy(paths)?;
    } else {
        let _ = prompt::tidy(paths);
    }
    if pidfile::exists(paths) {
        let _ = pidfile::update(paths, None);
    }
    Ok(())
}

/// Stops a tunnel and returns its PID. Kills a supervisor that does not answer, after the kernel has proven
/// that it is one.
pub fn stop_running(mut running: Running) -> Result<u32> {
    let pid = running.supervisor.pid();
    let at_fault = |source| Error::cannot(format_args!("stop the tunnel (PID: {pid})"), source);
    let by_itself = running.supervisor.stop(PATIENCE).map_err(at_fault)?;
    let gone = by_itself || running.supervisor.kill(KILL_PATIENCE).map_err(at_fault)?;
    if !gone {
        return Err(Error::failed(format!("the tunnel (PID: {pid}) did not stop")));
    }
    wait_for_lock(&running.directory)?;
    if !by_itself && let Some(lock) = running.directory.try_lock()? {
        running.directory.clear(&lock, false);
    }
    Ok(pid)
}

/// Waits for the lock of an ended tunnel, so that a start right afterwards finds it free. Another start can
/// take it first; its holder is then not the tunnel that was stopped.
fn wait_for_lock(directory: &Directory) -> Result<()> {
    let deadline = Instant::now() + LOCK_PATIENCE;
    while directory.is_locked()? && Supervisor::connect(directory).is_err() && Instant::now() < deadline {
        sleep(Duration::from_millis(1));
    }
    Ok(())
}

/// Reports that the tunnel with this PID was stopped.
pub fn report(pid: u32) -> Result<()> {
    command_line::print(&format!("Stopped tunnel (PID: {pid})\n"))
}
