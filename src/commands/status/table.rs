//! The table of `soong status`: one row per instance, further facts below it, within 80 columns.

use console::{measure_text_width, pad_str, truncate_str};

use super::overview::{Overview, Rental, Row};
use crate::instances::inventory::Status;
use crate::ledger::cost::dollars;
use crate::runtime::liveness::TunnelStatus;
use crate::runtime::state::Phase;
use crate::system::time::{narrow_span, span};
use crate::terminal::printable;

/// Column headings with maximum widths. Names get the remaining width, ids what they need to be unique.
const COLUMNS: [(&str, usize); COUNT] = [
    ("NAME", WIDTH),
    ("ID", WIDTH),
    ("STATE", 12),
    ("ADDRESS", 15),
    ("TUNNEL", 12),
    ("LEASE", 10),
    ("UP", 6),
    ("$/H", 7),
    ("SO FAR", 10),
];
/// Number of columns.
const COUNT: usize = 9;
/// Place of the address, which moves below its row if the table is too wide.
const ADDRESS: usize = 3;
/// Places of the state and the tunnel, which are truncated if that is not enough.
const WORDS: [usize; 2] = [2, 4];
/// Width of a truncated word.
const WORD_SHOWN: usize = 8;
/// Place of the first column about money.
const MONEY: usize = 6;
/// Width of the table.
const WIDTH: usize = 80;
/// Space between two columns.
const GAP: &str = "  ";
/// Minimum width of a name, even if the table becomes wider.
const NAME_SHOWN: usize = 8;
/// Width of a name for which the address gives way.
const NAME_ENOUGH: usize = 16;
/// Minimum number of characters of an id.
const ID_SHOWN: usize = 8;

/// Renders the table.
pub(super) fn render(overview: &Overview) -> String {
    let mut text = String::new();
    if overview.rows.is_empty() {
        text.push_str("No instances\n");
    } else {
        let ids = Ids::new(&overview.rows);
        let cells: Vec<[String; COUNT]> =
            overview.rows.iter().map(|row| cells(overview.now, &ids, row)).collect();
        let has_costs =
            overview.rows.iter().any(|row| row.rental.is_some() || row.price_cents_per_hour.is_some());
        let widths = widths(&cells, has_costs);
        text.push_str(&line(&COLUMNS.map(|(heading, _)| heading.to_owned()), &widths));
        for (row, cells) in overview.rows.iter().zip(&cells) {
            text.push_str(&line(cells, &widths));
            text.push_str(&details(row, widths[ADDRESS]));
        }
    }
    for source in overview.sources.iter().filter(|source| source.error.is_some()) {
        let provider = printable(&source.provider);
        match overview.age(source) {
            Some(age) => {
                text.push_str(&format!("\n{provider}: provider unreachable; showing data from {age} ago\n"));
            }
            None => {
                text.push_str(&format!("\n{provider}: unreachable; no cached data\n"));
            }
        }
    }
    text
}

fn cells(now: u64, ids: &Ids<'_>, row: &Row) -> [String; COUNT] {
    let tunnel = row.tunnel.as_ref().map_or("-", |tunnel| doing(tunnel.doing));
    let lease = row.facts.lease_end.map_or_else(
        || "-".to_owned(),
        |end| match end.saturating_sub(now) {
            0 => "over".to_owned(),
            left => span(left),
        },
    );
    let state = match (row.status, row.stale) {
        (Status::Unknown, _) => "-".to_owned(),
        (status, true) => format!("{}?", status.word()),
        (status, false) => status.word().to_owned(),
    };
    // An instance without a name is listed under its id, which has its own column.
    let name = if row.name == row.id && row.provider.is_some() { "-" } else { &row.name };
    [
        printable(name).into_owned(),
        printable(ids.short(&row.id)).into_owned(),
        state,
        row.host.as_ref().map_or_else(|| "-".to_owned(), |host| printable(host).into_owned()),
        tunnel.to_owned(),
        lease,
        row.rental.map_or_else(dash, |rental| narrow_span(rental.so_far.to - rental.so_far.from)),
        row.price_cents_per_hour.map_or_else(dash, |cents| format!("{}.{:02}", cents / 100, cents % 100)),
        row.rental.map_or_else(dash, |rental| so_far(&rental)),
    ]
}

fn dash() -> String {
    "-".to_owned()
}

fn so_far(rental: &Rental) -> String {
    let mark = if rental.so_far.is_at_least { "+" } else { "" };
    rental.so_far.cents.map_or_else(dash, |cents| format!("{}{mark}", dollars(cents)))
}

/// All ids, sorted, so that similar ones are adjacent.
struct Ids<'a>(Vec<&'a str>);

impl<'a> Ids<'a> {
    fn new(rows: &'a [Row]) -> Self {
        let mut ids: Vec<&str> = rows.iter().map(|row| row.id.as_str()).collect();
        ids.sort_unstable();
        ids.dedup();
        Self(ids)
    }

    /// Returns the shortest unique start of `id`; the whole id if it is short.
    fn short<'b>(&self, id: &'b str) -> &'b str {
        let place = self.0.partition_point(|other| *other < id);
        let before = place.checked_sub(1).and_then(|before| self.0.get(before));
        let neighbours = before.into_iter().chain(self.0.get(place + 1));
        let shared = neighbours.map(|other| shared_start(id, other)).max().unwrap_or_default();
        let count = ID_SHOWN.max(shared + 1);
        id.char_indices().nth(count).map_or(id, |(end, _)| &id[..end])
    }
}

