//! When to try again, and how many connections the server is asked for meanwhile.
//!
//! Firewalls that limit new connections (`ufw limit`: six in 30 s) count refused ones as well, and each
//! that they drop renews the block. So tries draw on a budget: a few connections in a sliding window.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

use crate::openssh::failure::Kind;
use crate::runtime::state::RETRY_MAX;

/// A link that was up this long was a good one.
const STEADY: Duration = Duration::from_secs(30);
/// One that was up this long was none that the server dropped at once.
const USABLE: Duration = Duration::from_secs(2);

const FIRST: Duration = Duration::from_millis(500);
/// How long a server that is not there may take to be started again, before it counts as away.
const RESTART: Duration = Duration::from_secs(60);
/// How long a silent network is asked every second. Nothing reaches the server meanwhile, as a rule.
pub const OUTAGE: Duration = Duration::from_secs(30);

/// The most connections within [`WINDOW`], which is the 30 s of the firewalls and one for the way.
const CONNECTIONS_MAX: usize = 5;
const WINDOW: Duration = Duration::from_secs(31);

/// The times between tries at a port that refuses, in milliseconds: soon enough for a server that is
/// restarted, and the budget lasts for one that takes longer. The last one holds on.
const QUICK: [u64; 5] = [500, 1_700, 4_000, 8_000, 6_200];
/// The times between logins that are refused after a link that was up: a machine that boots may not have its
/// home or its accounts yet. Further apart than the penalties of OpenSSH 9.8 add up, and fewer than
/// fail2ban takes for an attack.
const DENIED: [Duration; 3] = [Duration::from_secs(5), Duration::from_secs(15), Duration::from_secs(35)];

/// The pauses before knocks at a host that is silent, and how long to wait for their answer. The kernel
/// repeats a port_probe after a second, so that a long one counts as two.
const PORT_PROBES: [PortProbe; 2] = [
    PortProbe { pause: Duration::from_secs(8), patience: Duration::from_millis(950), cost: 1 },
    PortProbe { pause: Duration::from_secs(16), patience: Duration::from_millis(2900), cost: 2 },
];
/// After this many knocks without an answer, a host that had answered before may be behind a stricter
/// firewall: 4 connections in a minute.
const PORT_PROBES_MAX: u32 = 4;
const SPARSE: Duration = Duration::from_secs(32);

/// One plain connection to a host that is silent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PortProbe {
    /// How long to wait before it.
    pub pause: Duration,
    /// How long to wait for its answer.
    pub patience: Duration,
    cost: usize,
}

/// The failures in a row, and the connections they cost.
#[derive(Debug)]
pub struct Backoff {
    failures: u32,
    denials: usize,
    /// When those connections began, within [`WINDOW`], that the server may have seen and that led to no
    /// link.
    connections: VecDeque<Instant>,
    /// Whether the host has answered since the link was lost.
    has_answered: bool,
    /// When the link was lost, or the network changed.
    since: Instant,
}

impl Backoff {
    /// No failures yet.
    pub fn new(now: Instant) -> Self {
        Self { failures: 0, denials: 0, connections: VecDeque::new(), has_answered: false, since: now }
    }

    /// How many failures in a row there have been.
    pub fn failures(&self) -> u32 {
        self.failures
    }

    /// An attempt begins.
    pub fn begin(&mut self, now: Instant) {
        self.spend(1, now);
    }

    /// The attempt led to a link.
    pub fn succeed(&mut self) {
        self.connections.pop_back();
    }

    /// A link that was `up` this long is lost. One that was good makes up for all failures, one that could
    /// be used for all but one: a network that fails every few seconds is no reason to be longer without a
    /// link than it takes to make one.
    pub fn lose(&mut self, up: Duration, now: Instant) {
        if up >= USABLE {
            self.failures = if up >= STEADY { 0 } else { self.failures.min(1) };
            self.denials = 0;
        }
        self.has_answered = false;
        self.since = now;
    }

    /// The attempt failed.
    pub fn fail(&mut self, kind: Kind) {
        if is_silence(kind) {
            // What nobody answers reaches nobody, unless the host has just answered: then a firewall drops it.
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

    /// The wait for the next attempt is over.
    pub fn retry(&mut self) {
        self.failures = self.failures.saturating_add(1);
    }

    /// What was out of reach may be within it now.
    pub fn start_over(&mut self, now: Instant) {
        self.failures = 0;
        self.has_answered = false;
        self.since = now;
    }

    /// Whether a failure of this kind ends a tunnel that was up.
    pub fn gives_up(&self, kind: Kind) -> bool {
        match kind {
            Kind::AuthenticationRefused => self.denials > DENIED.len(),
            _ => kind.is_permanent(),
        }
    }

    /// Whether connections that stay unanswered are to be few: a firewall may drop them, or nothing is there.
    pub fn is_sparing(&self, now: Instant) -> bool {
        self.has_answered || now.duration_since(self.since) >= OUTAGE
    }

    /// Whether the next attempt waits until the silent host answers a port_probe.
    pub fn waits_for_answer(&self, kind: Kind, now: Instant) -> bool {
        is_silence(kind) && self.is_sparing(now)
    }

    /// How long to wait for the next attempt, after one that failed for `kind` and took `took`: that time
    /// counts, because an attempt into a network that drops everything lasts for long and must not be
    /// followed by silence. `chance`, from 0 to 1, spreads the wait by a fifth, so that the tunnels of
    /// many machines do not come back in step.
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

    /// The port_probe after `number` others at a host that is silent.
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

    /// Somebody knocks.
    pub fn spend_on(&mut self, port_probe: PortProbe, now: Instant) {
        self.spend(port_probe.cost, now);
    }

    fn spend(&mut self, cost: usize, now: Instant) {
        self.connections.retain(|begun| now.duration_since(*begun) < WINDOW);
        self.connections.extend(std::iter::repeat_n(now, cost));
    }

    /// How long it takes until `cost` more connections are within the budget.
    fn until_affordable(&self, cost: usize, now: Instant) -> Duration {
        let over = (self.connections.len() + cost).checked_sub(CONNECTIONS_MAX + 1);
        let blocking = over.and_then(|index| self.connections.get(index));
        blocking.map_or(Duration::ZERO, |begun| (*begun + WINDOW).saturating_duration_since(now))
    }
}

/// Whether a failure of this kind is that nobody answered.
fn is_silence(kind: Kind) -> bool {
    matches!(kind, Kind::TimedOut | Kind::Unreachable | Kind::UnknownHost)
}

#[cfg(test)]
mod tests;
