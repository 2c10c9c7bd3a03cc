//! Terminal output: colour, escaping of foreign text, and writing to closed pipes. The only module that
//! decides about colour.

pub(crate) mod bytes;
pub(crate) mod keyboard;
mod printable;

use std::io::{self, BufRead, IsTerminal, Write};
use std::sync::OnceLock;

use owo_colors::OwoColorize;
use serde::{Deserialize, Serialize};

pub use self::printable::{excerpt, printable, printable_json};

/// Writes `text` to stdout. A closed pipe (`soong … | head -1`) is not an error.
pub fn print(text: &str) -> io::Result<()> {
    print_bytes(text.as_bytes())
}

/// Writes bytes to stdout, like [`print()`].
pub fn print_bytes(bytes: &[u8]) -> io::Result<()> {
    write_out(bytes).map(drop)
}

/// Writes `text` to stdout for callers that continue writing; returns false if the pipe is closed.
pub fn print_more(text: &str) -> io::Result<bool> {
    write_out(text.as_bytes())
}

fn write_out(bytes: &[u8]) -> io::Result<bool> {
    let mut out = io::stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        result => result.map(|()| true),
    }
}

/// Writes `text` to stderr and ignores failures.
pub fn print_error(text: &str) {
    let _ = io::stderr().lock().write_all(text.as_bytes());
}

/// Returns true if questions are possible: stderr and stdin are terminals.
pub fn is_interactive() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// When to use colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Colour {
    /// As the environment says, else on a terminal.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

impl Colour {
    /// Values of `--color`.
    pub const WORDS: [&'static str; 3] = ["auto", "always", "never"];

    /// Parses a value of `--color`.
    pub fn named(word: &str) -> Option<Self> {
        Some(match word {
            "auto" => Self::Auto,
            "always" => Self::Always,
            "never" => Self::Never,
            _ => return None,
        })
    }
}

/// Value of `--color`, if given.
static COLOUR: OnceLock<Colour> = OnceLock::new();

/// Stores the value of `--color` for this process. The first one counts.
pub fn set_colour(colour: Colour) {
    let _ = COLOUR.set(colour);
}

/// Stores the value also for programs that are executed from here. Call it before there is a second thread.
pub fn export_colour(colour: Colour) {
    set_colour(colour);
    // SAFETY: programs that call this have one thread.
    unsafe {
        match colour {
            Colour::Auto => {}
            Colour::Always => {
                std::env::remove_var("NO_COLOR");
                std::env::set_var("CLICOLOR_FORCE", "1");
            }
            Colour::Never => std::env::set_var("NO_COLOR", "1"),
        }
    }
}

/// Returns the value of `--color`.
pub fn chosen_colour() -> Colour {
    COLOUR.get().copied().unwrap_or(Colour::Auto)
}

/// Returns true if stderr gets colour.
pub fn colours_stderr() -> bool {
    ColourPreferences::of_user().colour(io::stderr().is_terminal())
}

/// Returns true if stdout gets colour.
pub fn colours_stdout() -> bool {
    ColourPreferences::of_user().colour(io::stdout().is_terminal())
}

/// Returns true if a prompt gets colour. It is printed for a shell, which shows it on its own terminal.
pub fn colours_prompt() -> bool {
    ColourPreferences { term: true, ..ColourPreferences::of_user() }.colour(true)
}

/// Asks a yes-or-no question; an empty answer means yes. Returns `None` without a terminal, or at end of
/// file.
pub fn confirm(question: &str) -> io::Result<Option<bool>> {
    confirm_with(question, true)
}

/// Asks a yes-or-no question; an empty answer means `default`.
pub fn confirm_with(question: &str, default: bool) -> io::Result<Option<bool>> {
    if !is_interactive() {
        return Ok(None);
    }
    loop {
        print_error(&prompt(question, default));
        let mut line = String::new();
        if io::stdin().lock().read_line(&mut line)? == 0 {
            print_error("\n");
            return Ok(None);
        }
        if let Some(answer) = answer(&line, default) {
            return Ok(Some(answer));
        }
    }
}

/// Returns the prompt of a yes-or-no question.
pub fn prompt(question: &str, default: bool) -> String {
    format!("{question} {} ", if default { "[Y/n]" } else { "[y/N]" })
}

/// Returns the answer in a typed line; an empty one means `default`. Returns `None` for another word.
pub fn answer(line: &str, default: bool) -> Option<bool> {
    match line.trim().to_ascii_lowercase().as_str() {
        "" => Some(default),
        "y" | "yes" => Some(true),
        "n" | "no" => Some(false),
        _ => None,
    }
}

/// Returns the label of a hint, coloured if stderr gets colour.
pub(crate) fn hint_label() -> String {
    if colours_stderr() { format!("{}", "hint:".cyan()) } else { "hint:".to_owned() }
}

/// The user's preferences about colour.
struct ColourPreferences {
    chosen: Colour,
    no_color: bool,
    force: bool,
    /// True if the terminal supports colour.
    term: bool,
}

impl ColourPreferences {
    fn of_user() -> Self {
        #[expect(clippy::disallowed_methods, reason = "this is the module that may")]
        let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
        Self {
            chosen: chosen_colour(),
            no_color: set("NO_COLOR").is_some(),
            force: set("CLICOLOR_FORCE").is_some_and(|value| value != "0"),
            term: set("TERM").is_some_and(|term| term != "dumb"),
        }
    }

    /// Returns true if a stream gets colour: `--color` first, then `NO_COLOR` (no-color.org), then
    /// `CLICOLOR_FORCE`, else a terminal that is not dumb.
    fn colour(&self, is_terminal: bool) -> bool {
        match self.chosen {
            Colour::Always => true,
            Colour::Never => false,
            Colour::Auto => !self.no_color && (self.force || is_terminal && self.term),
        }
    }
}

/// Returns the prompt setting `name` from the environment; may be empty.
pub fn prompt_setting(name: &str) -> Option<String> {
    #[expect(clippy::disallowed_methods, reason = "this is the module that may")]
    std::env::var(name).ok()
}

/// Returns true if the locale allows more than ASCII.
pub fn shows_unicode() -> bool {
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].iter().filter_map(|name| prompt_setting(name));
    let locale = locale.filter(|value| !value.is_empty()).map(|value| value.to_ascii_lowercase()).next();
    locale.is_some_and(|locale| locale.contains("utf-8") || locale.contains("utf8"))
}

/// Returns the user's editor as a command line.
pub fn editor() -> Option<String> {
    #[expect(clippy::disallowed_methods, reason = "this is the module that may")]
    let named = |name: &str| std::env::var(name).ok().filter(|value| !value.trim().is_empty());
    named("VISUAL").or_else(|| named("EDITOR"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_option_comes_before_the_environment_and_that_before_the_terminal() {
        use Colour::{Always, Auto, Never};
        for (chosen, no_color, force, term, is_terminal, expected) in [
            (Auto, false, false, true, true, true),
            (Auto, false, false, true, false, false),
            (Auto, false, false, false, true, false),
            (Auto, true, false, true, true, false),
            (Auto, false, true, false, false, true),
            (Auto, true, true, true, true, false),
            (Always, true, false, false, false, true),
            (Never, false, true, true, true, false),
        ] {
            let preferences = ColourPreferences { chosen, no_color, force, term };
            let of = format!("{chosen:?} {no_color} {force} {term} {is_terminal}");
            assert_eq!(preferences.colour(is_terminal), expected, "{of}");
        }
        assert!(Colour::WORDS.iter().all(|word| Colour::named(word).is_some()));
    }
}
