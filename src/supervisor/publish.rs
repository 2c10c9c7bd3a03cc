//! What a supervisor tells the world about its tunnel, and when: the state file, the prompts, the log,
//! the starter that waits and the user's hooks.

use std::time::Duration;

use super::Supervisor;
use crate::error::Error;
use crate::openssh::failure::{self, Failure, Kind};
use crate::runtime::prompt::{self, Entry};
use crate::runtime::state::Facts;
use crate::runtime::state::{Phase, State};
use crate::runtime::{pidfile, remembered_ports};
use crate::supervisor::protocol::event::Event;
use crate::supervisor::protocol::hook_event::Occasion;
use crate::system::time::now;

impl Supervisor<'_> {
    /// Lets connections through.
    pub(super) fn rise(&mut self) {
        self.liveness.verified();
        self.link_up.send_replace(true);
        self.enter(Phase::Up, |state| {
            state.attempt = 0;
            state.next_retry = None;
        });
        if let Err(error) = pidfile::update(self.paths, None) {
            self.log.write(&format!("PID file: {error}"));
        }
        if let Err(error) =
            remembered_ports::remember(self.paths, &self.state.instance.id, &self.state.forwards)
        {
            self.log.write(&format!("remembered ports: {error}"));
        }
        self.starter.tell(&Event::Up { forwards: self.state.forwards.clone() });
        self.fire(Occasion::Up, "");
    }

    /// Keeps what the status daemon says where others find it.
    pub(super) fn learn(&mut self, facts: Facts) {
        self.state.daemon = Some(facts);
        if let Err(error) = self.state.write(&self.directory) {
            self.log.write(&error.to_string());
        }
        self.tell_prompts();
    }

    /// The error that ends a tunnel that cannot be had or kept.
    pub(super) fn give_up(&mut self, failure: &Failure, was_up: bool) -> Error {
        let hints = failure::hints(failure.kind, &self.request.login, self.denials());
        if was_up {
            self.enter(Phase::Failed, |state| {
                state.next_retry = None;
                state.last_error = Some(failure.reason.clone());
                state.hints.clone_from(&hints);
            });
        }
        self.log.write(&format!("failed: {}", failure.reason));
        self.fire(Occasion::Failed, &failure.reason);
        if failure.kind == Kind::TimedOut {
            return Error::TimedOut { hints };
        }
        Error::Start { reason: failure.reason.clone(), hints }
    }

    /// How many logins the server has refused lately.
    fn denials(&self) -> usize {
        const LATELY: Duration = Duration::from_secs(600);
        self.log.recent(LATELY).iter().filter(|text| failure::is_denial(text)).count()
    }

    pub(super) fn stopped(&mut self, was_up: bool) {
        self.log.write("stopped");
        self.fire(Occasion::Down, "the tunnel was stopped");
        if !was_up {
            self.starter.tell(&Event::Stopped);
        }
    }

    /// Enters a phase and tells everyone who reads files. A tunnel does not end because a disk is
    /// full.
    pub(super) fn enter(&mut self, phase: Phase, change: impl FnOnce(&mut State)) {
        if self.state.phase != phase {
            self.state.phase = phase;
            self.state.since = now();
        }
        change(&mut self.state);
        self.log.write(&describe(&self.state));
        if !self.directory.is_held_by(&self.lock) {
            // What is there now is not ours to describe.
            return;
        }
        if let Err(error) = self.state.write(&self.directory) {
            self.log.write(&error.to_string());
        }
        self.tell_prompts();
    }

    /// Tells prompts what the tunnel is doing, and promises that it goes on for a while.
    pub(super) fn tell_prompts(&self) {
        if let Err(error) = prompt::publish(self.paths, &Entry::new(&self.request.name, &self.state)) {
            self.log.write(&error.to_string());
        }
    }

    /// Leaves the directory as the next tunnel expects it. The state stays when it says why a
    /// tunnel that was up failed.
    pub(super) fn finish(&self, failed: bool) {
        let tells_why = failed && self.state.phase == Phase::Failed;
        // Its writers need a lock there, and somebody may have deleted it all.
        if !self.paths.is_runtime_gone() {
            let _ = self.paths.ensure_runtime();
        }
        if let Err(error) = pidfile::update(self.paths, Some(&self.directory)) {
            self.log.write(&format!("PID file: {error}"));
        }
        if !tells_why && let Err(error) = prompt::withdraw(self.paths, &self.request.name) {
            self.log.write(&error.to_string());
        }
        self.directory.clear(&self.lock, tells_why);
    }
}

fn describe(state: &State) -> String {
    match state.phase {
        Phase::Starting => "starting".to_owned(),
        Phase::Up => format!("up: {}", state.instance.host),
        Phase::Reconnecting | Phase::Failed => {
            let phase = if state.phase == Phase::Failed { "failed" } else { "link lost" };
            format!("{phase}: {}", state.last_error.as_deref().unwrap_or("no reason given"))
        }
    }
}
