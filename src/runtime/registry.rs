//! Registry of running tunnels, from their locks.

use std::path::PathBuf;
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::prompt::phase_word;
use super::{crash, orphan, pidfile, prompt};
use crate::config::forwarding::Listen;
use crate::config::instance::{self, Instance};
use crate::error::{Error, Result};
use crate::runtime::control::{Question, Supervisor};
use crate::runtime::directory::Directory;
use crate::runtime::forward::Forward;
use crate::runtime::state::{Phase, State};
use crate::suggest;
use crate::system::paths::{self, Paths};
use crate::system::signals::Watch;
use crate::system::{file_limit, menu};
use crate::terminal::{self, printable};

/// Time that a held lock may lack a supervisor's socket: a supervisor is starting, or a command is cleaning
/// up.
const PATIENCE: Duration = Duration::from_secs(1);

/// Open files of a command that looks at tunnels: its connection to a supervisor, and what a question to it needs.
const FILES_PER_TUNNEL: usize = 4;
/// Those that do not depend on the number of tunnels.
const FILES_OF_OUR_OWN: usize = 40;

/// A tunnel whose lock is held.
#[derive(Debug)]
pub struct Running {
    /// Its directory.
    pub directory: Directory,
    /// Connection to its supervisor, which proves its PID.
    pub supervisor: Supervisor,
    /// Its last state; `None` in the first moments of a start.
    pub state: Option<State>,
}

/// Result of a survey.
#[derive(Debug, Default)]
pub struct Survey {
    /// Running tunnels.
    pub running: Vec<Running>,
    /// Failed tunnels with their reasons.
    pub failed: Vec<State>,
    /// True if a tunnel ended without cleaning up.
    pub remains: bool,
}

/// Examines every tunnel. Ends ssh processes without a supervisor, publishes that a supervisor was killed, and updates
/// the PID file; leaves the other traces of crashes for [`tidy`].
pub fn survey(paths: &Paths) -> Result<Survey> {
    examine(paths, None)
}

/// Like [`survey`]; asks each supervisor `question` when it is found, for [`TunnelStatus`](super::liveness::TunnelStatus).
/// A supervisor of many that is asked at once wakes once.
pub fn inquire(paths: &Paths, question: Question) -> Result<Survey> {
    examine(paths, Some(question))
}

fn examine(paths: &Paths, question: Option<Question>) -> Result<Survey> {
    let mut survey = Survey::default();
    paths.check_runtime()?;
    let directories = Directory::all(paths)?;
    file_limit::provide(FILES_OF_OUR_OWN + directories.len() * FILES_PER_TUNNEL);
    for directory in directories {
        match running(&directory)? {
            Some(mut running) => {
                if let Some(question) = question {
                    running.supervisor.ask(question);
                }
                survey.running.push(running);
            }
            None => survey.look_at_remains(&directory, paths)?,
        }
    }
    // Prompts do not believe lines of dead tunnels; this only removes them.
    let _ = prompt::tidy(paths);
    // A PID file left by a crash or another program lists too much.
    if pidfile::exists(paths) && survey.running.is_empty() {
        survey.remains = true;
    }
    if pidfile::exists(paths) {
        let states = survey.running.iter().filter_map(|running| running.state.as_ref());
        // An unwritable PID file, as in a read-only home, must not prevent the query.
        let _ = pidfile::update_if_outdated(paths, states);
    }
    Ok(survey)
}

impl Survey {
    fn look_at_remains(&mut self, directory: &Directory, paths: &Paths) -> Result<()> {
        if directory.has_orphan()
            && let (Some(ssh), Some(_lock)) = (paths::find_program("ssh"), directory.try_lock()?)
        {
            orphan::terminate(directory, &ssh);
        }
        match State::read(directory) {
            Some(state) if state.phase == Phase::Failed => self.failed.push(state),
            // The command that waits for a start reports its end.
            Some(State { phase: Phase::Starting, .. }) => self.remains = true,
            Some(_) => self.look_at_crash(directory, paths)?,
            None => {}
        }
        Ok(())
    }

    /// Publishes that the supervisor of `directory` is gone, unless another one has the lock by now.
    fn look_at_crash(&mut self, directory: &Directory, paths: &Paths) -> Result<()> {
        let Some(lock) = directory.try_lock()? else { return Ok(()) };
        orphan::terminate_programs(directory);
        if let Some(state) = State::read(directory) {
            self.failed.push(match state.phase {
                Phase::Failed => state,
                _ => crash::publish(paths, directory, &lock, state),
            });
        }
        Ok(())
    }

    /// Returns the running tunnel that `wanted` means: by name, id, or the start of an id. Without `wanted`,
    /// the only one. If several match, asks on a terminal, and otherwise fails with a list.
    pub fn take(&mut self, wanted: Option<&str>) -> Result<Option<Running>> {
        let found: Vec<usize> = match wanted {
            None => (0..self.running.len()).collect(),
            Some(wanted) => matching(&self.running, wanted),
        };
        let chosen = match found.as_slice() {
            [] => return Ok(None),
            [only] => *only,
            several => {
                several[choose(&several.iter().map(|index| &self.running[*index]).collect::<Vec<_>>())?]
            }
        };
        Ok(Some(self.running.remove(chosen)))
    }
}

