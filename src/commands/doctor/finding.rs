//! Results of checks, and where they go: lines, JSON or a report.

use std::time::Duration;

use owo_colors::OwoColorize as _;
use serde::{Serialize, Serializer};

use crate::command_line;
use crate::error::{Error, Result};
use crate::system::spinner::Spinner;
use crate::terminal::{self, print, printable};

/// Version of the JSON format.
const API: u32 = 1;

/// Result of one check.
#[derive(Debug, Serialize)]
pub(super) struct Finding {
    /// Subject in one or two words.
    check: &'static str,
    #[serde(rename = "state")]
    verdict: Verdict,
    /// The fault, or what was found instead of one. Unchecked text.
    text: String,
    /// Ways to fix it, best first.
    fixes: Vec<Fix>,
    /// Time that it took, if that says something.
    milliseconds: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Verdict {
    Ok,
    Warning,
    Failed,
}

/// A way to fix a fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fix {
    /// Words for the user.
    Advice(String),
    /// A command that `--fix` can run.
    Command(Vec<String>),
}

impl Finding {
    /// Returns the result of a check that found nothing wrong.
    pub(super) fn ok(check: &'static str, text: impl Into<String>) -> Self {
        Self::new(check, Verdict::Ok, text)
    }

    /// Returns a fault that does not prevent a tunnel.
    pub(super) fn warning(check: &'static str, text: impl Into<String>) -> Self {
        Self::new(check, Verdict::Warning, text)
    }

    /// Returns a fault that prevents a tunnel, or a part of it.
    pub(super) fn failed(check: &'static str, text: impl Into<String>) -> Self {
        Self::new(check, Verdict::Failed, text)
    }

    /// Returns the fault that `error` describes, with its hints.
    pub(super) fn error(check: &'static str, error: &Error) -> Self {
        let finding = Self::failed(check, error.to_string());
        error.hints().into_iter().fold(finding, Self::advice)
    }

    fn new(check: &'static str, verdict: Verdict, text: impl Into<String>) -> Self {
        Self { check, verdict, text: text.into(), fixes: Vec::new(), milliseconds: None }
    }

    /// Adds words about a fix.
    pub(super) fn advice(mut self, text: impl Into<String>) -> Self {
        self.fixes.push(Fix::Advice(text.into()));
        self
    }

    /// Adds a command that fixes it.
    pub(super) fn command<W: Into<String>>(mut self, words: impl IntoIterator<Item = W>) -> Self {
        self.fixes.push(Fix::Command(words.into_iter().map(Into::into).collect()));
        self
    }

    /// Adds the time that the check took.
    pub(super) fn took(mut self, time: Duration) -> Self {
        self.milliseconds = u64::try_from(time.as_millis()).ok();
        self
    }

    /// Returns true unless something prevents a tunnel.
    pub(super) fn passes(&self) -> bool {
        self.verdict != Verdict::Failed
    }

    /// Returns the lines for a terminal.
    fn lines(&self, colours: bool) -> String {
        let word = match self.verdict {
            Verdict::Ok => "ok     ",
            Verdict::Warning => "warning",
            Verdict::Failed => "failed ",
        };
        let word = match self.verdict {
            _ if !colours => word.to_owned(),
            Verdict::Ok => word.green().to_string(),
            Verdict::Warning => word.yellow().to_string(),
            Verdict::Failed => word.red().to_string(),
        };
        let took = self.milliseconds.map(|took| format!(" ({})", shown(took))).unwrap_or_default();
        let mut lines = format!("{word}  {}: {}{took}\n", self.check, printable(&self.text));
        for fix in &self.fixes {
            lines.push_str(&format!("           fix: {}\n", printable(&fix.text())));
        }
        lines
    }
}

impl Fix {
    /// Returns the words, or the command quoted for a shell.
    fn text(&self) -> String {
        match self {
            Self::Advice(text) => text.clone(),
            Self::Command(words) => shell_words::join(words),
        }
    }
}

impl Serialize for Fix {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text())
    }
}

/// Results of all checks so far. Shows each at once, unless a report or JSON was requested.
#[derive(Debug)]
pub(super) struct Findings {
    all: Vec<Finding>,
    shows: bool,
}

/// JSON document.
#[derive(Serialize)]
struct Document<'a> {
    api: u32,
    ok: bool,
    checks: &'a [Finding],
}

impl Findings {
    /// Returns an empty list; `shows` prints each result when it is added.
    pub(super) fn new(shows: bool) -> Self {
        Self { all: Vec::new(), shows }
    }

    /// Adds a result and shows it. Returns true unless it prevents a tunnel.
    pub(super) fn add(&mut self, finding: Finding) -> bool {
        if self.shows {
            // A terminal that is gone does not change what is found.
            let _ = print(&finding.lines(terminal::colours_stdout()));
        }
        let passes = finding.passes();
        self.all.push(finding);
        passes
    }

    /// Runs a check that may take time, with a spinner.
    pub(super) fn wait<T>(&self, message: &str, check: impl FnOnce() -> T) -> T {
        let _spinner = if self.shows { Spinner::new(message) } else { Spinner::hidden() };
        check()
    }

    /// Returns true if nothing prevents a tunnel.
    pub(super) fn pass(&self) -> bool {
        self.all.iter().all(Finding::passes)
    }

    /// Returns the commands that fix what was found.
    pub(super) fn commands(&self) -> Vec<Vec<String>> {
        let fixes = self.all.iter().filter(|finding| finding.verdict != Verdict::Ok);
        let mut commands: Vec<Vec<String>> = Vec::new();
        for fix in fixes.flat_map(|finding| &finding.fixes) {
            if let Fix::Command(words) = fix
                && !commands.contains(words)
            {
                commands.push(words.clone());
            }
        }
        commands
    }

    /// Returns everything as a line of JSON.
    pub(super) fn json(&self) -> Result<String> {
        let document = Document { api: API, ok: self.pass(), checks: &self.all };
        command_line::json_line(&document)
    }

    /// Returns everything as text without colour.
    pub(super) fn text(&self) -> String {
        self.all.iter().map(|finding| finding.lines(false)).collect()
    }
}

/// Returns a time in milliseconds in words: `34 ms`, `1.2 s`.
fn shown(milliseconds: u64) -> String {
    match milliseconds {
        ..1000 => format!("{milliseconds} ms"),
        _ => format!("{}.{} s", milliseconds / 1000, milliseconds % 1000 / 100),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_what_was_found_and_how_to_fix_it() {
        let finding = Finding::failed("key", "\u{1b}[2J can be read by other users")
            .command(["chmod", "600", "/a b"])
            .took(Duration::from_millis(1250));
        assert_eq!(
            finding.lines(false),
            "failed   key: \\u{1b}[2J can be read by other users (1.2 s)\n           fix: chmod 600 '/a b'\n"
        );
    }

    #[test]
    fn only_a_failure_counts_and_a_command_is_offered_once() {
        let mut findings = Findings::new(false);
        findings.add(Finding::ok("a", "b").command(["not", "needed"]));
        findings.add(Finding::warning("a", "b").command(["x"]).advice("y"));
        assert!(findings.pass());
        findings.add(Finding::failed("a", "b").command(["x"]).command(["z"]));
        assert!(!findings.pass());
        assert_eq!(findings.commands(), [["x"], ["z"]]);
    }
}
