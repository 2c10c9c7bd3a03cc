//! One attempt to have a link: an ssh is started and waited for, and given up for whatever comes first.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::{End, Supervisor, backoff, told};
use crate::config::forwarding::Listen;
use crate::openssh::Login;
use crate::openssh::failure::{self, Failure, Kind};
use crate::supervisor::link::forwards::Requester;
use crate::supervisor::link::line_reader::{LineHandler, LineReader, Quota, Use};
use crate::supervisor::link::mux::{Control, Forward, Side};
use crate::supervisor::link::permission;
use crate::supervisor::link::probe;
use crate::supervisor::link::process::Link;
use crate::supervisor::link::tcp_probe::{self, Port};
use crate::supervisor::monitor::Reason;
use crate::supervisor::protocol::event::Event;
use crate::supervisor::system_events::{SystemEvent, Watch};

impl Supervisor<'_> {
    /// A link that is up, or why there is none.
    ///
    /// An attempt to replace a link begins anew when the network changes under it: it may be
    /// waiting for an answer to an address that this machine no longer has. The first attempt is
    /// left alone; somebody is waiting for its outcome. `away` says for how long there has been no
    /// link, if there was one.
    pub(super) async fn connect(&mut self, away: Option<Duration>) -> Result<Link, End> {
        let again = away.is_some();
        let limit = Duration::from_secs(self.request.login.connect_timeout);
        if let Some(failure) = self.displaced() {
            return Err(End::Failed(failure));
        }
        // ssh does not become a master on a control socket that exists, be it dead.
        let _ = std::fs::remove_file(self.control.path());
        self.probe.reset();
        let arguments = self.request.ssh_arguments(&self.directory);
        self.prompts.begin();
        let (log, others) = (self.listener(), self.listener_to_others());
        let link = Link::spawn(self.request.program(), &arguments, &self.askpass, log, others);
        let mut link = link.map_err(|error| {
            End::Failed(Failure { kind: Kind::Other, reason: format!("cannot run ssh: {error}") })
        })?;
        let pid = link.pid();
        self.control.expect(pid);
        self.permission.begin(link.log());
        let set_up = self.set_up(!again, link.log());
        let is_sparing = self.backoff.is_sparing(Instant::now());
        let end = tokio::select! {
            () = told(&mut self.stop) => Some(End::Stop),
            end = unanswered(&self.request.login, pid, away, is_sparing) => Some(end),
            what = stale(&mut self.system_events), if again => {
                self.backoff.start_over(Instant::now());
                Some(End::Failed(Failure { kind: Kind::Unreachable, ..Reason::SystemEvent(what).failure() }))
            }
            news = self.provider.next(&self.request.login.instance), if again => Some(End::Relocation(news)),
            outcome = come_up(&mut link, &self.control, set_up) => {
                outcome.err().map(|failure| End::Failed(self.prompts.explain(failure)))
            }
            () = self.prompts.time_out(limit) => {
                Some(End::Failed(Failure { kind: Kind::TimedOut, reason: "timed out".into() }))
            }
            () = self.prompts.refusal() => {
                Some(End::Failed(self.prompts.explain(failure::classify(&link.said()))))
            }
        };
        self.prompts.end();
        let Some(end) = end else { return Ok(link) };
        link.end().await;
        Err(end)
    }

    /// Has the present ssh carry every forward: the services, the probe's, and those beyond.
    fn set_up(&self, first: bool, log: &LineReader) -> impl Future<Output = Result<(), Failure>> + use<> {
        let services = self.request.forwards.iter().map(|forward| Forward {
            side: Side::Local,
            listen: Listen::Socket(self.directory.forward_socket(forward.local)),
            target: forward.target(),
        });
        let mut forwards: Vec<Forward> = services.collect();
        let permission = Arc::clone(&self.permission);
        let requester = Requester {
            probe: probe::forward(&self.directory),
            control: self.control.clone(),
            log: log.clone(),
            permission,
        };
        let forward_table = Arc::clone(&self.forward_table);
        async move {
            let (extras, more): (Vec<_>, Vec<_>) = forward_table.wanted(first).await.into_iter().unzip();
            forwards.extend(more);
            requester.request(forwards).await?;
            forward_table.carry(&extras).await;
            Ok(())
        }
    }

    /// Takes what ssh says to the log, and to a starter that listens.
    fn listener(&self) -> LineHandler {
        let (log, starter, probe) = (Arc::clone(&self.log), self.starter.clone(), Arc::clone(&self.probe));
        let (prompts, permission) = (Arc::clone(&self.prompts), Arc::clone(&self.permission));
        let mut quota = Quota::new();
        Box::new(move |line| {
            if permission.hear(line) {
                return Use::Drop;
            }
            if !probe.is_echo(line) {
                prompts.said(line);
                let (passes, is_last) = quota.take();
                if passes {
                    log.write(&format!("ssh: {line}"));
                    starter.tell(&Event::Said { line: line.to_owned() });
                }
                if is_last {
                    log.write("too many messages from ssh; some are left out");
                }
            }
            if permission::failure(line).is_some() { Use::Drop } else { Use::Keep }
        })
    }

    /// Takes what the server's banner and the programs that ssh started say, to the log and to a starter
    /// that listens.
    fn listener_to_others(&self) -> LineHandler {
        let (log, starter) = (Arc::clone(&self.log), self.starter.clone());
        let prompts = Arc::clone(&self.prompts);
        let mut quota = Quota::new();
        Box::new(move |line| {
            prompts.said(line);
            let (passes, is_last) = quota.take();
            if passes {
                log.write(&format!("server or proxy: {line}"));
                starter.tell(&Event::Said { line: line.to_owned() });
            }
            if is_last {
                log.write("too many messages from the server or proxy; some are left out");
            }
            Use::Keep
        })
    }
}

