//! Completion of an extension's arguments by the extension itself, if it has opted in.
//!
//! An extension is executed only if it opted in, in a file that no other user can write, and only if no other
//! user can write the program. It gets a second or the configured time, limited memory for its answer, and
//! its own session without a terminal; processes that it leaves are ended. Any failure means no answer.

mod orphans;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use super::{alias, catalog, discovery};
use crate::built_in::is_built_in;
use crate::completion::{Answer, Candidate, Directive};
use crate::config::{Config, DEFAULT_COMPLETION_TIMEOUT};
use crate::extension::discovery::is_command;
use crate::extension::metadata::{Completion, Metadata, Origin};
use crate::system::child::{self, Limits};
use crate::system::paths::{self, Paths};
use crate::system::signals::Watch;
use crate::system::trust;

/// Longest answer, in bytes.
const OUTPUT_MAX: usize = 256 << 10;
/// Largest number of candidates.
const CANDIDATES_MAX: usize = 1000;
/// Cobra's directives whose candidates select files: by these endings, or directories.
const ABOUT_FILES: u32 = 8 | 16;

/// Returns the names after `soong` besides built-in commands, with summaries: extensions, then aliases.
pub fn names() -> Vec<Candidate> {
    let extensions = catalog::callable();
    let mut names: Vec<Candidate> =
        extensions.iter().map(|extension| Candidate::new(&extension.name, extension.summary())).collect();
    for (name, text) in aliases() {
        if !names.iter().any(|known| known.value == name) {
            names.push(Candidate::new(name, format!("alias of '{text}'")));
        }
    }
    names
}

/// Returns the words of the alias `name`; `None` if there is none, if it is hidden, or if it is a shell
/// command.
pub fn alias(name: &str) -> Option<Vec<String>> {
    if is_command(name) {
        return None;
    }
    let expansion = alias::expand(&aliases(), name, is_command).ok()??;
    expansion.shell.is_none().then_some(expansion.words)
}

fn aliases() -> BTreeMap<String, String> {
    config().map(|config| config.aliases).unwrap_or_default()
}

/// Returns the user's config; the default if it is invalid.
fn config() -> Option<Config> {
    Paths::from_env().and_then(|paths| Config::load(&paths)).ok()
}

/// Returns the answer after the extension `name`, for the words `before` and the incomplete `last`. `index`
/// is the position of the name on the command line, counted from 0. Offers file names if there is no such
/// extension.
pub fn complete(name: &str, before: &[&str], last: &str, index: usize) -> Answer {
    let Some(program) = discovery::find_extension(name) else { return Answer::files() };
    let metadata = Metadata::read(name, &program);
    match metadata.kind() {
        Completion::None => Answer::nothing(),
        // The shell would complete soong's own.
        Completion::Shell if is_built_in(name) => Answer::files(),
        Completion::Shell => Answer::command(index, Some(&format!("soong-{name}"))),
        kind if is_trusted(&program, &metadata) => query(kind, name, &program, before, last),
        _ => Answer::files(),
    }
}

/// Returns true if no other user could have written the program or its opt-in.
fn is_trusted(program: &Path, metadata: &Metadata) -> bool {
    let asked_for_in = match (metadata.completion, &metadata.sidecar) {
        (Some((_, Origin::Sidecar)), Some(sidecar)) => Some(sidecar.as_path()),
        _ => None,
    };
    [Some(program), asked_for_in].into_iter().flatten().all(|file| trust::fault(file).is_none())
}

fn query(kind: Completion, name: &str, program: &Path, before: &[&str], last: &str) -> Answer {
    let mut command = Command::new(program);
    command.env_remove("SOONG_COMPLETE").env_remove("COMPLETE").env("SOONG_API", "1");
    if let Some(directory) = paths::own_directory() {
        command.env("SOONG", directory.join("soong"));
    }
    match kind {
        Completion::Soong => command.env("SOONG_COMPLETE", "1"),
        Completion::Clap => command.env("COMPLETE", "fish").arg("--").arg(format!("soong-{name}")),
        _ => command.arg("__complete"),
    };
    command.args(before).arg(last);
    let Some(text) = output(&mut command) else { return Answer::nothing() };
    let mut answer = match kind {
        Completion::Clap => of_clap(&text, last),
        Completion::Cobra => of_cobra(&text, last),
        _ => of_soong(&text),
    };
    answer.candidates.truncate(CANDIDATES_MAX);
    answer
}