/// Returns the number of leading characters that `one` and `other` share.
fn shared_start(one: &str, other: &str) -> usize {
    one.chars().zip(other.chars()).take_while(|(one, other)| one == other).count()
}

fn doing(doing: TunnelStatus) -> &'static str {
    match doing {
        TunnelStatus::Phase(Phase::Idle) => "idle",
        TunnelStatus::Phase(Phase::Starting) => "starting",
        TunnelStatus::Phase(Phase::Up) => "up",
        TunnelStatus::Phase(Phase::Reconnecting) => "reconnecting",
        TunnelStatus::Phase(Phase::Failed) => "failed",
        TunnelStatus::Unresponsive => "unresponsive",
    }
}

/// Returns facts without a column: address, type, region, and the status daemon's. `address` is the width of
/// the column for addresses.
fn details(row: &Row, address: usize) -> String {
    let mut parts: Vec<String> = Vec::new();
    // Addresses that their column truncates, such as IPv6, or that have none.
    parts
        .extend(row.host.iter().filter(|host| host.len() > address).map(|host| printable(host).into_owned()));
    match (&row.kind, &row.region) {
        (Some(kind), Some(region)) => parts.push(format!("{} in {}", printable(kind), printable(region))),
        (Some(one), None) | (None, Some(one)) => parts.push(printable(one).into_owned()),
        (None, None) => {}
    }
    parts.extend(row.facts.gpu_load.map(|load| format!("GPU {load} %")));
    parts.extend(row.facts.model.as_ref().map(|model| printable(model).into_owned()));
    // An explanation says it as well.
    let idle = row.facts.idle_minutes.filter(|minutes| *minutes > 0 && row.facts.why.is_none());
    parts.extend(idle.map(|minutes| format!("idle for {}", span(minutes * 60))));
    let mut text = wrapped(&parts);
    if let Some(why) = &row.facts.why {
        text.push_str(&folded(&printable(why)));
    }
    if let Some(tunnel) = row.tunnel.as_ref().filter(|tunnel| tunnel.doing != TunnelStatus::Phase(Phase::Up))
        && let Some(error) = &tunnel.last_error
    {
        text.push_str(&format!("    {}\n", truncate_str(&printable(error), 76, "…")));
    }
    text
}

/// Returns `text` indented, in lines that fit.
fn folded(text: &str) -> String {
    const INDENT: &str = "    ";
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let word = truncate_str(word, WIDTH - INDENT.len(), "…");
        let line = lines.last().map_or(0, |line| measure_text_width(line));
        if line > 0 && line + 1 + measure_text_width(&word) + INDENT.len() > WIDTH {
            lines.push(String::new());
        }
        if let Some(line) = lines.last_mut() {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(&word);
        }
    }
    lines.iter().map(|line| format!("{INDENT}{line}\n")).collect()
}

/// Joins `parts` with commas in as many indented lines as needed.
fn wrapped(parts: &[String]) -> String {
    const INDENT: &str = "    ";
    let mut text = String::new();
    let mut current = String::new();
    for part in parts {
        let part = truncate_str(part, WIDTH - INDENT.len() - 1, "…");
        if !current.is_empty() && measure_text_width(&current) + part.len() + INDENT.len() + 3 > WIDTH {
            text.push_str(&format!("{INDENT}{current},\n"));
            current.clear();
        }
        let comma = if current.is_empty() { "" } else { ", " };
        current.push_str(&format!("{comma}{part}"));
    }
    if !current.is_empty() {
        text.push_str(&format!("{INDENT}{current}\n"));
    }
    text
}

/// Returns the widths of the columns; 0 hides one.
fn widths(cells: &[[String; COUNT]], has_costs: bool) -> [usize; COUNT] {
    let mut widths: [usize; COUNT] = std::array::from_fn(|column| {
        let (heading, limit) = COLUMNS[column];
        let widest = cells.iter().map(|row| measure_text_width(&row[column])).max().unwrap_or_default();
        if column >= MONEY && !has_costs { 0 } else { widest.max(heading.len()).min(limit) }
    });
    let others = |widths: &[usize; COUNT]| -> usize {
        widths[1..].iter().filter(|width| **width > 0).map(|width| width + GAP.len()).sum()
    };
    let is_too_wide = |widths: &[usize; COUNT]| others(widths) + widths[0].min(NAME_ENOUGH) > WIDTH;
    if has_costs && is_too_wide(&widths) {
        widths[ADDRESS] = 0;
    }
    if has_costs && is_too_wide(&widths) {
        for column in WORDS {
            widths[column] = widths[column].min(WORD_SHOWN);
        }
    }
    widths[0] = widths[0].min(WIDTH.saturating_sub(others(&widths)).max(NAME_SHOWN));
    widths
}

fn line(cells: &[String; COUNT], widths: &[usize; COUNT]) -> String {
    let padded: Vec<String> = cells
        .iter()
        .zip(widths)
        .filter(|(_, width)| **width > 0)
        .map(|(cell, width)| {
            let cell = truncate_str(cell, *width, "…");
            pad_str(&cell, *width, console::Alignment::Left, None).into_owned()
        })
        .collect();
    format!("{}\n", padded.join(GAP).trim_end())
}

#[cfg(test)]
mod tests;