/// Returns the index of one of `several` tunnels.
fn choose(several: &[&Running]) -> Result<usize> {
    if terminal::is_interactive() {
        let rows: Vec<[String; 4]> = several.iter().map(|running| running.cells()).collect();
        return menu::choose("Which tunnel?", "tunnel", &menu::columns(&rows), &Watch::new()?);
    }
    let names = suggest::listing(several.iter().map(|running| running.quoted_name()));
    Err(Error::failed("more than one tunnel is running")
        .with_hint(format!("choose one with --instance-id: {names}")))
}

impl Running {
    /// Returns the printable name of its instance.
    pub fn shown_name(&self) -> String {
        self.state
            .as_ref()
            .map_or_else(|| "?".to_owned(), |state| printable(&state.instance.name).into_owned())
    }

    /// Returns the name quoted for a shell.
    pub fn quoted_name(&self) -> String {
        let name = self.state.as_ref().map_or("?", |state| &state.instance.name);
        printable(&shell_words::quote(name)).into_owned()
    }

    /// Returns the name as an argument of a command.
    pub fn argument(&self) -> String {
        instance::as_argument(self.state.as_ref().map_or("?", |state| &state.instance.name))
    }

    /// Returns its name, state, address and forwards, for a menu.
    fn cells(&self) -> [String; 4] {
        let (name, phase) = (self.shown_name(), phase_word(self.state.as_ref().map(|state| state.phase)));
        let (host, ports) = self.state.as_ref().map_or_else(Default::default, |state| {
            let ports: Vec<String> = state.forwards.iter().map(Forward::short).collect();
            (printable(&state.instance.host).into_owned(), ports.join(" "))
        });
        [name, phase.to_owned(), host, ports]
    }

    fn has_name(&self, wanted: &str) -> bool {
        self.state.as_ref().is_some_and(|state| state.instance.name == wanted || state.instance.id == wanted)
    }

    fn has_id_from(&self, wanted: &str) -> bool {
        self.state.as_ref().is_some_and(|state| !wanted.is_empty() && state.instance.id.starts_with(wanted))
    }
}

fn matching(running: &[Running], wanted: &str) -> Vec<usize> {
    let all = |test: &dyn Fn(&Running) -> bool| -> Vec<usize> {
        running.iter().enumerate().filter(|(_, running)| test(running)).map(|(index, _)| index).collect()
    };
    let exact = all(&|running| running.has_name(wanted));
    if exact.is_empty() { all(&|running| running.has_id_from(wanted)) } else { exact }
}

/// Returns the tunnel in `directory` if it runs.
pub fn running(directory: &Directory) -> Result<Option<Running>> {
    let deadline = Instant::now() + PATIENCE;
    while directory.is_locked()? {
        if let Ok(supervisor) = Supervisor::connect(directory) {
            // The state of an earlier supervisor does not apply.
            let state = State::read(directory).filter(|state| state.pid == supervisor.pid());
            return Ok(Some(Running { directory: directory.clone(), supervisor, state }));
        }
        if Instant::now() >= deadline {
            let path = directory.state_file();
            let path = path.parent().map_or_else(String::new, |path| path.display().to_string());
            return Err(Error::failed("a process holds the tunnel's lock but is not responding")
                .with_hint(format!("find it: fuser -v {path}/lock")));
        }
        sleep(Duration::from_millis(5));
    }
    Ok(None)
}

/// Asks the supervisor of a running tunnel to `instance` to query the status daemon. Ignores failures: a
/// supervisor queries it within a minute anyway.
pub fn refresh(paths: &Paths, instance: &Instance) {
    if let Ok(Some((mut running, _))) = tunnel_to(paths, instance) {
        let _ = running.supervisor.poll_daemon();
    }
}

/// Returns the socket that a running tunnel to `instance` forwards to `service`; `None` if no tunnel is up or
/// it lacks the service.
pub fn forward_to(paths: &Paths, instance: &Instance, service: &str) -> Result<Option<PathBuf>> {
    let Some((running, state)) = tunnel_to(paths, instance)? else { return Ok(None) };
    if state.phase != Phase::Up {
        return Ok(None);
    }
    let socket = |local| running.directory.forward_socket(&Listen::Port(local));
    Ok(state.service(service).map(|service| socket(service.local)))
}

/// Returns the state of the running tunnel on the local port `port`, other than that in `directory`.
pub fn neighbour_on(paths: &Paths, port: u16, directory: &Directory) -> Option<State> {
    let others = Directory::all(paths).ok()?.into_iter();
    others
        .filter(|other| other.state_file() != directory.state_file())
        .filter(|other| other.is_locked().unwrap_or(false))
        .filter_map(|other| State::read(&other))
        .find(|state| state.has_port(port))
}

/// Returns the running tunnel to `instance` with its state, but not one to another instance of the same name.
fn tunnel_to(paths: &Paths, instance: &Instance) -> Result<Option<(Running, State)>> {
    paths.check_runtime()?;
    let Some(mut running) = running(&Directory::find(paths, &instance.tunnel_name())?)? else {
        return Ok(None);
    };
    let state = running.state.take().filter(|state| state.instance.id == instance.id);
    Ok(state.map(|state| (running, state)))
}

/// Removes files of tunnels that do not run.
pub fn tidy(paths: &Paths) -> Result<()> {
    paths.check_runtime()?;
    for directory in Directory::all(paths)? {
        if let Some(lock) = directory.try_lock()? {
            orphan::terminate_programs(&directory);
            directory.clear(&lock, false);
        }
    }
    prompt::tidy(paths)
}
