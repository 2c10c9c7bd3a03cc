//! Lease, hard limit, idle limit and keep: decides when the machine ends. Pure: the same policy,
//! lease, usage and moment always give the same decision.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::clock::Moment;

/// How long before the end users are warned, first and last.
pub const WARNINGS: [Duration; 2] = [Duration::from_secs(15 * 60), Duration::from_secs(5 * 60)];

/// The time that users have after a reboot even if the lease ran out while the machine was down.
pub const BOOT_GRACE: Duration = WARNINGS[0];

/// The longest time between two saves of a lease whose machine is in use.
pub const SAVE_INTERVAL: Duration = Duration::from_secs(60);

/// The limits that the configuration sets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// The length of a new lease.
    pub lease: Duration,
    /// The longest a machine lives, however often its lease is extended.
    pub limit: Duration,
    /// The longest a machine may be unused; `None` for no limit.
    pub idle: Option<Duration>,
}

/// Why a machine ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// The lease is over.
    Lease,
    /// The hard limit is reached.
    Limit,
    /// The machine is not used.
    Idle,
}

impl Reason {
    /// A word for hooks and for `/status`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Lease => "lease",
            Self::Limit => "limit",
            Self::Idle => "idle",
        }
    }
}

/// Current use of the machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Usage {
    /// Nothing uses it.
    Quiet,
    /// Something uses it, or might: what.
    InUse(String),
}

/// Life of the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// It runs.
    Running,
    /// It is being ended.
    Ending(Reason),
}

/// The lease of a machine: what has to survive restarts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Lease {
    /// When the lease began; the hard limit counts from here.
    pub began: Moment,
    /// When it ends.
    pub end: Moment,
    /// No idle shutdown before this moment.
    pub keep_until: Option<Moment>,
    /// When the machine was last used.
    pub last_use: Moment,
    /// Source of that use.
    pub last_use_by: String,
    /// True if the machine was in use at the last look.
    #[serde(default)]
    pub in_use: bool,
    /// Lease and limit end nothing before this moment: set after a reboot.
    pub not_before: Moment,
    /// How many warnings of the planned end were given.
    pub warned: u8,
    /// Running or being ended.
    pub phase: Phase,
}

/// A planned end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plan {
    /// When.
    pub at: Moment,
    /// Why.
    pub reason: Reason,
}

/// Action that is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Warn users of the planned end.
    Warn(Plan),
    /// End the machine.
    End(Reason),
}

/// Result of a request for more time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extension {
    /// The time that was added.
    pub granted: Duration,
    /// When the lease ends now.
    pub end: Moment,
    /// True if the hard limit allowed no more.
    pub is_capped: bool,
}

impl Lease {
    /// A new lease that begins `now`.
    pub fn new(policy: &Policy, now: Moment) -> Self {
        Self {
            began: now,
            end: now.after(policy.lease.min(policy.limit)),
            keep_until: None,
            last_use: now,
            last_use_by: "start".into(),
            in_use: false,
            not_before: now,
            warned: 0,
            phase: Phase::Running,
        }
    }

    /// The lease after a restart of the daemon, which saved it last at the moment `saved`. If the machine was
    /// in use then, it counts as used until the next save was due: what it did after the last one is unknown.
    #[must_use]
    pub fn after_restart(self, saved: Moment, now: Moment) -> Self {
        let last_use = if self.in_use { now.min(saved.after(SAVE_INTERVAL)) } else { self.last_use };
        Self { last_use, in_use: false, ..self }
    }

    /// The lease after a reboot: the same one, with time to react. A machine that was ended and
    /// runs again was started on purpose, and gets a new lease.
    #[must_use]
    pub fn after_reboot(self, policy: &Policy, now: Moment) -> Self {
        match self.phase {
            Phase::Ending(_) => Self::new(policy, now),
            Phase::Running => Self {
                last_use: now,
                last_use_by: "boot".into(),
                in_use: false,
                not_before: now.after(BOOT_GRACE.min(policy.lease)),
                ..self
            },
        }
    }

    /// When the hard limit ends the machine.
    pub fn limit_at(&self, policy: &Policy) -> Moment {
        self.began.after(policy.limit)
    }

    /// When lease or hard limit end the machine, whichever comes first.
    pub fn lease_plan(&self, policy: &Policy) -> Plan {
        let limit = self.limit_at(policy);
        let reason = if self.end < limit { Reason::Lease } else { Reason::Limit };
        Plan { at: self.end.min(limit).max(self.not_before), reason }
    }

    /// When disuse ends the machine if nothing uses it before; `None` without an idle limit.
    pub fn idle_end(&self, policy: &Policy) -> Option<Moment> {
        let end = self.last_use.after(policy.idle?);
        Some(self.keep_until.map_or(end, |keep| keep.max(end)))
    }

    /// The next end if `usage` stays as it is.
    pub fn plan(&self, policy: &Policy, usage: &Usage) -> Plan {
        let lease = self.lease_plan(policy);
        match self.idle_end(policy) {
            Some(at) if *usage == Usage::Quiet && at < lease.at => Plan { at, reason: Reason::Idle },
            _ => lease,
        }
    }

    /// Takes note of `usage` and decides what to do `now`.
    pub fn step(&mut self, policy: &Policy, usage: &Usage, now: Moment) -> Option<Action> {
        if self.phase != Phase::Running {
            return None;
        }
        self.in_use = *usage != Usage::Quiet;
        if let Usage::InUse(by) = usage {
            self.touch(by, now);
        }
        let plan = self.plan(policy, usage);
        if plan.at <= now {
            self.phase = Phase::Ending(plan.reason);
            return Some(Action::End(plan.reason));
        }
        let due = warnings_due(policy, plan, now);
        let is_new = due > self.warned;
        self.warned = due;
        is_new.then_some(Action::Warn(plan))
    }

    /// Counts `by` as use of the machine.
    pub fn touch(&mut self, by: &str, now: Moment) {
        self.last_use = self.last_use.max(now);
        by.clone_into(&mut self.last_use_by);
    }

    /// Forgets warnings that a request has made untrue. A request is use.
    pub fn rearm(&mut self, policy: &Policy, now: Moment) {
        let plan = self.plan(policy, &Usage::InUse(String::new()));
        self.warned = self.warned.min(warnings_due(policy, plan, now));
    }

    /// Adds `wanted` to the lease, up to the hard limit. A wish counts as use.
    pub fn extend(&mut self, policy: &Policy, wanted: Duration, now: Moment) -> Extension {
        self.touch("extend", now);
        let limit = self.limit_at(policy);
        let before = self.end.min(limit);
        let end = before.after(wanted).min(limit);
        self.end = end;
        let granted = end.since(before);
        Extension { granted, end: self.lease_plan(policy).at, is_capped: granted < wanted }
    }

    /// Rules out an idle shutdown before `until`. A wish counts as use.
    pub fn keep(&mut self, until: Moment, now: Moment) {
        self.touch("keep", now);
        self.keep_until = Some(until);
    }
}

/// How many warnings should have been given by now. An idle limit shorter than half an hour warns
/// later, so that no pause in the work is answered with a warning.
fn warnings_due(policy: &Policy, plan: Plan, now: Moment) -> u8 {
    let left = plan.at.since(now);
    let scale = |index: usize, part: u32| match (plan.reason, policy.idle) {
        (Reason::Idle, Some(idle)) => WARNINGS[index].min(idle / part),
        _ => WARNINGS[index],
    };
    u8::from(left <= scale(0, 2)) + u8::from(left <= scale(1, 6))
}

#[cfg(test)]
mod tests;
