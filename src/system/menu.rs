//! Menu in a terminal.
//!
//! dialoguer and indicatif share `console`; inquire would bring a second terminal library. dialoguer leaves
//! Ctrl-C to its caller while the cursor is hidden; the caller's [`Watch`] delays the signal until the cursor
//! is back.

use dialoguer::Select;
use dialoguer::console::{Term, set_colors_enabled_stderr, truncate_str};
use dialoguer::theme::{ColorfulTheme, SimpleTheme, Theme};

use crate::error::{Error, Result};
use crate::system::signals::Watch;
use crate::terminal;
use crate::terminal::keyboard::Keyboard;

/// Columns before an entry: the mark of the selected one.
const MARK_WIDTH: usize = 4;

/// Asks `question` on the terminal and returns the index of the chosen entry. `entries` are lines of printable text,
/// and are cut at the width of the terminal. `what` names an entry in errors.
pub fn choose(question: &str, what: &str, entries: &[String], watch: &Watch) -> Result<usize> {
    let cannot_ask = |source| Error::cannot("show the menu", source);
    let terminal = Term::stderr();
    let width = usize::from(terminal.size().1).saturating_sub(MARK_WIDTH).max(20);
    let entries: Vec<String> =
        entries.iter().map(|entry| truncate_str(entry, width, "…").into_owned()).collect();
    let (plain, colourful) = (SimpleTheme, ColorfulTheme::default());
    let colours = terminal::colours_stderr();
    set_colors_enabled_stderr(colours);
    let theme: &dyn Theme = if colours { &colourful } else { &plain };
    let keyboard = Keyboard::take().map_err(cannot_ask)?;
    let picked = Select::with_theme(theme)
        .with_prompt(question)
        .items(&entries)
        .default(0)
        .report(false)
        .interact_on_opt(&terminal);
    // dialoguer hides it, and shows it again only after an answer.
    let _ = terminal.show_cursor();
    drop(keyboard);
    match picked {
        Ok(Some(index)) => Ok(index),
        Ok(None) => Err(Error::failed(format!("no {what} chosen"))),
        Err(_) if watch.interrupted() => Err(Error::interrupted()),
        Err(dialoguer::Error::IO(source)) => Err(cannot_ask(source)),
    }
}

/// Returns one line per row, its cells in columns. Columns without content are left out.
pub fn columns<const N: usize>(rows: &[[String; N]]) -> Vec<String> {
    let mut widths = [0; N];
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let line = |row: &[String; N]| -> String {
        let padded = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}"));
        let columns: Vec<String> = padded.filter(|cell| !cell.is_empty()).collect();
        columns.join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}
