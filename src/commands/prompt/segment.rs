//! Content of a prompt segment, identical to that of the hooks in `shell/`.

use std::borrow::Cow;

use crate::runtime::prompt::{Entry, Promise};
use crate::runtime::state::Phase;

/// Limits on the number of names and their characters; the first is always shown.
const NAMES_MAX: usize = 3;
const WIDTH_MAX: usize = 30;
/// Minutes below which a lease is shown.
const LEASE: u64 = 30;

/// Condition of the tunnels; a worse one hides better ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// All are idle.
    Idle,
    /// All that are not idle are up.
    Up,
    /// One is connecting.
    Waiting,
    /// One is down.
    Down,
}

/// Credible state of one tunnel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Idle,
    Up,
    Starting,
    Reconnecting,
    Down,
}

/// Content of the segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    /// Selects symbol and colour.
    pub severity: Severity,
    /// Word for the worst state.
    pub word: Cow<'static, str>,
    /// Names of the tunnels in this state, with its word unless all are up. `..` marks a shortened name.
    pub text: String,
    /// Remaining time of the lease that ends first, if it is short.
    pub lease: Option<String>,
}

impl Segment {
    /// Returns the segment for `entries` at `now`, in seconds since the epoch; `is_alive` recognises live
    /// processes by PID and start, and `limit` is the number of minutes below which a lease is short. Idle tunnels are
    /// shown only if all are idle.
    pub fn of(
        entries: &[Entry],
        now: u64,
        limit: Option<u64>,
        is_alive: impl Fn(u32, Option<u64>) -> bool,
    ) -> Option<Self> {
        let mut judged: Vec<(Rank, Cow<'static, str>, &Entry)> = entries
            .iter()
            .map(|entry| {
                let (rank, word) = judge(entry, now, &is_alive);
                (rank, word, entry)
            })
            .collect();
        if judged.iter().any(|(rank, ..)| *rank != Rank::Idle) {
            judged.retain(|(rank, ..)| *rank != Rank::Idle);
        }
        let worst = judged.iter().map(|(rank, ..)| *rank).max()?;
        let concerned: Vec<_> = judged.iter().filter(|(rank, ..)| *rank == worst).collect();
        // A failed tunnel is down, too.
        let word = concerned
            .iter()
            .map(|(_, word, _)| word.clone())
            .reduce(|a, b| if a == b { a } else { "down".into() })?;
        let names = listing(concerned.iter().map(|(.., entry)| entry.shown.as_str()));
        let (total, up) = (judged.len(), judged.iter().filter(|(rank, ..)| *rank == Rank::Up).count());
        let text = match total {
            total if total == up => names,
            _ if worst == Rank::Idle => format!("{names} {word}"),
            1 => format!("{names} {word}"),
            _ => format!("{up}/{total} {names} {word}"),
        };
        let ends =
            entries.iter().filter(|entry| matches!(entry.phase, Some(phase) if phase != Phase::Failed));
        let lease = ends.filter_map(|entry| entry.lease_end).min();
        let lease = lease.and_then(|end| short(end.saturating_sub(now) / 60, limit.unwrap_or(LEASE)));
        let severity = match worst {
            Rank::Idle => Severity::Idle,
            Rank::Up => Severity::Up,
            Rank::Down => Severity::Down,
            Rank::Starting | Rank::Reconnecting => Severity::Waiting,
        };
        Some(Self { severity, word, text, lease })
    }

    /// Returns the text with the lease.
    pub fn full_text(&self) -> String {
        match &self.lease {
            Some(lease) => format!("{} {lease}", self.text),
            None => self.text.clone(),
        }
    }
}

fn judge(entry: &Entry, now: u64, is_alive: impl Fn(u32, Option<u64>) -> bool) -> (Rank, Cow<'static, str>) {
    if entry.phase == Some(Phase::Failed) {
        return (Rank::Down, "failed".into());
    }
    let holds = match entry.promise {
        // Excludes overdue promises, and those from before the clock was set back.
        Promise::Until { not_after, ttl } => {
            not_after.checked_sub(now).is_some_and(|left| left <= ttl) && is_alive(entry.pid, None)
        }
        Promise::Process { started } => is_alive(entry.pid, Some(started)),
    };
    match (entry.phase, &entry.blocked) {
        (Some(Phase::Idle), Some(what)) if holds => (Rank::Down, what.replace('-', " ").into()),
        (Some(phase), _) if holds => match phase {
            Phase::Idle => (Rank::Idle, "idle".into()),
            Phase::Up => (Rank::Up, "up".into()),
            Phase::Starting => (Rank::Starting, "starting".into()),
            _ => (Rank::Reconnecting, "reconnecting".into()),
        },
        _ => (Rank::Down, "down".into()),
    }
}

fn listing<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let (mut text, mut shown, mut more) = (String::new(), 0, 0);
    for name in names {
        if shown == 0 {
            text.push_str(name);
        } else if shown < NAMES_MAX && text.len() + name.len() < WIDTH_MAX {
            text = format!("{text},{name}");
        } else {
            more += 1;
            continue;
        }
        shown += 1;
    }
    if more == 0 { text } else { format!("{text}+{more}") }
}

