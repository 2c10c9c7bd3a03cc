//! Menu of machines, in a terminal.
//!
//! dialoguer and indicatif share `console`; inquire would bring a second terminal library. dialoguer leaves
//! Ctrl-C to its caller while the cursor is hidden; the caller's [`Watch`] delays the signal until the cursor
//! is back.

use dialoguer::Select;
use dialoguer::console::{Term, set_colors_enabled_stderr, truncate_str};
use dialoguer::theme::{ColorfulTheme, SimpleTheme, Theme};

use super::machine::Machine;
use crate::error::{Error, Result};
use crate::system::signals::Watch;
use crate::terminal::keyboard::Keyboard;
use crate::terminal::{self, printable};

/// Columns before an entry: the mark of the selected one.
const MARK_WIDTH: usize = 4;

/// Asks on the terminal for one of `machines`; returns its index.
pub(super) fn pick(machines: &[&Machine], watch: &Watch) -> Result<usize> {
    let terminal = Term::stderr();
    let width = usize::from(terminal.size().1).saturating_sub(MARK_WIDTH).max(20);
    let entries: Vec<String> =
        rows(machines).iter().map(|row| truncate_str(row, width, "…").into_owned()).collect();
    let (plain, colourful) = (SimpleTheme, ColorfulTheme::default());
    let colours = terminal::colours_stderr();
    set_colors_enabled_stderr(colours);
    let theme: &dyn Theme = if colours { &colourful } else { &plain };
    let keyboard = Keyboard::take().map_err(cannot_ask)?;
    let picked = Select::with_theme(theme)
        .with_prompt("Which instance?")
        .items(&entries)
        .default(0)
        .report(false)
        .interact_on_opt(&terminal);
    // dialoguer hides it, and shows it again only after an answer.
    let _ = terminal.show_cursor();
    drop(keyboard);
    match picked {
        Ok(Some(index)) => Ok(index),
        Ok(None) => Err(Error::failed("no instance chosen")),
        Err(_) if watch.interrupted() => Err(Error::interrupted()),
        Err(dialoguer::Error::IO(source)) => Err(cannot_ask(source)),
    }
}

fn cannot_ask(source: std::io::Error) -> Error {
    Error::cannot("show the menu of instances", source)
}

/// Returns one line per machine, in columns.
fn rows(machines: &[&Machine]) -> Vec<String> {
    let cells: Vec<[String; 5]> = machines.iter().map(|machine| cells(machine)).collect();
    let mut widths = [0; 5];
    for row in &cells {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let line = |row: &[String; 5]| -> String {
        let padded = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}"));
        let columns: Vec<String> = padded.filter(|cell| !cell.is_empty()).collect();
        columns.join("  ").trim_end().to_owned()
    };
    cells.iter().map(line).collect()
}

fn cells(machine: &Machine) -> [String; 5] {
    const ID_SHOWN: usize = 8;
    const NAME_SHOWN: usize = 24;
    let shown = |text: Option<&String>| text.map_or_else(String::new, |text| printable(text).into_owned());
    let id: String = machine.id.chars().take(ID_SHOWN).collect();
    let status = if machine.provider.is_none() { "configured" } else { machine.status.word() };
    [
        truncate_str(&printable(&machine.name), NAME_SHOWN, "…").into_owned(),
        if machine.id == machine.name { String::new() } else { printable(&id).into_owned() },
        status.to_owned(),
        shown(machine.host.as_ref()),
        shown(machine.kind.as_ref()),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::instance::Instance;

    #[test]
    fn rows_stand_in_columns_and_show_nothing_that_acts_on_a_terminal() {
        let machine = |name: &str, id: &str| {
            Machine::configured(&Instance {
                name: name.into(),
                id: id.into(),
                host: "192.0.2.1".into(),
                user: "u".into(),
                user_is_default: false,
                port: None,
                key: None,
            })
        };
        let (one, two) = (machine("dev", "0123456789ab"), machine("\u{1b}[2J", "b"));
        assert_eq!(
            rows(&[&one, &two]),
            ["dev        01234567  configured  192.0.2.1", "\\u{1b}[2J  b         configured  192.0.2.1"]
        );
    }
}
