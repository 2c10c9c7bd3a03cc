//! Metrics of each forward: counted by the relay, read through the supervisor's socket.
//!
//! The supervisor has one thread, so counters are never contended and cost almost nothing.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::config::forwarding::Listen;
use crate::runtime::control::Flow;

/// Counters of one forward.
#[derive(Debug, Default)]
pub struct Counters {
    open: AtomicU64,
    connections: AtomicU64,
    /// Bytes from clients to the instance.
    pub sent: AtomicU64,
    /// Bytes from the instance to clients.
    pub received: AtomicU64,
}

/// Counts a connection as open until dropped.
#[derive(Debug)]
pub struct Open(Arc<Counters>);

impl Counters {
    /// Counts a connection.
    pub fn open(self: &Arc<Self>) -> Open {
        self.open.fetch_add(1, Ordering::Relaxed);
        self.connections.fetch_add(1, Ordering::Relaxed);
        Open(Arc::clone(self))
    }

    /// Returns the numbers of open connections and of all connections.
    #[cfg(test)]
    pub fn connections(&self) -> (u64, u64) {
        (self.open.load(Ordering::Relaxed), self.connections.load(Ordering::Relaxed))
    }

    fn flow(&self, local: &Listen) -> Flow {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Flow {
            local: local.clone(),
            open: count(&self.open),
            connections: count(&self.connections),
            sent: count(&self.sent),
            received: count(&self.received),
        }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Counters of a tunnel by local end. Copies share them.
#[derive(Debug, Clone, Default)]
pub struct Metrics {
    meters: Arc<Mutex<BTreeMap<Listen, Arc<Counters>>>>,
}

impl Metrics {
    /// Returns the counters of the forward from `local`; continues existing ones.
    pub fn counters(&self, local: Listen) -> Arc<Counters> {
        let mut meters = self.meters.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(meters.entry(local).or_default())
    }

    /// Returns all counters as a line of JSON.
    pub fn line(&self) -> String {
        let meters = self.meters.lock().unwrap_or_else(PoisonError::into_inner);
        let flows: Vec<Flow> = meters.iter().map(|(local, counters)| counters.flow(local)).collect();
        serde_json::to_string(&flows).unwrap_or_default() + "\n"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_counts_as_open_as_long_as_it_is() {
        let metrics = Metrics::default();
        let open = metrics.counters(Listen::Port(8000)).open();
        metrics.counters(Listen::Port(8000)).sent.fetch_add(5, Ordering::Relaxed);
        let one = r#"[{"local":8000,"open":1,"connections":1,"sent":5,"received":0}]"#;
        assert_eq!(metrics.line(), format!("{one}\n"));
        drop(open);
        assert!(metrics.line().contains(r#""open":0,"connections":1"#));
    }
}
