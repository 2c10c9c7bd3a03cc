//! Monitor: watches a link that is up until ssh ends, the tunnel must stop, or the link is dead although ssh has not
//! noticed.
//!
//! A check that is not answered soon proves nothing, so the link is kept, and a second ssh starts beside it. If that one
//! is up first, it takes over: new connections go its way, and so do those whose data the first ssh has not read. The
//! first one stays as long as connections depend on it ([`super::former`]). If the first link shows a sign of life,
//! the second ssh is dropped.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

use super::backoff::Backoff;
use super::connect::Connector;
use super::daemon_poll::DaemonPoll;
use super::end::{End, Reason};
use super::former::Former;
use super::interrupts::{Interrupts, Stop};
use super::link::carrier::Carrier;
use super::link::check::Check;
use super::link::liveness::{Patience, ProbeReason};
use super::link::process::Link;
use super::publish::Publisher;
use super::relay::demand::Demand;
use super::relay::forward_table::ForwardTable;
use super::second::{Means, Second};
use super::system_events::{self, SystemEvent, Watch};
use crate::openssh::Login;
use crate::openssh::failure::Failure;

/// Result of a check.
enum Verdict {
    Alive,
    Ended(End),
    /// Another ssh is up, and this link has shown no sign of life.
    Replaced(Box<Second>),
}

/// Monitor of a tunnel's links.
pub(super) struct Monitor {
    /// `ServerAliveInterval` in seconds.
    keepalive: u32,
    /// The present ssh; the last one while there is no link.
    carrier: Arc<Carrier>,
    /// Lets connections through to the present ssh.
    link_up: watch::Sender<Option<Arc<Carrier>>>,
    /// Open connections, and the time without any after which the link ends; `None` for a tunnel that stays up.
    demand: Arc<Demand>,
    on_demand: Option<Duration>,
    /// Makes a poll of the status daemon due.
    daemon_wake: Arc<Notify>,
    /// Socket that ssh forwards to the status daemon, if that is among the services.
    daemon_socket: Option<PathBuf>,
    /// The ssh before the present one. It goes on whether there is a link or not.
    former: Option<Task>,
}

