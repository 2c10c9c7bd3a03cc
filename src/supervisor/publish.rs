//! Publisher: everything that other processes learn about a tunnel. It owns the tunnel's directory and lock, the
//! state file, the log, the line for prompts, the starter that waits, and the user's hooks.

use std::sync::Arc;
use std::time::Duration;

use super::end::Rest;
use super::event_text::{describe, moment};
use super::hooks::Hooks;
use super::lease_warning::LeaseWarnings;
use super::protocol::event::Event;
use super::protocol::hook_event::{self, Occasion};
use super::starter::Starter;
use super::state_file::StateFile;
use crate::config::instance::Instance;
use crate::error::{Error, Result};
use crate::openssh::Login;
use crate::openssh::failure::{self, Failure, Kind};
use crate::runtime::directory::{Directory, Lock};
use crate::runtime::forward::Forward;
use crate::runtime::log::Log;
use crate::runtime::prompt::{self, Entry};
use crate::runtime::state::{Facts, Phase, State, Target};
use crate::runtime::urls::variables;
use crate::runtime::{pidfile, remembered_ports};
use crate::system::paths::Paths;
use crate::system::time::now;
use crate::terminal::printable;

/// Variables of the hook for a lease that ends soon.
const MINUTES_LEFT: &str = "SOONG_MINUTES_LEFT";
const LEASE_END: &str = "SOONG_LEASE_END";

/// Publisher of one tunnel. Failures to publish are logged and never end a tunnel.
pub(super) struct Publisher<'a> {
    paths: &'a Paths,
    directory: Directory,
    lock: Arc<Lock>,
    /// Name of the tunnel.
    name: String,
    state: Arc<StateFile>,
    log: Arc<Log>,
    starter: Starter,
    /// True if the starter knows that the tunnel is up or idle.
    announced: bool,
    hooks: Hooks,
    lease_warnings: LeaseWarnings,
}

impl<'a> Publisher<'a> {
    /// Returns the publisher of a tunnel that has just been requested; `lock` is that of `directory`.
    pub(super) fn new(
        paths: &'a Paths,
        directory: Directory,
        lock: Lock,
        (name, state): (&str, State),
        log: Arc<Log>,
        starter: Starter,
    ) -> Self {
        let hooks = Hooks::new(paths, name);
        let lock = Arc::new(lock);
        let state = Arc::new(StateFile::new(directory.clone(), Arc::clone(&lock), state));
        let (name, announced, lease_warnings) = (name.to_owned(), false, LeaseWarnings::default());
        Self { paths, directory, lock, name, state, log, starter, announced, hooks, lease_warnings }
    }

