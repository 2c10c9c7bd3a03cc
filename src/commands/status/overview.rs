//! All data in one row per instance. Pure functions.

use crate::error::{Error, Result};
use crate::instances::inventory::{Inventory, Source, Status};
use crate::ledger::History;
use crate::ledger::cost::Cost;
use crate::runtime::forward::Forward;
use crate::runtime::liveness::TunnelStatus;
use crate::runtime::registry::{Running, Survey};
use crate::runtime::state::Facts;
use crate::runtime::state::{Phase, State};
use crate::suggest;
use crate::system::time::{now, span};
use crate::terminal::{hint_label, printable};

/// Age of a launch, in seconds, until which a missing tunnel is worth a line.
const UNFINISHED: u64 = 12 * 3600;

/// The overview.
#[derive(Debug)]
pub(super) struct Overview {
    /// One row per instance: those of the config, those of providers, then those known only from a running
    /// tunnel.
    pub rows: Vec<Row>,
    /// Enabled providers.
    pub sources: Vec<Source>,
    /// Launches without an outcome: name, and time of the request.
    pub lost: Vec<(String, u64)>,
    /// Reason why the ledger is unreadable.
    pub ledger_fault: Option<Error>,
    /// Time of the overview, in seconds since the epoch.
    pub now: u64,
}

/// One instance. Texts are unchecked.
#[derive(Debug, Clone)]
pub(super) struct Row {
    pub name: String,
    pub id: String,
    pub status: Status,
    pub host: Option<String>,
    pub kind: Option<String>,
    pub region: Option<String>,
    pub price_cents_per_hour: Option<u64>,
    pub provider: Option<String>,
    pub stale: bool,
    pub rental: Option<Rental>,
    pub tunnel: Option<Tunnel>,
    pub facts: Facts,
}

/// The ledger's data on an instance that costs money.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rental {
    /// True if soong launched it.
    pub is_launched: bool,
    /// True once its launch has done all its steps.
    pub is_ready: bool,
    /// Time and cost until now.
    pub so_far: Cost,
}

impl Rental {
    fn is_unfinished(&self) -> bool {
        self.is_launched && !self.is_ready
    }
}

/// The tunnel to an instance.
#[derive(Debug, Clone)]
pub(super) struct Tunnel {
    pub doing: TunnelStatus,
    pub pid: Option<u32>,
    pub last_error: Option<String>,
    pub forwards: Vec<Forward>,
}

impl Overview {
    /// Combines the inventory with running tunnels and the ledger; `doing` is the condition of each tunnel.
    pub(super) fn new(
        inventory: Inventory,
        survey: Survey,
        doing: &[TunnelStatus],
        history: &History,
    ) -> Self {
        let now = now();
        let mut rows: Vec<Row> = inventory.machines.into_iter().map(Row::from).collect();
        for row in &mut rows {
            row.rental = row.provider.as_ref().and_then(|provider| {
                let stay = history.open(provider, &row.id)?;
                Some(Rental {
                    is_launched: stay.is_launched,
                    is_ready: stay.is_ready,
                    so_far: stay.cost_so_far(now),
                })
            });
        }
        for (running, doing) in survey.running.iter().zip(doing) {
            let Some(state) = running.state.clone() else { continue };
            row_of(&mut rows, &state).merge(running, state, *doing);
        }
        for state in survey.failed {
            let row = row_of(&mut rows, &state);
            let tunnel = Tunnel::from(&state);
            row.tunnel.get_or_insert(tunnel);
        }
        let lost = history.wishes.iter().map(|wish| (wish.name.clone(), wish.asked)).collect();
        Self { rows, sources: inventory.sources, lost, ledger_fault: None, now }
    }

    /// Leaves out remarks about launches in progress: those that `goes_on` knows by name, and a request that `is_sent`
    /// and not answered.
    pub(super) fn leave_out(&mut self, is_sent: bool, goes_on: impl Fn(&str) -> bool) {
        if is_sent {
            self.lost.clear();
        }
        for row in &mut self.rows {
            if let Some(rental) = row.rental.as_mut().filter(|rental| rental.is_unfinished()) {
                rental.is_ready = goes_on(&row.name);
            }
        }
    }

    /// Keeps only the rows that `wanted` means: an id, a name, or the start of ids.
    pub(super) fn only(mut self, wanted: &str) -> Result<Self> {
        let exact: Vec<Row> =
            self.rows.iter().filter(|row| row.id == wanted || row.name == wanted).cloned().collect();
        let start = |row: &&Row| !wanted.is_empty() && row.id.starts_with(wanted);
        let found = if exact.is_empty() { self.rows.iter().filter(start).cloned().collect() } else { exact };
        if found.is_empty() {
            let names = self.rows.iter().flat_map(|row| [row.name.as_str(), row.id.as_str()]);
            let shown = |row: &Row| {
                let id =
                    if row.id == row.name { String::new() } else { format!(" ({})", printable(&row.id)) };
                printable(&row.name).into_owned() + &id
            };
            let listing = suggest::listing(self.rows.iter().map(shown));
            return Err(suggest::unknown_instance(wanted, names, &listing));
        }
        self.rows = found;
        Ok(self)
    }

