//! When to try again, and how many connections to make meanwhile.
//!
//! Firewalls that limit new connections (`ufw limit`: six in 30 s) count refused ones and successful ones as well, and
//! each one that they drop renews the block. So tries draw on a budget: a few connections in a sliding window.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

use super::second_budget::SecondBudget;
use crate::openssh::failure::Kind;
use crate::runtime::state::RETRY_MAX;

/// Time after which a link counts as good.
const STEADY: Duration = Duration::from_secs(30);
/// Time after which a link counts as usable: the server did not drop it at once.
const USABLE: Duration = Duration::from_secs(2);

const FIRST: Duration = Duration::from_millis(500);
/// Time for a server to restart before it counts as away.
const RESTART: Duration = Duration::from_secs(60);
/// Time for which a silent network is probed every second. Usually nothing reaches the server then.
pub const OUTAGE: Duration = Duration::from_secs(30);

/// Largest number of connections within [`WINDOW`]: the firewalls' 30 s plus one for the network.
const CONNECTIONS_MAX: usize = 5;
const WINDOW: Duration = Duration::from_secs(31);

/// Pauses between tries at a port that refuses, in milliseconds: short enough for a restarting server, and
/// within the budget for one that takes longer. The last one repeats.
const QUICK: [u64; 5] = [500, 1_700, 4_000, 8_000, 6_200];
/// Pauses between refused logins after a link that was up: a booting machine may lack its home or accounts.
/// They stay below the penalties of OpenSSH 9.8 and the limits of fail2ban.
const DENIED: [Duration; 3] = [Duration::from_secs(5), Duration::from_secs(15), Duration::from_secs(35)];

/// Pauses of an on-demand tunnel after failures that the user must mend; the last one repeats. Each attempt counts as a
/// refused login, and fail2ban blocks after five in ten minutes.
const BLOCKED: [Duration; 3] = [Duration::from_secs(5), Duration::from_secs(35), Duration::from_secs(300)];

/// Pauses before probes of a silent host, and the times to wait for answers. The kernel repeats a probe after
/// a second, so a long one counts as two.
const PORT_PROBES: [PortProbe; 2] = [
    PortProbe { pause: Duration::from_secs(8), patience: Duration::from_millis(950), cost: 1 },
    PortProbe { pause: Duration::from_secs(16), patience: Duration::from_millis(2900), cost: 2 },
];
/// Number of unanswered probes after which a host that answered before may be behind a stricter firewall: 4
/// connections in a minute.
const PORT_PROBES_MAX: u32 = 4;
const SPARSE: Duration = Duration::from_secs(32);

/// A plain connection to a silent host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PortProbe {
    /// Pause before it.
    pub pause: Duration,
    /// Time to wait for its answer.
    pub patience: Duration,
    cost: usize,
}

/// Failures in a row and the connections they cost.
#[derive(Debug)]
pub struct Backoff {
    failures: u32,
    denials: usize,
    /// Number of failures in a row that the user must mend, of an on-demand tunnel.
    blocked: usize,
    /// Start times of connections within [`WINDOW`] that the server may have seen.
    connections: VecDeque<Instant>,
    /// True if the host has answered since the link was lost.
    has_answered: bool,
    /// Time at which the link was lost or the network changed.
    since: Instant,
    second_budget: SecondBudget,
}

impl Backoff {
    /// Returns a state without failures.
    pub fn new(now: Instant) -> Self {
        let connections = VecDeque::new();
        let second_budget = SecondBudget::new(now);
        Self {
            failures: 0,
            denials: 0,
            blocked: 0,
            connections,
            has_answered: false,
            since: now,
            second_budget,
        }
    }

    /// Returns a state without failures, after connections of these ages.
    pub fn after(tries: &[Duration], now: Instant) -> Self {
        let begun = tries.iter().filter_map(|age| now.checked_sub(*age));
        let mut connections: Vec<Instant> =
            begun.filter(|begun| now.duration_since(*begun) < WINDOW).collect();
        connections.sort();
        Self { connections: connections.into(), ..Self::new(now) }
    }

    /// Returns the number of failures in a row.
    pub fn failures(&self) -> u32 {
        self.failures
    }

    /// Records the start of an attempt.
    pub fn begin(&mut self, now: Instant) {
        self.spend(1, now);
    }

    /// Returns true if a second ssh may start beside one whose link is in doubt.
    pub fn may_start_second(&self, now: Instant) -> bool {
        self.second_budget.may_start(now) && self.affords_another(now)
    }

    /// Records the start of a second ssh. Its connection stays in the budget if the link turns out alive meanwhile.
    pub fn start_second(&mut self, now: Instant) {
        self.second_budget.begin(now);
        self.spend(1, now);
    }

    /// Records that a second ssh took over.
    pub fn second_took_over(&mut self) {
        self.second_budget.succeed();
        self.succeed();
    }

    /// Records that a second ssh failed. The link is kept.
    pub fn second_failed(&mut self, kind: Kind) {
        if kind.needs_user() {
            self.second_budget.give_up();
        }
        self.fail(kind);
    }

    /// Records that ssh asked the user something for a second ssh.
    pub fn second_asked(&mut self) {
        self.second_budget.give_up();
    }

    /// Records a successful attempt.
    pub fn succeed(&mut self) {
        self.blocked = 0;
    }

