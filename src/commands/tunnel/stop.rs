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
use crate::runtime::{orphan, pidfile, prompt};
use crate::system::paths::Paths;
use crate::system::threads;

/// Time for a supervisor to end ssh and itself before it is killed.
const PATIENCE: Duration = Duration::from_secs(5);
/// Time for the kernel to remove a killed process.
const KILL_PATIENCE: Duration = Duration::from_secs(5);
/// Tunnels that are stopped at the same time. Each updates files that all share, one after the other.
const AT_ONCE: usize = 8;
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
    let stopped = conclude(threads::map_at_once(AT_ONCE, chosen, stop_running), arguments.quiet);
    // A killed supervisor could not update the prompt and PID files.
    if arguments.all {
        registry::tidy(paths)?;
    } else {
        let _ = prompt::tidy(paths);
    }
    if pidfile::exists(paths) {
        let _ = pidfile::update(paths, None);
    }
    stopped
}

/// Reports which tunnels were stopped. Of several faults the last one is returned and the others are printed.
fn conclude(outcomes: Vec<Result<u32>>, quiet: bool) -> Result<()> {
    let mut last = Ok(());
    for outcome in outcomes {
        match outcome {
            Ok(pid) if !quiet => report(pid)?,
            Ok(_) => {}
            Err(fault) => {
                if let Err(before) = std::mem::replace(&mut last, Err(fault)) {
                    before.report("soong-tunnel");
                }
            }
        }
    }
    last
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
        orphan::terminate_programs(&running.directory);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_of_one_tunnel_is_not_lost_for_the_others() {
        let outcomes = vec![Ok(1), Err(Error::failed("first")), Ok(2), Err(Error::failed("last")), Ok(3)];
        assert_eq!(conclude(outcomes, true).unwrap_err().to_string(), "last");
        assert!(conclude(vec![Ok(1), Ok(2)], true).is_ok());
    }
}
