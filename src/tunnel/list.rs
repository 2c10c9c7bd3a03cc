//! `soong tunnel list`: every tunnel on a line.

use super::arguments::ListArguments;
use super::extras;
use super::status;
use crate::error::{Error, Result};
use crate::paths::Paths;
use crate::runtime::registry::{self, Survey};
use crate::runtime::state::{Phase, State};
use crate::term::{print, print_error, printable};

const HEAD: [&str; 3] = ["NAME", "STATE", "PORTS"];

/// Lists the tunnels that run, and those that gave up.
pub fn list(arguments: &ListArguments, paths: &Paths) -> Result<()> {
    let survey = registry::survey(paths)?;
    if arguments.json {
        return print(&status::json(survey)?).map_err(Error::output);
    }
    let rows = rows(&survey);
    if rows.is_empty() {
        print_error("soong-tunnel: there is no tunnel\n");
        return Ok(());
    }
    print(&table(&rows)).map_err(Error::output)
}

type Row = [String; 3];

fn rows(survey: &Survey) -> Vec<Row> {
    let running = survey.running.iter().map(|running| match &running.state {
        Some(state) => row(state),
        None => [running.shown_name(), status::doing(Phase::Starting).to_owned(), String::new()],
    });
    running
        .chain(survey.failed.iter().map(|state| {
            let [name, _, _] = row(state);
            [name, "failed".to_owned(), String::new()]
        }))
        .collect()
}

fn row(state: &State) -> Row {
    let services = state.forwards.iter().map(|forward| format!("{}:{}", forward.service, forward.local));
    let extras = state.extra.iter().map(|extra| extras::short(&extra.forwarding));
    let ports: Vec<String> = services.chain(extras).collect();
    [printable(&state.instance.name).into_owned(), status::doing(state.phase).to_owned(), ports.join(" ")]
}

/// Columns as wide as what they hold.
fn table(rows: &[Row]) -> String {
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].as_str()).chain([HEAD[column]]);
        cells.map(console::measure_text_width).max().unwrap_or_default()
    };
    let widths = [width(0), width(1)];
    let head = HEAD.map(str::to_owned);
    let lines = std::iter::once(&head).chain(rows).map(|row| {
        let pad = |column: usize| " ".repeat(widths[column] - console::measure_text_width(&row[column]));
        let line = format!("{}{}  {}{}  {}", row[0], pad(0), row[1], pad(1), row[2]);
        format!("{}\n", line.trim_end())
    });
    lines.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_what_they_hold() {
        let row = |cells: [&str; 3]| cells.map(str::to_owned);
        let rows = [row(["größer", "running", "sglang:8000 n8n:5678"]), row(["a", "reconnecting", ""])];
        assert_eq!(
            table(&rows),
            "NAME    STATE         PORTS\ngrößer  running       sglang:8000 n8n:5678\na       reconnecting\n"
        );
    }
}