fn short(minutes: u64, limit: u64) -> Option<String> {
    match minutes {
        long if long >= limit => None,
        0..60 => Some(format!("{minutes}m left")),
        _ => Some(format!("{}h{}m left", minutes / 60, minutes % 60)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_800_000_000;

    fn text(lines: &[&str]) -> Option<String> {
        let entries: Vec<Entry> = lines.iter().map(|line| Entry::parse(line).unwrap()).collect();
        Segment::of(&entries, NOW, None, |pid, started| pid < 100 && started.is_none_or(|ticks| ticks == 7))
            .map(|segment| segment.full_text())
    }

    #[test]
    fn up_is_said_only_of_what_is_believed() {
        for (line, expected) in [
            ("soong1 42 1800000075 75 up dev - 8000", "dev"),
            ("soong1 42 1800000000 75 up dev - 8000", "dev"),
            ("soong1 42 1799999999 75 up dev - 8000", "dev down"),
            ("soong1 42 1800000076 75 up dev - 8000", "dev down"),
            ("soong1 420 1800000075 75 up dev - 8000", "dev down"),
            ("soong1 42 1800000075 75 starting dev - 8000", "dev starting"),
            ("soong1 42 1800000075 75 dreaming dev - 8000", "dev down"),
            ("soong1 420 1700000000 75 failed dev - 8000", "dev failed"),
            ("soong1 42 1800000075 75 up dev 1800001799 8000", "dev 29m left"),
            ("soong1 42 1800000075 75 up dev 1800001800 8000", "dev"),
            ("soong1 42 1800000075 75 up dev 1700000000 8000", "dev 0m left"),
            ("soong2 42 1800000075 75 idle dev - 8000 dev", "dev idle"),
            ("soong3 42 7 idle dev - 8000 dev", "dev idle"),
            ("soong3 42 8 idle dev - 8000 dev", "dev down"),
            ("soong3 420 7 idle dev - 8000 dev", "dev down"),
            ("soong3 42 7 needs-passphrase dev - 8000 dev", "dev needs passphrase"),
        ] {
            assert_eq!(text(&[line]).as_deref(), Some(expected), "{line}");
        }
        assert_eq!(text(&[]), None);
    }

    #[test]
    fn several_are_counted() {
        let line = |phase: &str, name: &str| format!("soong1 42 1800000075 75 {phase} {name} - 8000");
        let said = |lines: &[(&str, &str)]| {
            let lines: Vec<String> = lines.iter().map(|(phase, name)| line(phase, name)).collect();
            text(&lines.iter().map(String::as_str).collect::<Vec<_>>()).unwrap()
        };
        for (tunnels, expected) in [
            (&[("up", "a"), ("up", "b")][..], "a,b"),
            (&[("up", "a"), ("failed", "b"), ("up", "c")], "2/3 b failed"),
            (&[("idle", "a"), ("idle", "b")], "a,b idle"),
            (&[("idle", "a"), ("up", "b")], "b"),
            (&[("idle", "a"), ("up", "b"), ("failed", "c")], "1/2 c failed"),
            (&[("up", "a"), ("reconnecting", "b"), ("failed", "c")], "1/3 c failed"),
            (&[("starting", "a"), ("reconnecting", "b")], "0/2 b reconnecting"),
            (&[("failed", "a"), ("failed", "b")], "0/2 a,b failed"),
            (&[("failed", "a"), ("dreaming", "b")], "0/2 a,b down"),
            (&[("up", "a"), ("up", "b"), ("up", "c"), ("up", "d"), ("up", "e")], "a,b,c+2"),
        ] {
            assert_eq!(said(tunnels), expected);
        }
        let many: Vec<String> = (10..22).map(|number| format!("training-run-{number}")).collect();
        let all = |state| many.iter().map(|name| (state, name.as_str())).collect::<Vec<_>>();
        assert_eq!(said(&all("up")), "training-run-10+11");
        let mut one_down = all("up");
        one_down[11].0 = "failed";
        assert_eq!(said(&one_down), "11/12 training-run-21 failed");
    }
}
