//! Watching a link that is up: until ssh ends, until somebody wants the tunnel stopped, or until the
//! link is found to be dead although ssh has not noticed.

use std::fmt;
use std::sync::Arc;

use super::{End, Supervisor, told};
use crate::daemon;
use crate::openssh::failure::{Failure, Kind};
use crate::supervisor::daemon_poll::DaemonPoll;
use crate::supervisor::link::check::{Check, Patience};
use crate::supervisor::link::liveness::{Liveness, ProbeReason};
use crate::supervisor::link::process::Link;
use crate::supervisor::relay::forward_table::ForwardTable;
use crate::supervisor::system_events::{self, SystemEvent, Watch};

impl Supervisor<'_> {
    /// Waits for the end of the link.
    pub(super) async fn watch(&mut self, mut link: Link) -> End {
        let daemon = self.request.forwards.iter().find(|forward| forward.service == daemon::SERVICE);
        let socket = daemon.map(|forward| self.directory.forward_socket(forward.local));
        let mut poll = DaemonPoll::new(self.paths, socket, Arc::clone(&self.daemon_wake));
        let _settling = settle(&self.forward_table);
        loop {
            tokio::select! {
                () = told(&mut self.stop) => break,
                failure = link.ended() => {
                    self.link_up.send_replace(false);
                    return End::Failed(failure);
                }
                facts = poll.next() => {
                    self.learn(facts);
                    self.liveness.verified();
                }
                why = reason(&mut self.system_events, &self.liveness) => {
                    if let Some(end) = self.verify(why, &mut link).await {
                        self.link_up.send_replace(false);
                        link.kill().await;
                        return end;
                    }
                    poll.poll_if_due();
                }
            }
        }
        link.end().await;
        End::Stop
    }

    /// Asks the link whether it is alive; says how it ends if it is not.
    async fn verify(&mut self, why: Reason, link: &mut Link) -> Option<End> {
        if let Some(failure) = self.displaced() {
            return Some(End::Failed(failure));
        }
        let patience = match why {
            Reason::SystemEvent(_) => {
                Patience { idle: system_events::PATIENCE, busy: system_events::PATIENCE }
            }
            Reason::Probe(_) => self.liveness.patience(),
        };
        if matches!(why, Reason::Probe(ProbeReason::Renewal)) && self.liveness.is_recent() {
            self.liveness.renewed();
            self.tell_prompts();
            return None;
        }
        let check =
            Check { probe: &self.probe, liveness: &self.liveness, control: &self.control, pid: link.pid() };
        let mut stop = self.stop.clone();
        let alive = tokio::select! {
            () = told(&mut stop) => return Some(End::Stop),
            failure = link.ended() => return Some(End::Failed(failure)),
            alive = check.is_alive(patience, || self.is_late(why)) => alive,
        };
        if alive {
            self.liveness.verified();
            self.tell_prompts();
        }
        if !alive || matches!(why, Reason::SystemEvent(_)) {
            self.log.write(&format!("{why}: the link is {}", if alive { "alive" } else { "dead" }));
        }
        (!alive).then(|| End::Failed(why.failure()))
    }

    /// Promises prompts that a link is alive that shows signs of life, but has not answered.
    fn is_late(&self, why: Reason) {
        self.log.write(&format!("{why}: the link is slow"));
        self.liveness.renewed();
        self.tell_prompts();
    }

    /// The failure of a tunnel whose files somebody has deleted: nobody could find or stop it any
    /// more, and another one could be started beside it.
    pub(super) fn displaced(&self) -> Option<Failure> {
        let reason = || {
            format!(
                "{} was deleted",
                self.directory.ssh_control().parent().map_or("".into(), |path| path.to_string_lossy())
            )
        };
        (!self.directory.is_held_by(&self.lock)).then(|| Failure { kind: Kind::Displaced, reason: reason() })
    }
}

/// Why a link is asked whether it is alive.
#[derive(Debug, Clone, Copy)]
pub(super) enum Reason {
    SystemEvent(SystemEvent),
    Probe(ProbeReason),
}

impl Reason {
    /// The failure of a link that did not answer.
    pub(super) fn failure(self) -> Failure {
        let reason = match self {
            Self::SystemEvent(what) => format!("{what}; the link did not survive"),
            Self::Probe(_) => "no more data from the link".to_owned(),
        };
        Failure { kind: Kind::Lost, reason }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SystemEvent(what) => what.fmt(f),
            Self::Probe(ProbeReason::NoAnswer) => f.write_str("a request got no answer"),
            Self::Probe(ProbeReason::Renewal) => f.write_str("periodic check"),
        }
    }
}

/// The next reason to ask a link that is up.
async fn reason(system_events: &mut Watch, liveness: &Liveness) -> Reason {
    tokio::select! {
        what = system_events.next() => Reason::SystemEvent(what),
        reason = liveness.probe_reason() => Reason::Probe(reason),
    }
}

/// Has the link carry what was wanted while there was none, until what is returned is dropped.
fn settle(forward_table: &Arc<ForwardTable>) -> AbortOnDrop {
    let forward_table = Arc::clone(forward_table);
    AbortOnDrop(tokio::spawn(async move { forward_table.settle().await }))
}

struct AbortOnDrop(tokio::task::JoinHandle<()>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}
