//! Questions on the terminal.
//!
//! A signal takes effect after the terminal is restored, and so does Ctrl-C at a question. No file has been
//! changed by then.

use dialoguer::console::{Term, set_colors_enabled_stderr};
use dialoguer::theme::{ColorfulTheme, SimpleTheme, Theme};
use dialoguer::{Confirm, Input, Select};

use crate::error::{Error, Result};
use crate::system::hidden_line::HiddenLine;
use crate::system::signals::Watch;
use crate::terminal::keyboard::Keyboard;
use crate::terminal::{self, print_error};

/// Fault of an answer.
type Complaint = String;

/// Asks for a line of text; `check` returns its fault.
pub fn text(
    question: &str,
    default: Option<&str>,
    check: impl Fn(&str) -> std::result::Result<(), Complaint>,
) -> Result<String> {
    interact(|terminal, theme| {
        let mut input = Input::<String>::with_theme(theme)
            .with_prompt(question)
            .validate_with(|typed: &String| check(typed.trim()));
        if let Some(default) = default {
            input = input.default(default.to_owned());
        }
        input.interact_text_on(terminal)
    })
    .map(|typed| typed.trim().to_owned())
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

/// Asks for one of `options`; returns its index.
pub fn choice(question: &str, options: &[String]) -> Result<usize> {
    interact(|terminal, theme| {
        Select::with_theme(theme).with_prompt(question).items(options).default(0).interact_on(terminal)
    })
}

/// Asks a yes-or-no question.
pub fn confirm(question: &str, default: bool) -> Result<bool> {
    interact(|terminal, theme| {
        Confirm::with_theme(theme).with_prompt(question).default(default).interact_on(terminal)
    })
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
