//! What is said to a shell that asks how a command line could go on:
//!
//! ```text
//! start<TAB>Start a tunnel in the background
//! stop<TAB>Stop a tunnel
//! :4
//! ```
//!
//! A line per candidate, its description behind a tab where it has one, and a last line with the
//! sum of the [`Directive`]s, as cobra's programs answer (`ShellCompDirective`). A candidate stands
//! for the whole last word, `--port=` and all. Candidates need not begin with what was typed:
//! leaving out the others is the shell's business.

use std::ops::BitOr;

use crate::terminal::printable;

/// One way the last word could be written.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Candidate {
    /// The word, as the program would get it: not quoted.
    pub value: String,
    /// What it means, in a few words; empty for nothing.
    pub description: String,
}

impl Candidate {
    /// A candidate with a description, which may be empty.
    pub fn new(value: impl Into<String>, description: impl Into<String>) -> Self {
        Self { value: value.into(), description: description.into() }
    }
}

/// What else the shell should know; several are joined by `|`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Directive(u32);

impl Directive {
    /// Nothing.
    pub const NONE: Self = Self(0);
    /// There was an error; the candidates mean nothing.
    pub const ERROR: Self = Self(1);
    /// No space behind a word that was completed: it goes on.
    pub const NO_SPACE: Self = Self(2);
    /// Where no candidate fits, names of files do not either.
    pub const NO_FILES: Self = Self(4);
    /// soong's own, not cobra's: a part of the command line is a command line itself, for the
    /// shell to complete. The only candidate says from which word on, counted from 0; its
    /// description is what the first word of that command line stands for, where that is not the
    /// word itself. Only for shells; extensions cannot say it.
    pub const COMMAND: Self = Self(256);

    /// Whether all of `other` is part of this.
    pub fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// The sum that stands behind the colon.
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

/// How a command line could go on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answer {
    /// The words that fit, in the order in which they are worth showing.
    pub candidates: Vec<Candidate>,
    /// What else the shell should know.
    pub directive: Directive,
}

impl Answer {
    /// These words and no file names.
    pub fn words(candidates: Vec<Candidate>) -> Self {
        Self { candidates, directive: Directive::NO_FILES }
    }

    /// Nothing fits.
    pub fn nothing() -> Self {
        Self::words(Vec::new())
    }

    /// A file name is meant.
    pub fn files() -> Self {
        Self::default()
    }

    /// Nothing can be said.
    pub fn error() -> Self {
        Self { candidates: Vec::new(), directive: Directive::ERROR }
    }

    /// The rest of the line, from the word `index` on, is a command line of its own, whose first
    /// word stands for `name` if that is given.
    pub fn command(index: usize, name: Option<&str>) -> Self {
        let candidate = Candidate::new(index.to_string(), name.unwrap_or_default());
        Self { candidates: vec![candidate], directive: Directive::COMMAND }
    }

    /// The same answer for a last word that begins with `prefix`, which the candidates do not have.
    #[must_use]
    pub fn behind(mut self, prefix: &str) -> Self {
        for candidate in &mut self.candidates {
            candidate.value.insert_str(0, prefix);
        }
        self
    }

    /// The lines that are printed. Words that would act on a terminal or do not fit into a line are
    /// left out; in descriptions such characters are shown.
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

    /// Reads what a program printed; `None` if the last line is not a directive. Of the directives
    /// only cobra's first three are taken over. A program that says `_activeHelp_` says it to
    /// cobra's own scripts; such lines are passed over, as are words that would act on a terminal.
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

/// The candidate in one line of a program's answer.
fn candidate(line: &str) -> Option<Candidate> {
    let (value, description) = line.split_once('\t').unwrap_or((line, ""));
    let fits = is_plain(value) && !value.starts_with("_activeHelp_");
    fits.then(|| Candidate::new(value, printable(description.trim())))
}

/// Whether `value` can be put on a command line without surprises.
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
