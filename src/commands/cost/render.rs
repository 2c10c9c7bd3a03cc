//! The bill of a month: one line per stay of an instance, and the sum.

use console::{Alignment, measure_text_width, pad_str, truncate_str};
use jiff::tz::TimeZone;
use serde::Serialize;

use crate::command_line;
use crate::error::Result;
use crate::ledger::cost::{Cost, dollars};
use crate::ledger::month::Month;
use crate::ledger::{History, Stay};
use crate::system::time::{day_and_clock, span};
use crate::terminal::printable;

/// Version of the JSON format.
const API: u32 = 1;
/// Width of the table.
const WIDTH: usize = 80;
/// Space between two columns.
const GAP: &str = "  ";
/// Headings with the maximum widths of their columns. Names get the remaining width.
const COLUMNS: [(&str, usize); 6] =
    [("NAME", WIDTH), ("TYPE", 20), ("FROM", 11), ("TO", 11), ("TIME", 10), ("COST", 12)];
/// Minimum width of a name.
const NAME_SHOWN: usize = 8;

/// The costs of a month.
pub(super) struct Bill<'a> {
    month: Month,
    lines: Vec<(&'a Stay, Cost)>,
    total: u64,
    is_at_least: bool,
}

#[derive(Serialize)]
struct Document<'a> {
    api: u32,
    month: String,
    instances: Vec<Line<'a>>,
    total_cents: u64,
    at_least: bool,
}

#[derive(Serialize)]
struct Line<'a> {
    id: &'a str,
    name: Option<&'a str>,
    provider: &'a str,
    #[serde(rename = "type")]
    kind: Option<&'a str>,
    region: Option<&'a str>,
    from: u64,
    to: u64,
    running: bool,
    price_cents_per_hour: Option<u64>,
    cents: Option<u64>,
    at_least: bool,
}

impl<'a> Bill<'a> {
    pub fn new(history: &'a History, month: Month, zone: &TimeZone, now: u64) -> Self {
        let period = month.bounds(zone);
        let mut lines = history.costs(period, now);
        lines.sort_by_key(|(_, cost)| cost.from);
        let total = history.spent(period, now);
        let is_at_least = lines.iter().any(|(_, cost)| cost.is_at_least);
        Self { month, lines, total, is_at_least }
    }

    /// Renders one line of JSON.
    pub fn json(&self) -> Result<String> {
        let line = |(stay, cost): &(&'a Stay, Cost)| Line {
            id: &stay.id,
            name: stay.name.as_deref(),
            provider: &stay.provider,
            kind: stay.kind.as_deref(),
            region: stay.region.as_deref(),
            from: cost.from,
            to: cost.to,
            running: stay.end.is_none(),
            price_cents_per_hour: stay.price_cents_per_hour,
            cents: cost.cents,
            at_least: cost.is_at_least,
        };
        let document = Document {
            api: API,
            month: self.month.to_string(),
            instances: self.lines.iter().map(line).collect(),
            total_cents: self.total,
            at_least: self.is_at_least,
        };
        command_line::json_line(&document)
    }

    /// Renders the table and the sum, compared with `budget`.
    pub fn table(&self, budget: Option<u64>, zone: &TimeZone) -> String {
        let mut text = String::new();
        if self.lines.is_empty() {
            text.push_str(&format!("No instances in {}\n", self.month));
        } else {
            let cells: Vec<[String; 6]> = self.lines.iter().map(|line| cells(line, zone)).collect();
            let widths = widths(&cells);
            text.push_str(&row(&COLUMNS.map(|(heading, _)| heading.to_owned()), &widths));
            for cells in &cells {
                text.push_str(&row(cells, &widths));
            }
            text.push_str(&format!("\n{}: {}\n", self.month, amount(self.total, self.is_at_least)));
        }
        if let Some(budget) = budget {
            let percent = u128::from(self.total) * 100 / u128::from(budget.max(1));
            text.push_str(&format!("{percent} % of the budget of {}\n", dollars(budget)));
        }
        text
    }
}

fn cells((stay, cost): &(&Stay, Cost), zone: &TimeZone) -> [String; 6] {
    let shown = |text: Option<&str>| printable(text.unwrap_or("-")).into_owned();
    [
        shown(Some(stay.name.as_deref().unwrap_or(&stay.id))),
        shown(stay.kind.as_deref()),
        day_and_clock(cost.from, zone),
        if stay.end.is_none() { "now".to_owned() } else { day_and_clock(cost.to, zone) },
        span(cost.to - cost.from),
        cost.cents.map_or("no price".to_owned(), |cents| amount(cents, cost.is_at_least)),
    ]
}

