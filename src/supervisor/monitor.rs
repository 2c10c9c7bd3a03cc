//! Monitor: watches a link that is up until ssh ends, the tunnel must stop, or the link is dead although ssh has not
//! noticed.
//!
//! A check that is not answered soon proves nothing, so the link is kept, and a second ssh starts beside it. If that one
//! is up first, it takes over: new connections go its way, and so do those whose data the first ssh has not read. The
//! first one stays as long as connections depend on it ([`super::former`]). If the first link shows a sign of life,
//! the second ssh is dropped.

use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use super::connect::{Connector, Second};
use super::daemon_poll::DaemonPoll;
use super::end::{End, Reason};
use super::former::Former;
use super::interrupts::{Interrupts, Stop};
use super::link::check::Check;
use super::link::liveness::{Liveness, Patience, ProbeReason};
use super::link::process::Link;
use super::link::sessions;
use super::publish::Publisher;
use super::relay::demand::Demand;
use super::relay::forward_table::ForwardTable;
use super::seconds::Seconds;
use super::system_events::{self, SystemEvent, Watch};
use crate::openssh::Login;
use crate::openssh::failure::Failure;

/// Work that goes on beside the link.
type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Result of a check.
enum Verdict {
    Alive,
    Ended(End),
    /// Another ssh is up, and this link has shown no sign of life.
    Replaced(Second),
}

/// Monitor of a tunnel's links.
pub(super) struct Monitor {
    liveness: Arc<Liveness>,
    /// Lets connections through while true.
    link_up: watch::Sender<bool>,
    /// Open connections, and the time without any after which the link ends; `None` for a tunnel that stays up.
    demand: Arc<Demand>,
    on_demand: Option<Duration>,
    /// Makes a poll of the status daemon due.
    daemon_wake: Arc<Notify>,
    /// Socket that ssh forwards to the status daemon, if that is among the services.
    daemon_socket: Option<PathBuf>,
    seconds: Seconds,
}

impl Monitor {
    /// Returns the monitor that records signs of life in `liveness` and lets connections through `link_up`. A link
    /// without `demand` for the time `on_demand` ends.
    pub(super) fn new(
        liveness: Arc<Liveness>,
        link_up: watch::Sender<bool>,
        demand: Arc<Demand>,
        on_demand: Option<Duration>,
    ) -> Self {
        let seconds = Seconds::new(Instant::now());
        Self { liveness, link_up, demand, on_demand, daemon_wake: Arc::default(), daemon_socket: None, seconds }
    }

    /// Sets the socket that ssh forwards to the status daemon.
    pub(super) fn set_daemon_socket(&mut self, socket: Option<PathBuf>) {
        self.daemon_socket = socket;
    }

    /// Returns the notification that makes a poll of the status daemon due.
    pub(super) fn daemon_wake(&self) -> &Arc<Notify> {
        &self.daemon_wake
    }

    /// Lets connections through from now on.
    pub(super) fn open(&self) {
        self.liveness.begin();
        self.demand.touch();
        self.link_up.send_replace(true);
    }

    /// Watches the link until it ends, and returns how.
    pub(super) async fn watch(
        &mut self,
        mut link: Link,
        login: &Login,
        connector: &mut Connector,
        publisher: &mut Publisher<'_>,
        interrupts: &mut Interrupts,
    ) -> End {
        let (socket, wake) = (self.daemon_socket.clone(), Arc::clone(&self.daemon_wake));
        let mut poll = DaemonPoll::new(publisher.paths(), &publisher.instance(), socket, wake);
        let mut _settling = settle(connector.forward_table());
        let mut former: Option<Task> = None;
        loop {
            let (mut stop, system, _) = interrupts.split();
            let end = tokio::select! {
                () = stop.requested() => break,
                failure = link.ended() => {
                    self.link_up.send_replace(false);
                    return End::Failed(failure);
                }
                () = self.unused(connector) => {
                    // From here on, connections wait for the next link.
                    self.link_up.send_replace(false);
                    link.end().await;
                    return End::Unused;
                }
                facts = poll.next() => {
                    publisher.daemon_facts(facts);
                    self.liveness.verified();
                    continue;
                }
                () = run(&mut former) => {
                    former = None;
                    continue;
                }
                reason = next_reason(system, &self.liveness) => {
                    // There are never more than two.
                    let may_double = former.is_none() && matches!(reason, Reason::Probe(_));
                    let login = may_double.then_some(login);
                    match self.verify(reason, &mut link, login, connector, publisher, stop).await {
                        Verdict::Alive => {
                            publisher.warn_of_lease();
                            poll.poll_if_due();
                            continue;
                        }
                        Verdict::Replaced(second) => {
                            match self.replace(&mut link, second, connector, publisher).await {
                                Ok(replaced) => {
                                    former = Some(replaced);
                                    _settling = settle(connector.forward_table());
                                    continue;
                                }
                                Err(failure) => End::Failed(failure),
                            }
                        }
                        Verdict::Ended(end) => end,
                    }
                }
            };
            self.link_up.send_replace(false);
            link.kill().await;
            return end;
        }
        link.end().await;
        End::Stop
    }

