//! Connector: one attempt to get a link. It starts ssh, requests the forwards, and gives up at the first reason to.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::askpass::helper::Askpass;
use super::backoff::{self, Backoff};
use super::end::{End, Reason};
use super::interrupts::Interrupts;
use super::link::contact::Contact;
use super::link::forwards::Requester;
use super::link::line_reader::{LineHandler, LineReader, Quota, Use};
use super::link::mux::Control;
use super::link::process::Link;
use super::link::tcp_probe::{self, Port};
use super::link::tcp_progress::Connection;
use super::prompt_broker::PromptBroker;
use super::protocol::event::Event;
use super::protocol::request::Request;
use super::publish::Publisher;
use super::relay::forward_table::ForwardTable;
use super::relay::metrics::Metrics;
use super::relay::uplink::Uplink;
use super::system_events::{SystemEvent, Watch};
use crate::config::forwarding::ForwardSpec;
use crate::error::Error;
use crate::openssh::Login;
use crate::openssh::failure::{self, Failure, Kind};
use crate::openssh::log_lines::open_failure;
use crate::runtime::directory::Directory;
use crate::runtime::ssh_directory::Side;
use crate::system::paths;

/// Connector of one tunnel: everything that an attempt needs beside the login.
pub(super) struct Connector {
    /// Directory of the tunnel.
    pub(super) directory: Directory,
    /// Contact to the present ssh.
    pub(super) contact: Arc<Contact>,
    /// Answers ssh's questions.
    pub(super) prompts: Arc<PromptBroker>,
    askpass: Askpass,
    /// The forwards, which commands can change.
    pub(super) forward_table: Arc<ForwardTable>,
}

impl Connector {
    /// Returns the connector of a tunnel in `publisher`'s directory, still without forwards. `uplink` and `metrics` are
    /// for their connections.
    pub(super) fn new(
        request: &Request,
        publisher: &Publisher<'_>,
        uplink: &Uplink,
        metrics: &Metrics,
    ) -> crate::error::Result<Self> {
        let directory = publisher.directory();
        let control = Control::new(directory.ssh_control());
        let contact = Arc::new(Contact::new(directory, Side::default()));
        let (uplink, metrics, log) = (uplink.clone(), metrics.clone(), Arc::clone(publisher.log()));
        let state_file = Arc::clone(publisher.state_file());
        let forward_table = ForwardTable::new(directory, state_file, control, &contact, uplink, metrics, log);
        let askpass = Askpass::new(directory.askpass_socket()).map_err(|source| Error::Io {
            action: "cannot set up ssh's questions".into(),
            source,
            hint: None,
        })?;
        Ok(Self {
            directory: directory.clone(),
            contact,
            prompts: Arc::new(PromptBroker::new(publisher.starter().clone(), request.askpass.clone())),
            askpass,
            forward_table: Arc::new(forward_table),
        })
    }

    /// Returns the contact to the present ssh.
    pub(super) fn contact(&self) -> &Arc<Contact> {
        &self.contact
    }

    /// Returns the broker of ssh's questions.
    pub(super) fn prompts(&self) -> &Arc<PromptBroker> {
        &self.prompts
    }

    /// Returns the forwards.
    pub(super) fn forward_table(&self) -> &Arc<ForwardTable> {
        &self.forward_table
    }

