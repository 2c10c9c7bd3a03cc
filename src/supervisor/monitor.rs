//! Monitor: watches a link that is up until ssh ends, the tunnel must stop, or the link is dead although ssh has not
//! noticed.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, watch};

use super::connect::Connector;
use super::daemon_poll::DaemonPoll;
use super::end::{End, Reason};
use super::interrupts::{Interrupts, Stop};
use super::link::check::Check;
use super::link::liveness::{Liveness, Patience, ProbeReason};
use super::link::process::Link;
use super::link::sessions;
use super::publish::Publisher;
use super::relay::demand::Demand;
use super::relay::forward_table::ForwardTable;
use super::system_events::{self, SystemEvent, Watch};

/// Monitor of a tunnel's links, one at a time.
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
        Self { liveness, link_up, demand, on_demand, daemon_wake: Arc::default(), daemon_socket: None }
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
        self.liveness.verified();
        self.demand.touch();
        self.link_up.send_replace(true);
    }

    /// Watches the link until it ends, and returns how.
    pub(super) async fn watch(
        &mut self,
        mut link: Link,
        connector: &Connector,
        publisher: &mut Publisher<'_>,
        interrupts: &mut Interrupts,
    ) -> End {
        let (socket, wake) = (self.daemon_socket.clone(), Arc::clone(&self.daemon_wake));
        let mut poll = DaemonPoll::new(publisher.paths(), &publisher.instance(), socket, wake);
        let _settling = settle(connector.forward_table());
        loop {
            let (mut stop, system, _) = interrupts.split();
            tokio::select! {
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
                }
                reason = next_reason(system, &self.liveness) => {
                    if let Some(end) = self.verify(reason, &mut link, connector, publisher, stop).await {
                        self.link_up.send_replace(false);
                        link.kill().await;
                        return end;
                    }
                    publisher.warn_of_lease();
                    poll.poll_if_due();
                }
            }
        }
        link.end().await;
        End::Stop
    }

    /// Waits until nothing has used an on-demand tunnel's link for its time. Sessions count as use.
    async fn unused(&self, connector: &Connector) {
        let Some(limit) = self.on_demand else { return std::future::pending().await };
        loop {
            self.demand.unused_for(limit).await;
            if sessions::count(connector.control().path()) == 0 {
                return;
            }
            self.demand.touch();
        }
    }

    /// Checks whether the link is alive; returns how it ends otherwise.
    async fn verify(
        &self,
        reason: Reason,
        link: &mut Link,
        connector: &Connector,
        publisher: &Publisher<'_>,
        mut stop: Stop<'_>,
    ) -> Option<End> {
        if let Some(failure) = publisher.displacement() {
            return Some(End::Failed(failure));
        }
        if matches!(reason, Reason::Probe(ProbeReason::Renewal)) && self.liveness.is_recent() {
            self.liveness.renewed();
            publisher.renew_promise();
            return None;
        }
        let patience = match reason {
            Reason::System(SystemEvent::NetworkChanged) => {
                Patience { idle: system_events::PATIENCE, busy: self.liveness.patience().busy }
            }
            Reason::System(_) => Patience { idle: system_events::PATIENCE, busy: system_events::PATIENCE },
            Reason::Probe(_) => self.liveness.patience(),
        };
        let check = Check {
            probe: connector.probe(),
            liveness: &self.liveness,
            control: connector.control(),
            pid: link.pid(),
            network_changed: matches!(reason, Reason::System(SystemEvent::NetworkChanged)),
        };
        // A slow link shows signs of life without having answered.
        let slow = || {
            publisher.log().write(&format!("{reason}: the link is slow"));
            self.liveness.renewed();
            publisher.renew_promise();
        };
        let alive = tokio::select! {
            () = stop.requested() => return Some(End::Stop),
            failure = link.ended() => return Some(End::Failed(failure)),
            alive = check.is_alive(patience, slow) => alive,
        };
        if alive {
            self.liveness.verified();
            publisher.renew_promise();
        }
        if !alive || matches!(reason, Reason::System(_)) {
            publisher.log().write(&format!("{reason}: the link is {}", if alive { "alive" } else { "dead" }));
        }
        (!alive).then(|| End::Failed(reason.failure()))
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