    /// Waits until nothing has used an on-demand tunnel's link for its time. Sessions count as use.
    async fn unused(&self, connector: &Connector) {
        let Some(limit) = self.on_demand else { return std::future::pending().await };
        loop {
            self.demand.unused_for(limit).await;
            if sessions::count(connector.contact().control.path()) == 0 {
                return;
            }
            self.demand.touch();
        }
    }

    /// Puts `second` in the place of `link`. Returns what becomes of that.
    async fn replace(
        &mut self,
        link: &mut Link,
        second: Second,
        connector: &mut Connector,
        publisher: &Publisher<'_>,
    ) -> Result<Task, Failure> {
        let contact = Arc::clone(connector.contact());
        let before = std::mem::replace(link, connector.switch_to(second).await?);
        let (tally, patience) = (self.liveness.begin(), self.liveness.patience());
        publisher.renew_promise();
        Ok(Box::pin(Former { link: before, contact, tally, patience }.run_down()))
    }

    /// Checks the link. With a `login`, a second ssh may start.
    async fn verify(
        &mut self,
        reason: Reason,
        link: &mut Link,
        login: Option<&Login>,
        connector: &Connector,
        publisher: &Publisher<'_>,
        mut stop: Stop<'_>,
    ) -> Verdict {
        if let Some(failure) = publisher.displacement() {
            return Verdict::Ended(End::Failed(failure));
        }
        if matches!(reason, Reason::Probe(ProbeReason::Renewal)) && self.liveness.is_recent() {
            self.liveness.renewed();
            publisher.renew_promise();
            return Verdict::Alive;
        }
        let patience = self.patience(reason);
        let check = Check {
            contact: connector.contact(),
            liveness: &self.liveness,
            pid: link.pid(),
            network_changed: matches!(reason, Reason::System(SystemEvent::NetworkChanged)),
        };
        // A slow link shows signs of life without having answered.
        let slow = || {
            publisher.log().write(&format!("{reason}: the link is slow"));
            self.liveness.renewed();
            publisher.renew_promise();
        };
        let seconds = &mut self.seconds;
        let login = login.filter(|_| seconds.may_start(Instant::now()));
        let second = async {
            let Some(login) = login else { return std::future::pending().await };
            second(login, &check, seconds, connector, publisher, reason).await
        };
        let alive = tokio::select! {
            () = stop.requested() => return Verdict::Ended(End::Stop),
            failure = link.ended() => return Verdict::Ended(End::Failed(failure)),
            alive = check.is_alive(patience, slow) => alive,
            second = second => return Verdict::Replaced(second),
        };
        if !alive || matches!(reason, Reason::System(_)) {
            publisher.log().write(&format!("{reason}: the link is {}", if alive { "alive" } else { "dead" }));
        }
        if !alive {
            return Verdict::Ended(End::Failed(reason.failure()));
        }
        self.liveness.renewed();
        publisher.renew_promise();
        Verdict::Alive
    }

    /// Returns the time limits of a check for `reason`.
    fn patience(&self, reason: Reason) -> Patience {
        let idle = system_events::PATIENCE;
        match reason {
            Reason::System(SystemEvent::NetworkChanged) => {
                Patience { idle, busy: self.liveness.patience().busy }
            }
            Reason::System(_) => Patience { idle, busy: idle },
            Reason::Probe(_) => self.liveness.patience(),
        }
    }
}

/// Starts a second ssh once the link is in doubt. Returns it if it is up before the link has shown a sign of life.
async fn second(
    login: &Login,
    check: &Check<'_>,
    seconds: &mut Seconds,
    connector: &Connector,
    publisher: &Publisher<'_>,
    reason: Reason,
) -> Second {
    let mut doubt = check.doubt();
    doubt.arise(check.liveness.overdue()).await;
    seconds.begin(Instant::now());
    publisher.log().write(&format!("{reason}: the link is in doubt; starting another ssh"));
    match connector.connect_beside(login, publisher).await {
        Ok(second) if doubt.persists() => {
            publisher.log().write(&format!("{reason}: the other ssh takes over"));
            seconds.succeed();
            return second;
        }
        Ok(second) => {
            publisher.log().write(&format!("{reason}: the first ssh goes on"));
            second.link.end().await;
        }
        Err(failure) => publisher.log().write(&format!("{reason}: the other ssh failed: {}", failure.reason)),
    }
    std::future::pending().await
}

/// Runs `task`, if there is one, to its end.
async fn run(task: &mut Option<Task>) {
    match task {
        Some(task) => task.await,
        None => std::future::pending().await,
    }
}

/// Waits for the next reason to check the link.
async fn next_reason(system: &mut Watch, liveness: &Liveness) -> Reason {
    tokio::select! {
        what = system.next() => Reason::System(what),
        reason = liveness.probe_reason() => Reason::Probe(reason),
    }
}

/// Sets up forwards that were added while there was no link, until the returned value is dropped.
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