    /// Makes one attempt. Returns the link once it is up, or the reason why there is none.
    ///
    /// `away` is the time without a link, if there was one before. An attempt to replace a link ends when the
    /// network changes: it may be waiting for an answer to an address that this machine no longer has. The first
    /// attempt goes on, as a starter waits for its outcome.
    pub(super) async fn connect(
        &mut self,
        login: &Login,
        away: Option<Duration>,
        publisher: &Publisher<'_>,
        interrupts: &mut Interrupts,
        backoff: &mut Backoff,
    ) -> Result<Link, End> {
        let again = away.is_some();
        let limit = Duration::from_secs(login.connect_timeout);
        if let Some(failure) = publisher.displacement() {
            return Err(End::Failed(failure));
        }
        self.contact = Arc::new(Contact::new(&self.directory, self.contact.side));
        self.set_present().map_err(End::Failed)?;
        let mut link = self.spawn(login, &self.contact, publisher).map_err(End::Failed)?;
        let pid = link.pid();
        let requested = self.request_forwards(!again, &self.contact, link.log());
        let now = Instant::now();
        // An answered knock is followed by another connection.
        let is_sparing = backoff.is_sparing(now) || !backoff.affords_another(now);
        let (mut stop, system, provider) = interrupts.split();
        let end = tokio::select! {
            () = stop.requested() => Some(End::Stop),
            end = unanswered(login, pid, away, is_sparing) => Some(end),
            event = stale(system), if again => {
                backoff.start_over(Instant::now());
                Some(End::Failed(Failure { kind: Kind::Unreachable, ..Reason::System(event).failure() }))
            }
            relocation = provider.next(&login.instance), if again => Some(End::Relocated(relocation)),
            outcome = come_up(&mut link, &self.contact.control, requested) => match outcome {
                Ok(carried) => {
                    self.forward_table.switch(&self.contact, &carried).await;
                    None
                }
                Err(failure) => Some(End::Failed(self.prompts.explain(failure))),
            },
            () = self.prompts.time_out(limit) => {
                Some(End::Failed(Failure { kind: Kind::TimedOut, reason: how_far(login, pid, limit) }))
            }
            () = self.prompts.refusal() => {
                Some(End::Failed(self.prompts.explain(failure::classify(&link.said()))))
            }
        };
        self.prompts.end();
        let Some(mut end) = end else { return Ok(link) };
        if let End::Failed(failure) = &mut end
            && failure.reason == failure::TIMED_OUT
        {
            *failure = timed_out(&link, failure.clone()).await;
        }
        link.end().await;
        Err(end)
    }

    /// Makes the directory of the present ssh that of its contact.
    pub(super) fn set_present(&self) -> Result<(), Failure> {
        self.directory.set_present(self.contact.side).map_err(|error| Failure {
            kind: Kind::Other,
            reason: format!("cannot link to the sockets of ssh: {error}"),
        })
    }

    pub(super) fn spawn(
        &self,
        login: &Login,
        contact: &Arc<Contact>,
        publisher: &Publisher<'_>,
    ) -> Result<Link, Failure> {
        // ssh does not become a master if its control socket exists, even a dead one.
        let _ = std::fs::remove_file(contact.control.path());
        let arguments = login.tunnel_arguments(contact.control.path());
        self.prompts.begin();
        let (log, others) = (self.log_handler(contact, publisher), self.others_handler(publisher));
        let link = Link::spawn(&login.program, &arguments, &self.askpass, log, others)
            .map_err(|error| Failure { kind: Kind::Other, reason: format!("cannot run ssh: {error}") })?;
        contact.control.expect(link.pid());
        // Without it, programs of ssh may outlive a supervisor that is killed.
        if let Some(pid) = link.pid() {
            let _ = paths::write_atomically(&contact.directory.session(), &pid.to_string());
        }
        contact.permission.begin(link.log());
        Ok(link)
    }

    /// Requests every forward from the ssh of `contact`: those of the table, which are returned, and the probe's.
    pub(super) fn request_forwards(
        &self,
        first: bool,
        contact: &Arc<Contact>,
        log: &LineReader,
    ) -> impl Future<Output = Result<Vec<ForwardSpec>, Failure>> + use<> {
        let requester = Requester { contact: Arc::clone(contact), log: log.clone() };
        let (forward_table, contact) = (Arc::clone(&self.forward_table), Arc::clone(contact));
        async move {
            let wanted = forward_table.wanted(first, &contact).await;
            let (wanted, requests): (Vec<_>, Vec<_>) = wanted.into_iter().unzip();
            requester.request(requests).await?;
            Ok(wanted)
        }
    }

    /// Returns the handler of ssh's own log, which passes lines to the tunnel's log and to a verbose starter.
    fn log_handler(&self, contact: &Arc<Contact>, publisher: &Publisher<'_>) -> LineHandler {
        let (log, starter) = (Arc::clone(publisher.log()), publisher.starter().clone());
        // The contact has the reader of the log, and so this handler: it would keep itself and the log open.
        let (contact, prompts) = (Arc::downgrade(contact), Arc::clone(&self.prompts));
        let mut quota = Quota::new();
        Box::new(move |line| {
            let contact = contact.upgrade();
            if contact.as_ref().is_some_and(|contact| contact.permission.handle_line(line)) {
                return Use::Drop;
            }
            if !contact.is_some_and(|contact| contact.probe.is_echo(line)) {
                prompts.said(line);
                let (passes, is_last) = quota.take();
                if passes {
                    log.write(&format!("ssh: {line}"));
                    starter.send(&Event::Said { line: line.to_owned() });
                }
                if is_last {
                    log.write("too many messages from ssh; some are left out");
                }
            }
            if open_failure(line).is_some() { Use::Drop } else { Use::Keep }
        })
    }

