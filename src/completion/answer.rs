//! Answers to completion requests:
//!
//! ```text
//! start<TAB>Start a tunnel in the background
//! stop<TAB>Stop a tunnel
//! :4
//! ```
//!
//! One line per candidate, with its description after a tab, and a last line with the sum of the
//! [`Directive`]s, as in cobra (`ShellCompDirective`). A candidate replaces the whole last word, including
//! `--port=`. It need not begin with the typed text: the shell filters.

use std::ops::BitOr;

use crate::terminal::printable;

/// A candidate for the last word.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Candidate {
    /// The word as the program would receive it, unquoted.
    pub value: String,
    /// Description; may be empty.
    pub description: String,
}

impl Candidate {
    /// Returns a candidate with a description, which may be empty.
    pub fn new(value: impl Into<String>, description: impl Into<String>) -> Self {
        Self { value: value.into(), description: description.into() }
    }
}

/// Instructions to the shell; combined with `|`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Directive(u32);

impl Directive {
    /// No instruction.
    pub const NONE: Self = Self(0);
    /// An error occurred; ignore the candidates.
    pub const ERROR: Self = Self(1);
    /// Add no space after the completed word.
    pub const NO_SPACE: Self = Self(2);
    /// Offer no file names if no candidate matches.
    pub const NO_FILES: Self = Self(4);
    /// Ours, not cobra's: part of the command line is a command line of its own, for the shell to complete.
    /// The only candidate gives the index of its first word, counted from 0; its description is the command
    /// that the first word stands for, if it is an alias. Extensions cannot use it.
    pub const COMMAND: Self = Self(256);

    /// Returns true if `self` includes all of `other`.
    pub fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Returns the number after the colon.
    pub fn bits(self) -> u32 {
        self.0
    }
}

impl BitOr for Directive {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// Answer to a completion request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answer {
    /// Candidates, in the order in which to show them.
    pub candidates: Vec<Candidate>,
    /// Instructions to the shell.
    pub directive: Directive,
}

impl Answer {
    /// Offers these candidates and no file names.
    pub fn words(candidates: Vec<Candidate>) -> Self {
        Self { candidates, directive: Directive::NO_FILES }
    }

    /// Offers nothing.
    pub fn nothing() -> Self {
        Self::words(Vec::new())
    }

    /// Offers file names.
    pub fn files() -> Self {
        Self::default()
    }

    /// Reports an error.
    pub fn error() -> Self {
        Self { candidates: Vec::new(), directive: Directive::ERROR }
    }

    /// Hands the words from `index` on to the shell as a command line; `name` replaces its first word.
    pub fn command(index: usize, name: Option<&str>) -> Self {
        let candidate = Candidate::new(index.to_string(), name.unwrap_or_default());
        Self { candidates: vec![candidate], directive: Directive::COMMAND }
    }

    /// Returns the answer with `prefix` put before every candidate.
    #[must_use]
    pub fn behind(mut self, prefix: &str) -> Self {
        for candidate in &mut self.candidates {
            candidate.value.insert_str(0, prefix);
        }
        self
    }

    /// Returns the lines to print. Leaves out candidates with control characters; escapes those in
    /// descriptions.
    pub fn render(&self) -> String {
        let mut text = String::new();
        for candidate in self.candidates.iter().filter(|candidate| is_plain(&candidate.value)) {
            text.push_str(&candidate.value);
            if !candidate.description.is_empty() {
                text.push('\t');
                text.push_str(&printable(&candidate.description));
            }
            text.push('\n');
        }
        text.push_str(&format!(":{}\n", self.directive.0));
        text
    }

    /// Parses a program's output; `None` if the last line is not a directive. Only cobra's first three
    /// directives count. `_activeHelp_` lines, which are for cobra's own scripts, and words with control
    /// characters are skipped.
    pub fn parse(text: &str) -> Option<Self> {
        const KNOWN: u32 = Directive::ERROR.0 | Directive::NO_SPACE.0 | Directive::NO_FILES.0;
        let (lines, last) = match text.trim_end().rsplit_once('\n') {
            Some(parts) => parts,
            None => ("", text.trim_end()),
        };
        let bits: u32 = last.strip_prefix(':')?.parse().ok()?;
        let candidates = lines.lines().filter_map(candidate).collect();
        Some(Self { candidates, directive: Directive(bits & KNOWN) })
    }
}

/// Parses one line of a program's output.
fn candidate(line: &str) -> Option<Candidate> {
    let (value, description) = line.split_once('\t').unwrap_or((line, ""));
    let fits = is_plain(value) && !value.starts_with("_activeHelp_");
    fits.then(|| Candidate::new(value, printable(description.trim())))
}

/// Returns true if `value` is safe on a command line.
fn is_plain(value: &str) -> bool {
    !value.is_empty() && printable(value) == value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_lines_and_a_directive() {
        let answer = Answer::words(vec![Candidate::new("start", "Start it"), Candidate::new("a b", "")]);
        assert_eq!(answer.render(), "start\tStart it\na b\n:4\n");
        assert_eq!(Answer::parse(&answer.render()), Some(answer));
        assert_eq!(Answer::nothing().render(), ":4\n");
        assert_eq!(Answer::parse(":0\n"), Some(Answer::files()));
        assert_eq!(Answer::command(3, None).render(), "3\n:256\n");
        assert_eq!(Answer::command(1, Some("soong-x")).render(), "1\tsoong-x\n:256\n");
    }

    #[test]
    fn what_would_act_on_a_terminal_is_left_out_or_shown() {
        let hostile = ["", "a\nb", "a\tb", "\u{1b}[2J", "\u{202e}x"].map(|value| Candidate::new(value, "x"));
        let answer = Answer::words([hostile.as_slice(), &[Candidate::new("ok", "a\tb\n\u{7}")]].concat());
        assert_eq!(answer.render(), "ok\ta\\tb\\n\\u{7}\n:4\n");
        let answer = Answer::parse("\u{1b}]0;x\u{7}\nok\t\u{1b}[2Jx\n:4\n").unwrap();
        assert_eq!(answer.candidates, [Candidate::new("ok", "\\u{1b}[2Jx")]);
    }

    #[test]
    fn of_foreign_answers_only_what_is_known_is_taken() {
        let answer = Answer::parse("a\tfirst\n_activeHelp_ try\n\nb\n:38\n").unwrap();
        assert_eq!(answer.candidates, [Candidate::new("a", "first"), Candidate::new("b", "")]);
        assert_eq!(answer.directive, Directive::NO_SPACE | Directive::NO_FILES);
        assert_eq!(Answer::parse("1\n:256\n").unwrap().directive, Directive::NONE);
        for text in ["", "a\nb\n", "a\n:\n", "a\n:x\n", "a\n:-1\n", ":4\nmore\n"] {
            assert_eq!(Answer::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn candidates_can_be_put_behind_the_name_of_an_option() {
        let answer = Answer::words(vec![Candidate::new("dev", "x")]).behind("--instance-id=");
        assert_eq!(answer.candidates[0].value, "--instance-id=dev");
    }
}
