//! One attempt to have a link: an ssh is started and waited for, and given up for whatever comes first.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

use super::{End, Supervisor, backoff, told};
use crate::openssh::Login;
use crate::openssh::failure::{self, Failure, Kind};
use crate::supervisor::link::process::Link;
use crate::supervisor::link::stderr::{Listener, Use};
use crate::supervisor::link::tcp_probe::{self, Port};
use crate::supervisor::monitor::Reason;
use crate::supervisor::protocol::event::Event;
use crate::supervisor::system_events::{Disturbance, Watch};

impl Supervisor<'_> {
    /// A link that is up, or why there is none.
    ///
    /// An attempt to replace a link begins anew when the network changes under it: it may be
    /// waiting for an answer to an address that this machine no longer has. The first attempt is
    /// left alone; somebody is waiting for its outcome. `away` says for how long there has been no
    /// link, if there was one.
    pub(super) async fn connect(&mut self, away: Option<Duration>) -> Result<Link, End> {
        let again = away.is_some();
        let control = self.directory.ssh_control();
        let limit = Duration::from_secs(self.request.login.connect_timeout);
        if let Some(failure) = self.displaced() {
            return Err(End::Failed(failure));
        }
        // ssh does not become a master on a control socket that exists, be it dead.
        let _ = std::fs::remove_file(&control);
        self.probe.reset();
        let extras = self.switchboard.hand_over().await;
        let arguments = self.request.ssh_arguments(&self.directory, &extras);
        self.questions.begin();
        let (log, others) = (self.listener(), self.listener_to_others());
        let link = Link::spawn(self.request.program(), &arguments, &self.askpass, log, others);
        let mut link = link.map_err(|error| {
            End::Failed(Failure { kind: Kind::Other, reason: format!("cannot run ssh: {error}") })
        })?;
        let pid = link.pid();
        let end = tokio::select! {
            () = told(&mut self.stop) => Some(End::Stop),
            () = overtaken(&self.request.login, pid, away) => Some(End::Answered),
            what = stale(&mut self.disturbances), if again => Some(End::Failed(Reason::Disturbance(what).failure())),
            news = self.provider.next(&self.request.login.instance), if again => Some(End::News(news)),
            outcome = link.up(&control) => {
                outcome.err().map(|failure| End::Failed(self.questions.explain(failure)))
            }
            () = self.questions.time_out(limit) => {
                Some(End::Failed(Failure { kind: Kind::TimedOut, reason: "timed out".into() }))
            }
            () = self.questions.refusal() => {
                Some(End::Failed(self.questions.explain(failure::classify(&link.said()))))
            }
        };
        self.questions.end();
        let end = match end {
            None if again => None,
            None => self.switchboard.complete().await.err().map(End::Failed),
            failed => failed,
        };
        let Some(end) = end else { return Ok(link) };
        link.end().await;
        Err(end)
    }

    /// Takes what ssh says to the log, and to a starter that listens.
    fn listener(&self) -> Listener {
        let (log, audience, probe) = (Arc::clone(&self.log), self.audience.clone(), Arc::clone(&self.probe));
        let questions = Arc::clone(&self.questions);
        Box::new(move |line| {
            if !probe.is_echo(line) {
                log.write(&format!("ssh: {line}"));
                questions.said(line);
                audience.tell(&Event::Said { line: line.to_owned() });
            }
            if is_of_connection(line) { Use::Drop } else { Use::Keep }
        })
    }

    /// Takes what the server's banner and the programs that ssh started say, to the log and to a starter
    /// that listens.
    fn listener_to_others(&self) -> Listener {
        let (log, audience) = (Arc::clone(&self.log), self.audience.clone());
        let questions = Arc::clone(&self.questions);
        Box::new(move |line| {
            log.write(&format!("server or proxy: {line}"));
            questions.said(line);
            audience.tell(&Event::Said { line: line.to_owned() });
            Use::Keep
        })
    }
}

/// Whether ssh speaks of one connection that it carries, which says nothing of the link.
fn is_of_connection(line: &str) -> bool {
    line.starts_with("channel ") && line.contains(": open failed: ")
}

/// Resolves when the server answers others while the ssh `pid` is still waiting for a first answer.
async fn overtaken(login: &Login, pid: Option<u32>, away: Option<Duration>) {
    /// An ssh that has an answer has it by then.
    const TIME_TO_ANSWER: Duration = Duration::from_secs(1);
    /// Whoever is away for long is asked less often.
    const LONG_PAUSE: Duration = Duration::from_secs(5);
    if let (Some(pid), Some(away)) = (pid, away) {
        sleep(TIME_TO_ANSWER).await;
        let pause = if away < backoff::RESTART { TIME_TO_ANSWER } else { LONG_PAUSE };
        let is_waiting = || tcp_probe::is_connecting(pid);
        if is_waiting() != Some(false)
            && let Some(port) = Port::find(login).await
        {
            port.answered(pause, is_waiting).await;
            return;
        }
    }
    std::future::pending::<()>().await;
}

/// Resolves at a disturbance of an attempt that has had time to succeed.
async fn stale(disturbances: &mut Watch) -> Disturbance {
    const TIME_TO_SUCCEED: Duration = Duration::from_secs(2);
    sleep(TIME_TO_SUCCEED).await;
    disturbances.next().await
}
