//! `soong tunnel list`.

use super::arguments::ListArguments;
use super::status::{self, Look};
use super::{choice, phase_text};
use crate::error::{Error, Result};
use crate::runtime::control::{Flow, Question};
use crate::runtime::forward::Forward;
use crate::runtime::liveness::TunnelStatus;
use crate::runtime::registry::{self, Survey};
use crate::runtime::state::State;
use crate::system::paths::Paths;
use crate::terminal::{bytes, hint_label, print, print_error, printable};

const HEAD: [&str; 6] = ["NAME", "STATE", "OPEN", "UP", "DOWN", "PORTS"];

/// Placeholder for an unknown number.
const UNKNOWN: &str = "-";

/// Lists running and failed tunnels.
pub fn list(arguments: &ListArguments, paths: &Paths) -> Result<()> {
    let wanted = arguments.which.wanted()?;
    let mut survey = registry::inquire(paths, Question::Traffic)?;
    let others = match wanted {
        Some(wanted) => choice::narrow(&mut survey, wanted, paths)?,
        None => None,
    };
    if arguments.json {
        return print(&status::json(survey)?).map_err(Error::output);
    }
    let Survey { running, failed, .. } = survey;
    let rows = rows(&status::look(running, false, Question::Traffic)?, &failed);
    if rows.is_empty() {
        print_error("soong-tunnel: no tunnels\n");
        if let Some(others) = others {
            print_error(&format!("{} {others}\n", hint_label()));
        }
        return Ok(());
    }
    print(&table(&rows)).map_err(Error::output)
}

type Row = [String; HEAD.len()];

fn rows(looks: &[Look], failed: &[State]) -> Vec<Row> {
    let failed = failed.iter().map(|state| {
        let name = printable(&state.instance.name).into_owned();
        row(name, "failed", None, String::new())
    });
    looks.iter().map(of_running).chain(failed).collect()
}

fn of_running(look: &Look) -> Row {
    let state = look.running.state.as_ref();
    let doing = match look.doing {
        TunnelStatus::Phase(phase) => phase_text::doing(phase),
        TunnelStatus::Unresponsive => "unresponsive",
    };
    let name = look.running.shown_name();
    row(name, doing, look.traffic.as_deref(), state.map(ports).unwrap_or_default())
}

fn row(name: String, doing: &str, flows: Option<&[Flow]>, ports: String) -> Row {
    let sum = |count: fn(&Flow) -> u64| flows.map(|flows| flows.iter().map(count).sum::<u64>());
    let shown = |sum: Option<u64>, show: fn(u64) -> String| sum.map_or_else(|| UNKNOWN.to_owned(), show);
    let open = shown(sum(|flow| flow.open), |open| open.to_string());
    let (up, down) = (sum(|flow| flow.sent), sum(|flow| flow.received));
    [name, doing.to_owned(), open, shown(up, bytes::human), shown(down, bytes::human), ports]
}

fn ports(state: &State) -> String {
    state.forwards.iter().map(Forward::short).collect::<Vec<_>>().join(" ")
}

/// Formats columns as wide as their content.
fn table(rows: &[Row]) -> String {
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].as_str()).chain([HEAD[column]]);
        cells.map(console::measure_text_width).max().unwrap_or_default()
    };
    let widths: [usize; HEAD.len()] = std::array::from_fn(width);
    let head = HEAD.map(str::to_owned);
    let lines = std::iter::once(&head).chain(rows).map(|row| {
        let cells = row.iter().zip(widths).map(|(cell, width)| {
            let pad = width - console::measure_text_width(cell);
            format!("{cell}{}", " ".repeat(pad))
        });
        let line = cells.collect::<Vec<_>>().join("  ");
        format!("{}\n", line.trim_end())
    });
    lines.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_what_they_hold() {
        let row = |cells: [&str; 6]| cells.map(str::to_owned);
        let rows = [
            row(["größer", "running", "3", "1.2 MB", "34 kB", "sglang:8000 n8n:5678"]),
            row(["a", "failed", "-", "-", "-", ""]),
        ];
        assert_eq!(
            table(&rows),
            "NAME    STATE    OPEN  UP      DOWN   PORTS\n\
             größer  running  3     1.2 MB  34 kB  sglang:8000 n8n:5678\n\
             a       failed   -     -       -\n"
        );
    }
}