    /// Returns the places of this process.
    pub(super) fn paths(&self) -> &'a Paths {
        self.paths
    }

    /// Returns the instance.
    pub(super) fn instance(&self) -> Target {
        self.state.get().instance
    }

    /// Returns the state and its file.
    pub(super) fn state_file(&self) -> &Arc<StateFile> {
        &self.state
    }

    /// Returns the tunnel's directory.
    pub(super) fn directory(&self) -> &Directory {
        &self.directory
    }

    /// Returns the log.
    pub(super) fn log(&self) -> &Arc<Log> {
        &self.log
    }

    /// Returns the starter.
    pub(super) fn starter(&self) -> &Starter {
        &self.starter
    }

    /// Publishes the forwards with their final local ports, for the first time.
    pub(super) fn bound(&self, forwards: Vec<Forward>) -> Result<()> {
        self.state.update(|state| state.forwards = forwards)
    }

    /// Tells the starter that the first attempt begins.
    pub(super) fn connecting(&self) {
        self.starter.send(&Event::Connecting);
    }

    /// Publishes that the link is up.
    pub(super) fn up(&mut self) {
        self.enter(Phase::Up, |state| {
            state.attempt = 0;
            state.next_retry = None;
            state.blocked = None;
        });
        let forwards = self.list();
        let is_again = self.announced && self.state.get().on_demand.is_some();
        self.announced = true;
        self.starter.send(&if is_again { Event::Opened } else { Event::Up { forwards } });
        self.run_hook(Occasion::Up, "");
    }

    /// Lists the tunnel and its ports for other programs and later starts. Returns its forwards.
    fn list(&self) -> Vec<Forward> {
        self.log_failure("PID file", pidfile::update(self.paths, None));
        let State { instance, forwards, .. } = self.state.get();
        let remembered = remembered_ports::remember(self.paths, &instance.id, &forwards);
        self.log_failure("remembered ports", remembered);
        forwards
    }

    /// Publishes that an on-demand tunnel has no link. `login` is for hints.
    pub(super) fn idle(&mut self, rest: &Rest<'_>, login: &Login) {
        let (failure, is_blocked) = (rest.failure(), matches!(rest, Rest::Blocked(_)));
        let blocked = failure.filter(|_| is_blocked);
        let hints = blocked.map(|failure| self.blocked_hints(failure, login)).unwrap_or_default();
        self.enter(Phase::Idle, |state| {
            state.attempt = 0;
            state.next_retry = None;
            state.last_error = failure.map(|failure| failure.reason.clone());
            state.blocked = blocked.map(|failure| failure.kind.word().to_owned());
            state.hints = hints;
        });
        let forwards = if self.announced { Vec::new() } else { self.list() };
        self.starter.send(&if self.announced { Event::Closed } else { Event::Idle { forwards } });
        self.announced = true;
        match rest {
            Rest::New => {}
            Rest::Unused => self.run_hook(Occasion::Idle, ""),
            Rest::Failed(failure) => self.run_hook(Occasion::Down, &failure.reason),
            Rest::Blocked(failure) => self.run_hook(Occasion::Failed, &failure.reason),
        }
    }

    /// Returns the hints after a failure that the user must mend.
    fn blocked_hints(&self, failure: &Failure, login: &Login) -> Vec<String> {
        let name = self.instance().name;
        let name = shell_words::quote(&name);
        let mut hints = failure::hints(failure, login, 0);
        hints.push(format!("then connect: soong tunnel wait {}", printable(&name)));
        hints
    }

    /// Publishes that something wants the link of an idle tunnel.
    pub(super) fn opening(&mut self) {
        self.enter(Phase::Starting, |state| state.blocked = None);
    }

    /// Publishes a lost link and the next attempt, `pause` from now. `failures` attempts have failed so far.
    pub(super) fn reconnecting(&mut self, failure: &Failure, failures: u32, pause: Duration) {
        self.enter(Phase::Reconnecting, |state| {
            state.attempt = failures + 1;
            state.next_retry = Some(now() + pause.as_secs());
            state.last_error = Some(failure.reason.clone());
        });
        let retry_in = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX);
        self.starter.send(&Event::Lost { reason: failure.reason.clone(), retry_in });
        self.run_hook(Occasion::Down, &failure.reason);
        self.warn_of_lease();
    }

    /// Publishes that the runtime directory is gone and the tunnel moves to another.
    pub(super) fn displaced(&mut self, failure: &Failure) {
        self.log.write(&format!("{}; moving the tunnel's files below the home directory", failure.reason));
        self.run_hook(Occasion::Down, &failure.reason);
    }

    /// Publishes that the tunnel was stopped.
    pub(super) fn stopped(&mut self, was_up: bool) {
        self.log.write("stopped");
        self.run_hook(Occasion::Down, "the tunnel was stopped");
        if !was_up {
            self.starter.send(&Event::Stopped);
        }
    }

    /// Publishes that the tunnel failed and returns its error.
    pub(super) fn failed(&mut self, failure: &Failure, login: &Login, was_up: bool) -> Error {
        let mut hints = failure::hints(failure, login, self.denials());
        hints.extend(failure::doctor_hint(failure.kind, login));
        if was_up {
            self.enter_failed(&failure.reason, &hints);
        }
        self.log.write(&format!("failed: {}", failure.reason));
        self.run_hook(Occasion::Failed, &failure.reason);
        if failure.kind == Kind::TimedOut {
            hints.splice(0..0, failure::how_far(&failure.reason, login));
            return Error::TimedOut { hints };
        }
        Error::Start { reason: failure.reason.clone(), hints }
    }

    /// Publishes that the instance is gone and returns the error.
    pub(super) fn gone(&mut self, reason: String, hints: Vec<String>) -> Error {
        self.enter_failed(&reason, &hints);
        self.run_hook(Occasion::Failed, &reason);
        self.run_hook(Occasion::Gone, &reason);
        Error::Failed { message: reason, hints }
    }

    /// Publishes that the instance has moved.
    pub(super) fn moved(&mut self, instance: &Instance) {
        let (before, host) = (self.instance().host, &instance.host);
        self.log.write(&format!("the instance has moved from {before} to {host}"));
        self.log_error(self.state.update(|state| state.instance.host.clone_from(host)));
    }

    /// Publishes the status daemon's facts.
    pub(super) fn daemon_facts(&mut self, facts: Facts) {
        self.log_error(self.state.update(|state| state.daemon = Some(facts)));
        self.renew_promise();
        self.warn_of_lease();
    }

    /// Warns if the lease of the instance ends soon.
    pub(super) fn warn_of_lease(&mut self) {
        let end = self.state.get().daemon.and_then(|facts| facts.lease_end);
        if let Some(minutes) = self.lease_warnings.due(end, now()) {
            let reason = format!("the lease ends in {minutes} min");
            self.log.write(&reason);
            let end = end.map(|end| (LEASE_END.to_owned(), moment(end)));
            let left = (MINUTES_LEFT.to_owned(), minutes.to_string());
            self.run_hook_with(Occasion::LeaseEnding, &reason, std::iter::once(left).chain(end).collect());
        }
    }

    /// Updates the line for prompts, which promises that its content holds for a while.
    pub(super) fn renew_promise(&self) {
        self.log_error(prompt::publish(self.paths, &Entry::new(&self.name, &self.state.get())));
    }

    /// Returns the failure of a tunnel whose directory was deleted or replaced: no command could find or stop it,
    /// and another one could start beside it.
    pub(super) fn displacement(&self) -> Option<Failure> {
        if self.directory.is_held_by(&self.lock) {
            return None;
        }
        let socket = self.directory.ssh_control();
        let directory = socket.parent().map_or("".into(), |path| path.to_string_lossy());
        Some(Failure { kind: Kind::Displaced, reason: format!("{directory} was deleted") })
    }

    /// Cleans the directory up after the end of the tunnel. The state stays if it has the reason why a tunnel
    /// that was up failed. The lock is kept until the process ends: freed earlier, another process could take this
    /// one for gone.
    pub(super) fn finish(self, failed: bool) {
        let keeps_state = failed && self.state.get().phase == Phase::Failed;
        // The writers below need a lock there, and the directory may have been deleted.
        if !self.paths.is_runtime_gone() {
            let _ = self.paths.ensure_runtime();
        }
        self.log_failure("PID file", pidfile::update(self.paths, Some(&self.directory)));
        if !keeps_state {
            self.log_error(prompt::withdraw(self.paths, &self.name));
        }
        self.directory.clear(&self.lock, keeps_state);
        std::mem::forget(self.lock);
    }

    /// Cleans the directory up after a start that failed.
    pub(super) fn abandon(&self) {
        self.directory.clear(&self.lock, false);
    }

    fn enter_failed(&mut self, reason: &str, hints: &[String]) {
        self.enter(Phase::Failed, |state| {
            state.next_retry = None;
            state.last_error = Some(reason.to_owned());
            state.hints = hints.to_vec();
        });
    }

    fn enter(&mut self, phase: Phase, change: impl FnOnce(&mut State)) {
        let outcome = self.state.update(|state| {
            if state.phase != phase {
                state.phase = phase;
                state.since = now();
            }
            change(state);
        });
        self.log.write(&describe(&self.state.get()));
        self.log_error(outcome);
        // The files of another tunnel may be in the place of a deleted directory.
        if self.directory.is_held_by(&self.lock) {
            self.renew_promise();
        }
    }

    /// Returns the number of logins that the server refused lately.
    fn denials(&self) -> usize {
        const LATELY: Duration = Duration::from_secs(600);
        self.log.recent(LATELY).iter().filter(|text| failure::is_denial(text)).count()
    }

    /// Runs the user's hook for an event, if there is one.
    fn run_hook(&mut self, occasion: Occasion, reason: &str) {
        self.run_hook_with(occasion, reason, Vec::new());
    }

    /// Runs a hook with `more` variables.
    fn run_hook_with(&mut self, occasion: Occasion, reason: &str, more: Vec<(String, String)>) {
        let State { instance, forwards, .. } = self.state.get();
        let own = [
            ("SOONG_EVENT", occasion.word()),
            ("SOONG_INSTANCE_NAME", &instance.name),
            ("SOONG_INSTANCE_ID", &instance.id),
            ("SOONG_HOST", &instance.host),
            ("SOONG_REASON", reason),
        ];
        let own = own.into_iter().map(|(name, value)| (name.to_owned(), value.replace('\0', "")));
        let variables = own.chain(more).chain(variables(&forwards)).collect();
        let outcome = self.hooks.fire(&hook_event::Event { occasion, variables });
        if let Err(error) = outcome {
            self.log.write(&format!("hook {}: {error}", occasion.word()));
        }
    }

    /// Logs a failure to publish.
    pub(super) fn log_error(&self, outcome: Result<()>) {
        if let Err(error) = outcome {
            self.log.write(&error.to_string());
        }
    }

    fn log_failure(&self, subject: &str, outcome: Result<()>) {
        if let Err(error) = outcome {
            self.log.write(&format!("{subject}: {error}"));
        }
    }
}
