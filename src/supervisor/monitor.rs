//! Watching a link that is up: until ssh ends, until somebody wants the tunnel stopped, or until the
//! link is found to be dead although ssh has not noticed.

use std::fmt;
use std::sync::Arc;

use super::{End, Supervisor, told};
use crate::daemon;
use crate::openssh::failure::{Failure, Kind};
use crate::supervisor::daemon_poll::Inquiry;
use crate::supervisor::link::check::{Check, Patience};
use crate::supervisor::link::liveness::{Doubt, Pulse};
use crate::supervisor::link::process::Link;
use crate::supervisor::relay::forward_table::Switchboard;
use crate::supervisor::system_events::{self, Disturbance, Watch};

impl Supervisor<'_> {
    /// Waits for the end of the link.
    pub(super) async fn watch(&mut self, mut link: Link) -> End {
        let daemon = self.request.forwards.iter().find(|forward| forward.service == daemon::SERVICE);
        let socket = daemon.map(|forward| self.directory.forward_socket(forward.local));
        let mut inquiry = Inquiry::new(self.paths, socket, Arc::clone(&self.inquirer));
        let _settling = settle(&self.switchboard);
        loop {
            tokio::select! {
                () = told(&mut self.stop) => break,
                failure = link.ended() => {
                    self.link_up.send_replace(false);
                    return End::Failed(failure);
                }
                facts = inquiry.next() => {
                    self.learn(facts);
                    self.pulse.verified();
                }
                why = reason(&mut self.disturbances, &self.pulse) => {
                    if let Some(end) = self.verify(why, &mut link).await {
                        self.link_up.send_replace(false);
                        link.kill().await;
                        return end;
                    }
                    inquiry.remind();
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
            Reason::Disturbance(_) => {
                Patience { idle: system_events::PATIENCE, busy: system_events::PATIENCE }
            }
            Reason::Doubt(_) => self.pulse.patience(),
        };
        if matches!(why, Reason::Doubt(Doubt::Renewal)) && self.pulse.is_felt() {
            self.pulse.renewed();
            self.tell_prompts();
            return None;
        }
        let check = Check { probe: &self.probe, pulse: &self.pulse, control: &self.control, pid: link.pid() };
        let mut stop = self.stop.clone();
        let alive = tokio::select! {
            () = told(&mut stop) => return Some(End::Stop),
            failure = link.ended() => return Some(End::Failed(failure)),
            alive = check.is_alive(patience, || self.is_late(why)) => alive,
        };
        if alive {
            self.pulse.verified();
            self.tell_prompts();
        }
        if !alive || matches!(why, Reason::Disturbance(_)) {
            self.log.write(&format!("{why}: the link is {}", if alive { "alive" } else { "dead" }));
        }
        (!alive).then(|| End::Failed(why.failure()))
    }

    /// Promises prompts that a link is alive that shows signs of life, but has not answered.
    fn is_late(&self, why: Reason) {
        self.log.write(&format!("{why}: the link is slow"));
        self.pulse.renewed();
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
    Disturbance(Disturbance),
    Doubt(Doubt),
}

impl Reason {
    /// The failure of a link that did not answer.
    pub(super) fn failure(self) -> Failure {
        let reason = match self {
            Self::Disturbance(what) => format!("{what}; the link did not survive"),
            Self::Doubt(_) => "no more data from the link".to_owned(),
        };
        Failure { kind: Kind::Lost, reason }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Disturbance(what) => what.fmt(f),
            Self::Doubt(Doubt::NoAnswer) => f.write_str("a request got no answer"),
            Self::Doubt(Doubt::Renewal) => f.write_str("periodic check"),
        }
    }
}

/// The next reason to ask a link that is up.
async fn reason(disturbances: &mut Watch, pulse: &Pulse) -> Reason {
    tokio::select! {
        what = disturbances.next() => Reason::Disturbance(what),
        doubt = pulse.doubt() => Reason::Doubt(doubt),
    }
}

/// Has the link carry what was wanted while there was none, until what is returned is dropped.
fn settle(switchboard: &Arc<Switchboard>) -> AbortOnDrop {
    let switchboard = Arc::clone(switchboard);
    AbortOnDrop(tokio::spawn(async move { switchboard.settle().await }))
}

struct AbortOnDrop(tokio::task::JoinHandle<()>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}