/// Waits until ssh has logged in and `set_up` is done, or says why not.
async fn come_up(
    link: &mut Link,
    control: &Control,
    set_up: impl Future<Output = Result<(), Failure>>,
) -> Result<(), Failure> {
    /// How long ssh may take to end after it has stopped to answer.
    const TIME_TO_END: Duration = Duration::from_secs(1);
    link.up(control).await?;
    let failure = tokio::select! {
        failure = link.ended() => failure,
        outcome = set_up => match outcome {
            Ok(()) => return Ok(()),
            Err(failure) => failure,
        }
    };
    match failure.kind {
        Kind::Other => Err(timeout(TIME_TO_END, link.ended()).await.unwrap_or(failure)),
        _ => Err(failure),
    }
}

/// How the attempt of the ssh `pid` ends while it waits for a first answer: because another address of the
/// server answers, because the server answers others, or, where connections are to be few, because nobody
/// answers. `away` says for how long there has been no link, if there was one.
async fn unanswered(login: &Login, pid: Option<u32>, away: Option<Duration>, is_sparing: bool) -> End {
    /// An ssh that has an answer has it by then.
    const TIME_TO_ANSWER: Duration = Duration::from_secs(1);
    /// Before the kernel repeats ssh's first packet for the second time.
    const PATIENCE: Duration = Duration::from_millis(2900);
    let begun = Instant::now();
    // On a detour ssh is to wait at the address that is silent.
    if let (Some(pid), None) = (pid, &login.detour) {
        sleep(TIME_TO_ANSWER).await;
        let is_waiting = || tcp_probe::is_connecting(pid);
        let port = if is_waiting() == Some(false) { None } else { Port::find(login).await };
        if let Some(port) = &port
            && let Some(detour) = port.detour(Duration::from_secs(login.connect_timeout)).await
            && is_waiting() != Some(false)
        {
            return End::Detour(detour);
        }
        if let (Some(_), true) = (away, is_sparing) {
            sleep_until(begun + PATIENCE).await;
            if is_waiting() == Some(true) {
                return End::Failed(Failure {
                    kind: Kind::TimedOut,
                    reason: "the host is not answering".into(),
                });
            }
        } else if let (Some(port), Some(away)) = (port, away) {
            let answered = port.answered(TIME_TO_ANSWER, is_waiting);
            if timeout(backoff::OUTAGE.saturating_sub(away), answered).await.is_ok() {
                return End::Answered;
            }
        }
    }
    std::future::pending().await
}

/// Resolves at a disturbance of an attempt that has had time to succeed.
async fn stale(system_events: &mut Watch) -> SystemEvent {
    const TIME_TO_SUCCEED: Duration = Duration::from_secs(2);
    sleep(TIME_TO_SUCCEED).await;
    system_events.next().await
}