    /// Returns true if a provider failed and has no cached data.
    pub(super) fn is_blind(&self) -> bool {
        self.sources.iter().any(|source| source.error.is_some() && source.taken.is_none())
    }

    /// Returns the age of a provider's cached answer, for people.
    pub(super) fn age(&self, source: &Source) -> Option<String> {
        Some(span(self.now.saturating_sub(source.taken?)))
    }

    /// Returns the problems as lines for stderr.
    pub(super) fn remarks(&self) -> Vec<String> {
        // Without any other provider, there is nothing to wait for.
        if self.rows.is_empty() && self.sources.is_empty() {
            return vec![format!("{} run 'soong configure'\n", hint_label())];
        }
        let ledger = self.ledger_fault.iter().map(remark);
        let sources = self.sources.iter().filter_map(|source| source.error.as_deref()).map(remark);
        let lost = self.lost.iter().map(|(name, asked)| self.unknown_outcome(name, *asked));
        ledger
            .chain(sources)
            .chain(self.rows.iter().filter_map(|row| self.unfinished(row)))
            .chain(lost)
            .collect()
    }

    /// Returns the line about a launch that was cut short before the tunnel was up.
    fn unfinished(&self, row: &Row) -> Option<String> {
        let rental = row.rental.filter(Rental::is_unfinished)?;
        let living = matches!(row.status, Status::Booting | Status::Active | Status::Unknown);
        let age = self.now.saturating_sub(rental.so_far.from);
        if row.tunnel.is_some() || !living || age > UNFINISHED {
            return None;
        }
        let (name, age) = (printable(&row.name), span(age));
        let word = shell_words::quote(&row.name);
        Some(format!(
            "soong-status: {name} was launched {age} ago and has no tunnel\n{} start it: soong tunnel start {} --wait\n",
            hint_label(),
            printable(&word)
        ))
    }

    fn unknown_outcome(&self, name: &str, asked: u64) -> String {
        let (name, age) = (printable(name), span(self.now.saturating_sub(asked)));
        format!(
            "soong-status: the launch of {name}, {age} ago, has no outcome, and {name} is not listed yet\n{} look again: soong status\n",
            hint_label()
        )
    }
}

/// Returns an error with its hints.
fn remark(error: &Error) -> String {
    let mut text = format!("soong-status: {error}\n");
    for hint in error.hints() {
        text.push_str(&format!("{} {hint}\n", hint_label()));
    }
    text
}

/// Returns the row of a tunnel's instance; adds one if there is none.
fn row_of<'a>(rows: &'a mut Vec<Row>, state: &State) -> &'a mut Row {
    let known = rows.iter().position(|row| row.id == state.instance.id);
    let index = known.unwrap_or_else(|| {
        rows.push(Row::unlisted(state));
        rows.len() - 1
    });
    &mut rows[index]
}

impl From<crate::instances::inventory::Machine> for Row {
    fn from(machine: crate::instances::inventory::Machine) -> Self {
        Self {
            name: machine.unique_name(),
            id: machine.id,
            status: machine.status,
            host: machine.host,
            kind: machine.kind,
            region: machine.region,
            price_cents_per_hour: machine.price_cents_per_hour,
            provider: machine.provider,
            stale: machine.stale,
            rental: None,
            tunnel: None,
            facts: Facts::default(),
        }
    }
}

impl Row {
    fn unlisted(state: &State) -> Self {
        Self {
            name: state.instance.name.clone(),
            id: state.instance.id.clone(),
            status: Status::Unknown,
            host: Some(state.instance.host.clone()),
            kind: None,
            region: None,
            price_cents_per_hour: None,
            provider: None,
            stale: false,
            rental: None,
            tunnel: None,
            facts: Facts::default(),
        }
    }

    /// Adds the supervisor's data. The daemon's facts count while the tunnel can refresh them.
    fn merge(&mut self, running: &Running, state: State, doing: TunnelStatus) {
        self.tunnel = Some(Tunnel { pid: Some(running.supervisor.pid()), doing, ..Tunnel::from(&state) });
        let facts = state.daemon.unwrap_or_default();
        self.facts = if doing == TunnelStatus::Phase(Phase::Up) {
            facts
        } else {
            Facts { lease_end: facts.lease_end, ..Facts::default() }
        };
    }
}

impl From<&State> for Tunnel {
    fn from(state: &State) -> Self {
        Self {
            doing: TunnelStatus::Phase(state.phase),
            pid: None,
            last_error: state.last_error.clone(),
            forwards: state.forwards.iter().filter(|forward| forward.is_service()).cloned().collect(),
        }
    }
}