    /// Returns the handler of the server's banner and of the output of programs that ssh runs.
    fn others_handler(&self, publisher: &Publisher<'_>) -> LineHandler {
        let (log, starter) = (Arc::clone(publisher.log()), publisher.starter().clone());
        let prompts = Arc::clone(&self.prompts);
        let mut quota = Quota::new();
        Box::new(move |line| {
            prompts.said(line);
            let (passes, is_last) = quota.take();
            if passes {
                log.write(&format!("server or proxy: {line}"));
                starter.send(&Event::Said { line: line.to_owned() });
            }
            if is_last {
                log.write("too many messages from the server or proxy; some are left out");
            }
            Use::Keep
        })
    }
}

/// Waits until ssh has logged in and every forward is confirmed, and returns these; otherwise returns the failure.
pub(super) async fn come_up(
    link: &mut Link,
    control: &Control,
    requested: impl Future<Output = Result<Vec<ForwardSpec>, Failure>>,
) -> Result<Vec<ForwardSpec>, Failure> {
    /// Time for ssh to end after it has stopped to answer.
    const TIME_TO_END: Duration = Duration::from_secs(1);
    link.up(control).await?;
    let failure = tokio::select! {
        failure = link.ended() => failure,
        outcome = requested => match outcome {
            Ok(carried) => return Ok(carried),
            Err(failure) => failure,
        }
    };
    match failure.kind {
        Kind::Other => Err(timeout(TIME_TO_END, link.ended()).await.unwrap_or(failure)),
        _ => Err(failure),
    }
}

/// Ends an attempt whose ssh, `pid`, waits for a first answer: because another address of the server answers,
/// because the server answers other connections, or, if connections must be few, because the server is silent.
/// `away` is the time without a link, if there was one before.
async fn unanswered(login: &Login, pid: Option<u32>, away: Option<Duration>, is_sparing: bool) -> End {
    /// Time in which ssh usually has an answer.
    const TIME_TO_ANSWER: Duration = Duration::from_secs(1);
    /// Before the kernel repeats ssh's first packet for the second time.
    const PATIENCE: Duration = Duration::from_millis(2900);
    let begun = Instant::now();
    // With a detour, ssh already skips the silent address.
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

/// Returns the more telling failure of an attempt that took too long. ssh has a limit of the same length: if it ends at
/// this moment, its own words tell how far it got.
async fn timed_out(link: &Link, failure: Failure) -> Failure {
    const LAST_WORDS: Duration = Duration::from_millis(500);
    const PAUSE: Duration = Duration::from_millis(20);
    let words = async {
        loop {
            let said = failure::classify(&link.said());
            if said.kind == Kind::TimedOut {
                return said;
            }
            sleep(PAUSE).await;
        }
    };
    timeout(LAST_WORDS, words).await.unwrap_or(failure)
}

/// Returns the reason of an attempt of ssh, `pid`, that took longer than `limit`: how far it got, if that is known.
fn how_far(login: &Login, pid: Option<u32>, limit: Duration) -> String {
    let connecting = pid.and_then(tcp_probe::is_connecting);
    let (address, stage) = match (connecting, pid.and_then(Connection::of)) {
        (Some(true), _) => (login.address(), "did not answer"),
        (_, Some(link)) if link.is_silent() => (link.remote().to_string(), failure::NO_GREETING),
        (_, Some(link)) => (link.remote().to_string(), "answered, but the login did not finish"),
        _ => return failure::TIMED_OUT.to_owned(),
    };
    format!("{}: {address} {stage} in {} s", failure::TIMED_OUT, limit.as_secs())
}

/// Waits for a change of the system after the attempt has had time to succeed.
async fn stale(system: &mut Watch) -> SystemEvent {
    const TIME_TO_SUCCEED: Duration = Duration::from_secs(2);
    sleep(TIME_TO_SUCCEED).await;
    system.next().await
}
