//! The lease of this machine, shared by the loop that watches it and the requests that change it.

use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::activity::Look;
use crate::clock::{Anchor, Continuation, Moment, Reading};
use crate::config::Config;
use crate::error::Result;
use crate::lease::{Action, Extension, Lease, Phase, Plan, Reason, SAVE_INTERVAL};
use crate::log;
use crate::store::Store;

/// The guard of the machine.
#[derive(Debug)]
pub struct Guard {
    /// Its configuration.
    pub config: Config,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    anchor: Anchor,
    lease: Lease,
    look: Look,
    attempts: Attempts,
    store: Store,
    saved: Instant,
    is_save_failing: bool,
}

/// The attempts to end the machine.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Attempts {
    /// How many were made.
    pub count: u32,
    /// Why the last one failed.
    pub error: Option<String>,
}

/// Everything that `/status` shows, at one moment.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// The clocks.
    pub reading: Reading,
    /// Now.
    pub now: Moment,
    /// Converts moments into times of the wall clock.
    pub anchor: Anchor,
    /// The lease.
    pub lease: Lease,
    /// Use of the machine.
    pub look: Look,
    /// The attempts to end it.
    pub attempts: Attempts,
}

/// A request that comes too late: the machine is being ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooLate;

impl Guard {
    /// Takes up the lease that the state directory holds, or begins one.
    pub fn new(config: Config) -> Result<Self> {
        let store = Store::open(&config.state)?;
        let reading = Reading::take();
        let (anchor, lease) = match store.load()? {
            None => (Anchor::first(&reading), Lease::new(&config.policy, Moment(0))),
            Some(saved) => {
                let mut anchor = saved.anchor;
                let last = anchor.last();
                let (now, continuation) = anchor.advance(&reading);
                let lease = match continuation {
                    Continuation::SameBoot => saved.lease.after_restart(last, now),
                    Continuation::Reboot => saved.lease.after_reboot(&config.policy, now),
                };
                (anchor, lease)
            }
        };
        let mut inner = Inner {
            anchor,
            lease,
            look: Look::default(),
            attempts: Attempts::default(),
            store,
            saved: Instant::now(),
            is_save_failing: false,
        };
        inner.save();
        Ok(Self { config, inner: Mutex::new(inner) })
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes note of what uses the machine and decides what to do.
    pub fn observe(&self, look: Look) -> Option<Action> {
        let mut inner = self.inner();
        let now = inner.now();
        let usage = look.observation.usage();
        inner.look = look;
        let (warned, was_in_use) = (inner.lease.warned, inner.lease.in_use);
        let action = inner.lease.step(&self.config.policy, &usage, now);
        // A crash must not forget that use has begun.
        let begins = inner.lease.in_use && !was_in_use;
        let is_due = inner.saved.elapsed() >= SAVE_INTERVAL;
        if action.is_some() || inner.lease.warned != warned || begins || is_due {
            inner.save();
        }
        action
    }

    /// The reason for which the machine is being ended.
    pub fn ending(&self) -> Option<Reason> {
        match self.inner().lease.phase {
            Phase::Ending(reason) => Some(reason),
            Phase::Running => None,
        }
    }

    /// Adds time to the lease.
    pub fn extend(&self, wanted: Duration) -> std::result::Result<(Extension, Snapshot), TooLate> {
        self.change(|lease, now| lease.extend(&self.config.policy, wanted, now))
    }

    /// Counts a request as use.
    pub fn touch(&self, by: &str) -> std::result::Result<Snapshot, TooLate> {
        self.change(|lease, now| lease.touch(by, now)).map(|((), snapshot)| snapshot)
    }

    /// Rules out an idle shutdown for `duration`.
    pub fn keep(&self, duration: Duration) -> std::result::Result<Snapshot, TooLate> {
        self.change(|lease, now| lease.keep(now.after(duration), now)).map(|((), snapshot)| snapshot)
    }

    /// Applies `change` and saves. After a dry run, the machine runs again.
    fn change<T>(
        &self,
        change: impl FnOnce(&mut Lease, Moment) -> T,
    ) -> std::result::Result<(T, Snapshot), TooLate> {
        let mut inner = self.inner();
        if inner.lease.phase != Phase::Running {
            if !self.config.dry_run {
                return Err(TooLate);
            }
            inner.lease.phase = Phase::Running;
        }
        let now = inner.now();
        let result = change(&mut inner.lease, now);
        inner.lease.rearm(&self.config.policy, now);
        inner.save();
        Ok((result, inner.snapshot()))
    }

    /// Takes note of an attempt to end the machine.
    pub fn attempted(&self, error: Option<String>) {
        let mut inner = self.inner();
        inner.attempts.count += 1;
        inner.attempts.error = error;
    }

    /// Everything that `/status` shows.
    pub fn snapshot(&self) -> Snapshot {
        self.inner().snapshot()
    }

    /// Saves the state.
    pub fn save(&self) {
        let mut inner = self.inner();
        inner.now();
        inner.save();
    }

    /// The directory of the configuration.
    pub fn directory(&self) -> &PathBuf {
        &self.config.directory
    }
}

impl Inner {
    fn now(&mut self) -> Moment {
        self.anchor.advance(&Reading::take()).0
    }

    fn snapshot(&mut self) -> Snapshot {
        let reading = Reading::take();
        let (now, _) = self.anchor.advance(&reading);
        Snapshot {
            reading,
            now,
            anchor: self.anchor.clone(),
            lease: self.lease.clone(),
            look: self.look.clone(),
            attempts: self.attempts.clone(),
        }
    }

    /// Saves the state. A full disk stops nothing; it is logged once.
    fn save(&mut self) {
        self.saved = Instant::now();
        match self.store.save(&self.anchor, &self.lease) {
            Ok(()) => self.is_save_failing = false,
            Err(error) => {
                if !self.is_save_failing {
                    log::error(&format!("cannot save the state: {error}; it would be lost in a reboot"));
                }
                self.is_save_failing = true;
            }
        }
    }
}

impl Snapshot {
    /// The end to announce: that of the lease, or an earlier one for lack of use of which users
    /// were warned.
    pub fn announced(&self, guard: &Guard) -> Plan {
        let policy = &guard.config.policy;
        let plan = self.lease.plan(policy, &self.look.observation.usage());
        if self.lease.warned > 0 { plan } else { self.lease.lease_plan(policy) }
    }
}