    /// Records a failure that the user must mend. Returns the time for which an on-demand tunnel tries nothing.
    pub fn block(&mut self) -> Duration {
        let pause = BLOCKED[self.blocked.min(BLOCKED.len() - 1)];
        self.blocked += 1;
        pause
    }

    /// Records the loss of a link that was `up` for this long. A good one resets all failures, a usable one
    /// all but one: a network that fails every few seconds is no reason to stay without a link for longer
    /// than a login takes.
    pub fn lose(&mut self, up: Duration, now: Instant) {
        if up >= USABLE {
            self.failures = if up >= STEADY { 0 } else { self.failures.min(1) };
            self.denials = 0;
        }
        self.has_answered = false;
        self.since = now;
    }

    /// Records a failed attempt.
    pub fn fail(&mut self, kind: Kind) {
        if is_silence(kind) {
            // Unanswered connections reach no server, unless the host has just answered: then a firewall
            // drops them.
            if !self.has_answered {
                self.connections.pop_back();
            }
            return;
        }
        self.has_answered = true;
        if kind == Kind::AuthenticationRefused {
            self.denials += 1;
        }
    }

    /// Records the end of the wait.
    pub fn retry(&mut self) {
        self.failures = self.failures.saturating_add(1);
    }

    /// Starts over after a change of the network: an unreachable host may be reachable now.
    pub fn start_over(&mut self, now: Instant) {
        self.failures = 0;
        self.has_answered = false;
        self.since = now;
    }

    /// Returns true if a failure of this kind ends a tunnel that was up.
    pub fn gives_up(&self, kind: Kind) -> bool {
        match kind {
            Kind::AuthenticationRefused => self.denials > DENIED.len(),
            _ => kind.is_permanent(),
        }
    }

    /// Returns true if unanswered connections must be few: a firewall may drop them, or the host is off.
    pub fn is_sparing(&self, now: Instant) -> bool {
        self.has_answered || now.duration_since(self.since) >= OUTAGE
    }

    /// Returns true if one more connection is within the budget.
    pub fn affords_another(&self, now: Instant) -> bool {
        self.until_affordable(1, now).is_zero()
    }

    /// Returns true if the next attempt waits until the silent host answers a probe.
    pub fn waits_for_answer(&self, kind: Kind, now: Instant) -> bool {
        is_silence(kind) && self.is_sparing(now)
    }

    /// Returns the pause before the next attempt, after one that failed for `kind` and took `took`. That time
    /// counts: an attempt into a network that drops everything is long and must not be followed by a long
    /// silence. `chance`, from 0 to 1, spreads the pause by ±20 %, so that the tunnels of many machines do
    /// not return in step.
    pub fn pause(&self, kind: Kind, took: Duration, chance: f64, now: Instant) -> Duration {
        let chance = chance.clamp(0.0, 1.0);
        let Some(number) = self.failures.checked_sub(1) else { return self.until_affordable(1, now) };
        let is_away = now.duration_since(self.since) >= RESTART;
        let pause = match kind {
            Kind::AuthenticationRefused => DENIED[self.denials.clamp(1, DENIED.len()) - 1],
            Kind::Refused | Kind::HungUp if !is_away => {
                let index = usize::try_from(number).map_or(QUICK.len(), |number| number.min(QUICK.len() - 1));
                Duration::from_millis(QUICK[index]).mul_f64(1.0 + 0.2 * chance)
            }
            _ => {
                let doubled = FIRST.saturating_mul(2u32.saturating_pow(number)).min(RETRY_MAX);
                doubled.mul_f64(0.8 + 0.4 * chance).min(RETRY_MAX)
            }
        };
        pause.saturating_sub(took).max(self.until_affordable(1, now))
    }

    /// Returns the timing of a probe after `number` others of a silent host.
    pub fn port_probe(&self, number: u32, now: Instant) -> PortProbe {
        let [short, long] = PORT_PROBES;
        let mut port_probe = match number {
            PORT_PROBES_MAX.. if self.has_answered => PortProbe { pause: SPARSE, ..long },
            _ if number.is_multiple_of(2) => short,
            _ => long,
        };
        port_probe.pause = port_probe.pause.max(self.until_affordable(port_probe.cost, now));
        port_probe
    }

    /// Records a probe.
    pub fn spend_on(&mut self, port_probe: PortProbe, now: Instant) {
        self.spend(port_probe.cost, now);
    }

    fn spend(&mut self, cost: usize, now: Instant) {
        self.connections.retain(|begun| now.duration_since(*begun) < WINDOW);
        self.connections.extend(std::iter::repeat_n(now, cost));
    }

    /// Returns the time until `cost` more connections are within the budget.
    fn until_affordable(&self, cost: usize, now: Instant) -> Duration {
        let over = (self.connections.len() + cost).checked_sub(CONNECTIONS_MAX + 1);
        let blocking = over.and_then(|index| self.connections.get(index));
        blocking.map_or(Duration::ZERO, |begun| (*begun + WINDOW).saturating_duration_since(now))
    }
}

/// Returns true if a failure of this kind means silence.
fn is_silence(kind: Kind) -> bool {
    matches!(kind, Kind::TimedOut | Kind::Unreachable | Kind::UnknownHost)
}

#[cfg(test)]
mod tests;