/// Returns the program's output, if it succeeds in time.
fn output(command: &mut Command) -> Option<String> {
    let time = config().map_or(DEFAULT_COMPLETION_TIMEOUT, |config| config.completion_timeout);
    let limits = Limits { time, output: OUTPUT_MAX };
    orphans::adopt();
    let outcome = Watch::new().ok().and_then(|watch| child::run(command, limits, &watch).ok());
    orphans::terminate();
    let outcome = outcome.filter(|outcome| outcome.status.success())?;
    Some(String::from_utf8_lossy(&outcome.stdout).into_owned())
}

/// Parses clap's answer for fish: words and descriptions alone. clap offers options before the user has begun
/// one; as with soong's own programs, those are left out.
fn of_clap(text: &str, last: &str) -> Answer {
    let mut candidates = Answer::parse(&format!("{text}\n:0\n")).unwrap_or_default().candidates;
    let is_option = |candidate: &Candidate| candidate.value.starts_with('-');
    if !last.starts_with('-') && !candidates.iter().all(is_option) {
        candidates.retain(|candidate| !is_option(candidate));
    }
    if candidates.is_empty() {
        return Answer::files();
    }
    let mut answer = Answer::words(candidates);
    if answer.candidates.iter().all(|candidate| candidate.value.ends_with(['/', '='])) {
        answer.directive = answer.directive | Directive::NO_SPACE;
    }
    answer
}

/// Parses cobra's answer: soong's own protocol, except that candidates after `--flag=` are values alone. As
/// in cobra's scripts, the flag is put before them.
fn of_cobra(text: &str, last: &str) -> Answer {
    let answer = of_soong(text);
    match last.split_once('=') {
        Some((flag, _)) if flag.starts_with('-') => answer.behind(&format!("{flag}=")),
        _ => answer,
    }
}

/// Parses an answer in soong's own protocol, which is cobra's.
fn of_soong(text: &str) -> Answer {
    let bits =
        text.trim_end().rsplit('\n').next().and_then(|last| last.strip_prefix(':')?.parse::<u32>().ok());
    match (Answer::parse(text), bits) {
        (_, Some(bits)) if bits & ABOUT_FILES != 0 => Answer::files(),
        (Some(answer), _) if !answer.directive.contains(Directive::ERROR) => answer,
        _ => Answer::nothing(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(answer: &Answer) -> Vec<&str> {
        answer.candidates.iter().map(|candidate| candidate.value.as_str()).collect()
    }

    #[test]
    fn what_clap_says_is_words() {
        let answer = of_clap("--shout\tIn capitals\n--help\n", "--");
        assert_eq!(answer.candidates[0], Candidate::new("--shout", "In capitals"));
        assert_eq!((values(&answer), answer.directive), (vec!["--shout", "--help"], Directive::NO_FILES));
        assert_eq!(of_clap("src/\n", "s").directive, Directive::NO_FILES | Directive::NO_SPACE);
        assert_eq!(of_clap("", ""), Answer::files());
        // Options are offered after a dash, or if nothing else can follow.
        assert_eq!(values(&of_clap("world\nmoon\n--shout\n", "")), ["world", "moon"]);
        assert_eq!(values(&of_clap("--shout\n", "")), ["--shout"]);
    }

    #[test]
    fn what_is_said_in_soongs_protocol_ends_with_a_directive() {
        assert_eq!(values(&of_soong("a\tx\nb\n:4\n")), ["a", "b"]);
        assert_eq!(of_soong("yaml\n:8\n"), Answer::files());
        assert_eq!(of_soong("a\n:1\n"), Answer::nothing());
        for rubbish in ["", "a\nb\n", "Usage: x\n", "\u{1b}[2J"] {
            assert_eq!(of_soong(rubbish), Answer::nothing(), "{rubbish}");
        }
    }

    #[test]
    fn what_cobra_says_of_a_flags_values_is_put_behind_the_flag() {
        let answer = of_cobra("json\tFor programs\nyaml\n:36\n", "--output=");
        assert_eq!(answer.candidates[0], Candidate::new("--output=json", "For programs"));
        assert_eq!((values(&answer)[1], answer.directive), ("--output=yaml", Directive::NO_FILES));
        assert_eq!(values(&of_cobra("a=b\n:4\n", "a=")), ["a=b"]);
        assert_eq!(values(&of_cobra("--output\n:4\n", "--o")), ["--output"]);
    }
}
