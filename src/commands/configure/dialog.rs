//! Questions on the terminal.
//!
//! A signal takes effect after the terminal is restored, and so does Ctrl-C at a question. No file has been
//! changed by then.

use dialoguer::console::{Term, set_colors_enabled_stderr};
use dialoguer::theme::{ColorfulTheme, SimpleTheme, Theme};
use dialoguer::{Input, Select};

use crate::error::{Error, Result};
use crate::system::hidden_line::HiddenLine;
use crate::system::question;
use crate::system::signals::Watch;
use crate::terminal::keyboard::Keyboard;
use crate::terminal::{self, print_error};

/// Fault of an answer.
type Complaint = String;

/// Answer to a question for text that goes back to the question before.
pub const BACK: &str = "<";

/// Asks for a line of text; `check` returns its fault. `None` goes back.
pub fn text(
    question: &str,
    default: Option<&str>,
    check: impl Fn(&str) -> std::result::Result<(), Complaint>,
) -> Result<Option<String>> {
    let typed = interact(|terminal, theme| {
        let mut input =
            Input::<String>::with_theme(theme).with_prompt(question).validate_with(|typed: &String| {
                if typed.trim() == BACK { Ok(()) } else { check(typed.trim()) }
            });
        if let Some(default) = default {
            input = input.default(default.to_owned());
        }
        input.interact_text_on(terminal)
    })?;
    Ok(Some(typed.trim().to_owned()).filter(|typed| typed != BACK))
}

/// Asks for text without showing it or its length.
pub fn secret(question: &str, check: impl Fn(&str) -> std::result::Result<(), Complaint>) -> Result<String> {
    loop {
        let watch = Watch::new()?;
        let line = HiddenLine { watch: &watch, withdrawn: None, shown: false };
        let typed = line.read(&format!("{question}: ")).map_err(|error| refusal(error, &watch))?;
        drop(watch);
        match check(typed.trim()) {
            Ok(()) => return Ok(typed.trim().to_owned()),
            Err(complaint) => print_error(&format!("{complaint}\n")),
        }
    }
}

/// Asks for one of `options`, with the cursor on `default` at first; returns its index. `None`, after Esc, goes back.
pub fn choice(question: &str, options: &[String], default: usize) -> Result<Option<usize>> {
    interact(|terminal, theme| {
        Select::with_theme(theme)
            .with_prompt(question)
            .items(options)
            .default(default)
            .interact_on_opt(terminal)
    })
}

/// Asks a yes-or-no question. `None` goes back.
pub fn confirm(question: &str, default: bool) -> Result<Option<bool>> {
    let watch = Watch::new()?;
    loop {
        let line = question::line(&question::prompt(question, default), &watch);
        let Some(line) = line.map_err(|error| refusal(error, &watch))? else {
            return Err(refusal(std::io::ErrorKind::UnexpectedEof.into(), &watch));
        };
        if line.trim() == BACK {
            return Ok(None);
        }
        if let Some(answer) = question::answer(&line, default) {
            return Ok(Some(answer));
        }
    }
}

fn interact<T>(question: impl FnOnce(&Term, &dyn Theme) -> dialoguer::Result<T>) -> Result<T> {
    let watch = Watch::new()?;
    let keyboard = Keyboard::take().map_err(|error| refusal(error, &watch))?;
    let terminal = Term::stderr();
    let (plain, colourful) = (SimpleTheme, ColorfulTheme::default());
    let colours = terminal::colours_stderr();
    set_colors_enabled_stderr(colours);
    let answer = question(&terminal, if colours { &colourful } else { &plain });
    // dialoguer hides it, and shows it again only after an answer.
    let _ = terminal.show_cursor();
    drop(keyboard);
    answer.map_err(|dialoguer::Error::IO(error)| refusal(error, &watch))
}

/// Returns the reason for a missing answer. If the watch has caught a signal, the program ends when the
/// caller drops it; this message is then the last.
fn refusal(source: std::io::Error, watch: &Watch) -> Error {
    if watch.interrupted() {
        print_error("\nNo changes.\n");
        return Error::interrupted();
    }
    if source.kind() == std::io::ErrorKind::UnexpectedEof {
        return Error::failed("no answer; no changes");
    }
    Error::cannot("ask", source)
}
