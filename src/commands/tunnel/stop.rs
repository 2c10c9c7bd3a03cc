//! `soong tunnel stop`.

use std::thread::sleep;
use std::time::{Duration, Instant};

use super::arguments::StopArguments;
use super::choice;
use crate::command_line;
use crate::error::{Error, Result};
use crate::runtime::control::Supervisor;
use crate::runtime::directory::Directory;
use crate::runtime::registry::{self, Form, Running};
use crate::runtime::{pidfile, prompt};
use crate::system::paths::Paths;

/// How long a supervisor may take to end its ssh and itself before it is killed.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long the kernel may take to clear away a killed one.
const KILL_PATIENCE: Duration = Duration::from_secs(5);
/// How long the lock may outlast the process that held it: in a child that has yet to become the
/// program it is to run.
const LOCK_PATIENCE: Duration = Duration::from_secs(1);

/// Stops what `arguments` names and says so.
pub fn stop(arguments: &StopArguments, paths: &Paths) -> Result<()> {
    let mut survey = registry::survey(paths)?;
    let chosen: Vec<Running> = if arguments.all {
        std::mem::take(&mut survey.running)
    } else {
        survey.take(arguments.name.as_deref(), Form::Argument)?.into_iter().collect()
    };
    if let (true, Some(name)) = (chosen.is_empty(), &arguments.name) {
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
    // One that had to be killed could not take leave of the prompts and of scripts.
    let _ = prompt::tidy(paths);
    if pidfile::exists(paths) {
        let _ = pidfile::update(paths, None);
    }
    Ok(())
}

/// Ends a tunnel and returns the PID it had. A supervisor that does not answer is killed, after
/// the kernel has vouched for its being one.
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

/// Waits for the lock of a tunnel that has ended, so that a start right after finds it free. Others
/// may be quicker to take it: what holds it then is not the tunnel that was stopped.
fn wait_for_lock(directory: &Directory) -> Result<()> {
    let deadline = Instant::now() + LOCK_PATIENCE;
    while directory.is_locked()? && Supervisor::connect(directory).is_err() && Instant::now() < deadline {
        sleep(Duration::from_millis(1));
    }
    Ok(())
}

/// Says that the tunnel with this PID was stopped.
pub fn report(pid: u32) -> Result<()> {
    command_line::print(&format!("Stopped tunnel (PID: {pid})\n"))
}
