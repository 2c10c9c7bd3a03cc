//! The sentence that says what keeps the machine up or what will end it, and when.

use std::time::Duration;

use crate::activity::{Load, Observation};
use crate::clock::{Anchor, Moment, rfc3339};
use crate::lease::{Lease, Phase, Policy, Reason, Usage};

/// Explains the state of the machine at `now` in one sentence.
pub fn explain(
    policy: &Policy,
    lease: &Lease,
    observation: &Observation,
    anchor: &Anchor,
    now: Moment,
) -> String {
    let usage = observation.usage();
    let plan = lease.plan(policy, &usage);
    let when = |at: Moment| format!("in {} ({})", span(at.since(now)), rfc3339(anchor.wall_at(at)));
    if let Phase::Ending(reason) = lease.phase {
        return format!("the machine is being ended: {}", over(reason));
    }
    let end = match plan.reason {
        Reason::Lease => format!("the lease ends it {}", when(plan.at)),
        Reason::Limit => format!("the hard limit ends it {}", when(plan.at)),
        Reason::Idle => format!("it ends {} unless it is used", when(plan.at)),
    };
    let kept = lease.keep_until.filter(|keep| *keep > now && policy.idle.is_some());
    match (usage, kept) {
        (Usage::InUse(by), _) => format!("in use: {by}; {end}"),
        (Usage::Quiet, Some(keep)) => format!("kept until {}; {end}", rfc3339(anchor.wall_at(keep))),
        (Usage::Quiet, None) => {
            let idle = span(now.since(lease.last_use));
            let note = if policy.idle.is_none() { ", idle limit off" } else { "" };
            format!("idle for {idle}{note}; {end}")
        }
    }
}

/// Says that a limit is reached.
pub fn over(reason: Reason) -> &'static str {
    match reason {
        Reason::Lease => "the lease is over",
        Reason::Limit => "the hard limit is reached",
        Reason::Idle => "nothing uses it",
    }
}

impl Observation {
    /// Returns the use of the machine. An unknown source counts as use.
    pub fn usage(&self) -> Usage {
        let sources = [("GPU", &self.gpu), ("logins", &self.sessions), ("model servers", &self.models)];
        let busy = sources.iter().find_map(|(_, load)| match load {
            Load::Busy(what) => Some(what.clone()),
            _ => None,
        });
        let unknown = || {
            sources.iter().find_map(|(name, load)| match load {
                Load::Unknown(reason) => Some(format!("{name} unknown, which counts as use: {reason}")),
                _ => None,
            })
        };
        busy.or_else(unknown).map_or(Usage::Quiet, Usage::InUse)
    }
}

/// A length of time in its two largest units: `45 s`, `12 min`, `5 h 12 min`.
pub fn span(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let (minutes, hours) = (seconds / 60, seconds / 3600);
    match (hours, minutes) {
        (0, 0) => format!("{seconds} s"),
        (0, _) => format!("{minutes} min"),
        _ if minutes % 60 == 0 => format!("{hours} h"),
        _ => format!("{hours} h {} min", minutes % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Reading;

    const MINUTE: Duration = Duration::from_secs(60);

    fn told(minutes: u32, observation: &Observation, change: impl FnOnce(&mut Lease)) -> String {
        let policy = Policy { lease: MINUTE * 240, limit: MINUTE * 480, idle: Some(MINUTE * 30) };
        let reading = Reading { boot_id: "a".into(), boottime: 0, wall: 1_767_323_045_000 };
        let mut anchor = Anchor::first(&reading);
        let passed = crate::clock::milliseconds(MINUTE * minutes);
        let later = Reading { boottime: passed, wall: reading.wall + passed, ..reading };
        let (now, _) = anchor.advance(&later);
        let mut lease = Lease::new(&policy, Moment(0));
        change(&mut lease);
        explain(&policy, &lease, observation, &anchor, now)
    }

    #[test]
    fn one_sentence_for_each_state() {
        let quiet = Observation { gpu: Load::Quiet, sessions: Load::Quiet, models: Load::Quiet };
        let busy =
            Observation { sessions: Load::Busy("ubuntu is logged in on pts/0".into()), ..quiet.clone() };
        let unknown = Observation { gpu: Load::Unknown("no NVIDIA driver".into()), ..quiet.clone() };
        let nothing = |_: &mut Lease| ();
        assert_eq!(
            told(12, &quiet, nothing),
            "idle for 12 min; it ends in 18 min (2026-01-02T03:34:05Z) unless it is used"
        );
        assert_eq!(
            told(12, &busy, nothing),
            "in use: ubuntu is logged in on pts/0; the lease ends it in 3 h 48 min (2026-01-02T07:04:05Z)"
        );
        assert_eq!(
            told(12, &unknown, |lease| lease.end = lease.began.after(MINUTE * 480)),
            "in use: GPU unknown, which counts as use: no NVIDIA driver; \
             the hard limit ends it in 7 h 48 min (2026-01-02T11:04:05Z)"
        );
        assert_eq!(
            told(12, &quiet, |lease| lease.keep_until = Some(Moment(0).after(MINUTE * 120))),
            "kept until 2026-01-02T05:04:05Z; it ends in 1 h 48 min (2026-01-02T05:04:05Z) unless it is used"
        );
        assert_eq!(
            told(12, &quiet, |lease| lease.phase = Phase::Ending(Reason::Idle)),
            "the machine is being ended: nothing uses it"
        );
    }
}