fn amount(cents: u64, is_at_least: bool) -> String {
    format!("{}{}", dollars(cents), if is_at_least { "+" } else { "" })
}

fn widths(cells: &[[String; 6]]) -> [usize; 6] {
    let mut widths: [usize; 6] = std::array::from_fn(|column| {
        let (heading, limit) = COLUMNS[column];
        let widest = cells.iter().map(|row| measure_text_width(&row[column])).max().unwrap_or_default();
        widest.max(heading.len()).min(limit)
    });
    let others: usize = widths[1..].iter().map(|width| width + GAP.len()).sum();
    widths[0] = widths[0].min(WIDTH.saturating_sub(others).max(NAME_SHOWN));
    widths
}

fn row(cells: &[String; 6], widths: &[usize; 6]) -> String {
    let padded: Vec<String> = cells
        .iter()
        .zip(widths)
        .enumerate()
        .map(|(column, (cell, width))| {
            let alignment = if column == 5 { Alignment::Right } else { Alignment::Left };
            pad_str(&truncate_str(cell, *width, "…"), *width, alignment, None).into_owned()
        })
        .collect();
    format!("{}\n", padded.join(GAP).trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::{Entry, Event};

    const NOON: u64 = 1_793_534_400; // 2026-11-01T12:00:00Z

    fn history(name: &str) -> History {
        let entry = |time, event, id: &str| Entry {
            kind: Some("gpu_1x_h100".into()),
            price_cents_per_hour: Some(249),
            ..Entry::new(time, event, "lambda").about(Some(id), Some(name))
        };
        let mut history = History::default();
        for entry in [
            entry(NOON, Event::Launched, "a"),
            entry(NOON + 5400, Event::Ended, "a"),
            entry(NOON + 7200, Event::Seen, "b"),
        ] {
            history.add(entry);
        }
        history
    }

    fn bill(history: &History, month: &str) -> String {
        let bill = Bill::new(history, month.parse().unwrap(), &TimeZone::UTC, NOON + 9000);
        bill.table(Some(20_000), &TimeZone::UTC)
    }

    #[test]
    fn a_line_per_stay_and_the_sum() {
        assert_eq!(
            bill(&history("dev"), "2026-11"),
            "NAME  TYPE         FROM         TO           TIME        COST\n\
             dev   gpu_1x_h100  11-01 12:00  11-01 13:30  1 h 30 min  $3.74\n\
             dev   gpu_1x_h100  11-01 14:00  now          30 min      $1.25+\n\
             \n2026-11: $4.99+\n2 % of the budget of $200.00\n"
                .replace("$3.74", " $3.74")
                .replace("COST", "  COST")
        );
        assert_eq!(
            bill(&history("dev"), "2026-10"),
            "No instances in 2026-10\n0 % of the budget of $200.00\n"
        );
    }

    #[test]
    fn nothing_is_wider_than_80_columns_and_nothing_reaches_the_terminal_raw() {
        let text = bill(&history(&"größer\u{1b}[31m".repeat(30)), "2026-11");
        assert!(text.lines().all(|line| measure_text_width(line) <= WIDTH), "{text}");
        assert!(!text.contains('\u{1b}'), "{text}");
    }

    #[test]
    fn json_has_the_documented_fields() {
        let history = history("dev");
        let bill = Bill::new(&history, "2026-11".parse().unwrap(), &TimeZone::UTC, NOON + 9000);
        let json: serde_json::Value = serde_json::from_str(&bill.json().unwrap()).unwrap();
        assert_eq!((&json["api"], &json["month"]), (&1.into(), &"2026-11".into()));
        assert_eq!((&json["total_cents"], &json["at_least"]), (&499.into(), &true.into()));
        let [first, second] = json["instances"].as_array().unwrap().as_slice() else { panic!("{json}") };
        assert_eq!(
            (&first["id"], &first["name"], &first["type"]),
            (&"a".into(), &"dev".into(), &"gpu_1x_h100".into())
        );
        assert_eq!(
            (&first["from"], &first["to"], &first["cents"]),
            (&NOON.into(), &(NOON + 5400).into(), &374.into())
        );
        assert_eq!((&first["at_least"], &second["at_least"]), (&false.into(), &true.into()));
        assert_eq!((&first["running"], &second["running"]), (&false.into(), &true.into()));
    }
}