impl Monitor {
    /// Returns the monitor that lets connections through by `link_up`. A link without `demand` for the time `on_demand`
    /// ends.
    pub(super) fn new(
        keepalive: u32,
        link_up: watch::Sender<Option<Arc<Carrier>>>,
        demand: Arc<Demand>,
        on_demand: Option<Duration>,
    ) -> Self {
        Self {
            keepalive,
            carrier: Arc::new(Carrier::new(keepalive)),
            link_up,
            demand,
            on_demand,
            daemon_wake: Arc::default(),
            daemon_socket: None,
            former: None,
        }
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
    pub(super) fn open(&mut self) {
        self.demand.touch();
        self.begin();
    }

    /// Lets connections through to an ssh that has just come up. Returns the one before.
    fn begin(&mut self) -> Arc<Carrier> {
        let before = std::mem::replace(&mut self.carrier, Arc::new(Carrier::new(self.keepalive)));
        self.link_up.send_replace(Some(Arc::clone(&self.carrier)));
        before
    }

    /// Makes connections wait for the next link.
    fn close(&self) {
        self.link_up.send_replace(None);
        self.carrier.end();
    }

    /// Watches the link until it ends, and returns how.
    pub(super) async fn watch(
        &mut self,
        mut link: Link,
        login: &Login,
        connector: &mut Connector,
        publisher: &mut Publisher<'_>,
        interrupts: &mut Interrupts,
        backoff: &mut Backoff,
    ) -> End {
        let (socket, wake) = (self.daemon_socket.clone(), Arc::clone(&self.daemon_wake));
        let mut poll = DaemonPoll::new(publisher.paths(), &publisher.instance(), socket, wake);
        let mut _settling = Some(settle(connector.forward_table()));
        loop {
            let (mut stop, system, _) = interrupts.split();
            let end = tokio::select! {
                () = stop.requested() => break,
                failure = link.ended() => {
                    self.close();
                    return End::Failed(failure);
                }
                () = unused(self.on_demand, &self.demand, connector) => {
                    self.close();
                    self.end_former().await;
                    link.end().await;
                    return End::Unused;
                }
                facts = poll.next() => {
                    publisher.daemon_facts(facts);
                    self.carrier.liveness.verified();
                    continue;
                }
                reason = next_reason(system, &self.carrier) => {
                    // There are never more than two. After sleep, the network itself is late.
                    let may_start_second = !self.has_former() && reason != Reason::System(SystemEvent::Woke);
                    let means = may_start_second.then_some(Means { login, backoff: &mut *backoff });
                    match self.verify(reason, &mut link, means, connector, publisher, stop).await {
                        Verdict::Alive => {
                            publisher.warn_of_lease();
                            poll.poll_if_due();
                            continue;
                        }
                        Verdict::Replaced(second) => {
                            // It waits for the silent link, and nothing else may use the forwards then.
                            _settling = None;
                            match self.replace(&mut link, *second, connector, publisher).await {
                                Ok(replaced) => {
                                    self.former = Some(replaced);
                                    _settling = Some(settle(connector.forward_table()));
                                    continue;
                                }
                                Err(failure) => End::Failed(failure),
                            }
                        }
                        Verdict::Ended(end) => end,
                    }
                }
            };
            self.close();
            link.kill().await;
            return end;
        }
        link.end().await;
        End::Stop
    }

    fn has_former(&self) -> bool {
        self.former.as_ref().is_some_and(|former| !former.0.is_finished())
    }

    /// Kills the former ssh, with its connections.
    pub(super) async fn end_former(&mut self) {
        if let Some(former) = self.former.take() {
            former.stop().await;
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
        let (carrier, log) = (self.begin(), Arc::clone(publisher.log()));
        let patience = carrier.liveness.patience();
        publisher.confirm();
        Ok(Task(tokio::spawn(Former { link: before, contact, carrier, patience, log }.run_down())))
    }

    /// Checks the link. With `means`, a second ssh may start.
    async fn verify(
        &self,
        reason: Reason,
        link: &mut Link,
        means: Option<Means<'_>>,
        connector: &Connector,
        publisher: &Publisher<'_>,
        mut stop: Stop<'_>,
    ) -> Verdict {
        if let Some(failure) = publisher.displacement() {
            return Verdict::Ended(End::Failed(failure));
        }
        if matches!(reason, Reason::Probe(ProbeReason::Renewal)) && self.has_been_heard(link) {
            self.carrier.liveness.renewed();
            publisher.renew_promise();
            return Verdict::Alive;
        }
        let patience = self.patience(reason);
        let check = Check {
            contact: connector.contact(),
            carrier: &self.carrier,
            connection: link.connection(),
            network_changed: matches!(reason, Reason::System(SystemEvent::NetworkChanged)),
        };
        // A slow link shows signs of life without having answered.
        let slow = || {
            publisher.log().write(&format!("{reason}: the link is slow"));
            self.carrier.liveness.renewed();
            publisher.confirm();
        };
        let second = async {
            match means {
                Some(means) => means.second(&check, connector, publisher, reason).await,
                None => std::future::pending().await,
            }
        };
        let alive = tokio::select! {
            () = stop.requested() => return Verdict::Ended(End::Stop),
            failure = link.ended() => return Verdict::Ended(End::Failed(failure)),
            alive = check.is_alive(patience, slow) => alive,
            second = second => return Verdict::Replaced(Box::new(second)),
            never = publisher.doubts(&check) => match never {},
        };
        if !alive || matches!(reason, Reason::System(_)) {
            publisher.log().write(&format!("{reason}: the link is {}", if alive { "alive" } else { "dead" }));
        }
        if !alive {
            return Verdict::Ended(End::Failed(reason.failure()));
        }
        self.carrier.liveness.renewed();
        publisher.confirm();
        Verdict::Alive
    }

    /// Returns true if the server has answered lately: a client, or ssh's keepalive. A check would tell no more, and cost
    /// another wake-up.
    fn has_been_heard(&self, link: &Link) -> bool {
        let lately = self.carrier.liveness.pace();
        self.carrier.liveness.is_recent()
            || link.connection().is_some_and(|connection| connection.heard_within(lately))
    }

    /// Returns the time limits of a check for `reason`.
    fn patience(&self, reason: Reason) -> Patience {
        let idle = system_events::PATIENCE;
        match reason {
            Reason::System(SystemEvent::NetworkChanged) => {
                Patience { idle, busy: self.carrier.liveness.patience().busy }
            }
            Reason::System(_) => Patience { idle, busy: idle },
            Reason::Probe(_) => self.carrier.liveness.patience(),
        }
    }
}

/// Waits until nothing has used an on-demand tunnel's link for its time, `limit`. Sessions count as use.
async fn unused(limit: Option<Duration>, demand: &Demand, connector: &Connector) {
    let Some(limit) = limit else { return std::future::pending().await };
    loop {
        demand.unused_for(limit).await;
        if connector.sessions() == 0 {
            return;
        }
        demand.touch();
    }
}

/// Waits for the next reason to check the link.
async fn next_reason(system: &mut Watch, carrier: &Carrier) -> Reason {
    tokio::select! {
        what = system.next() => Reason::System(what),
        reason = carrier.liveness.probe_reason() => Reason::Probe(reason),
    }
}

/// Sets up forwards that were added while there was no link, until the returned value is dropped.
fn settle(forward_table: &Arc<ForwardTable>) -> Task {
    let forward_table = Arc::clone(forward_table);
    Task(tokio::spawn(async move { forward_table.settle().await }))
}

/// Work that goes on beside the link. Dropping it ends the work soon.
struct Task(JoinHandle<()>);

impl Task {
    /// Ends the work; returns once it has ended.
    async fn stop(mut self) {
        self.0.abort();
        let _ = (&mut self.0).await;
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}
