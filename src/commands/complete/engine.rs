//! clap_complete's engine, which finds what can stand at the cursor. [`super::values`] supplies the values.
//!
//! This module adds what the engine lacks:
//!
//! - The engine filters by the start of the word; shells filter by their users' settings. So the engine gets an empty
//!   last word, or `--option=`.
//! - It lists files itself and cannot delegate a command's completion. The shells do both.
//! - It offers options beside values, and options that were given already, which clap's parser knows.
//! - It offers an argument that stands only after `--` (`last`) before it, and takes options after the first word of
//!   a command (`trailing_var_arg`) for its own.
//! - It takes a value with the name of a subcommand for that subcommand.

use std::ffi::{OsStr, OsString};
use std::sync::Arc;

use clap::builder::StyledStr;
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command, ValueHint};
use clap_complete::engine::{self, ArgValueCompleter, CompletionCandidate};

use super::values::{self, Input};
use crate::completion::{Answer, Candidate, Directive, Values};

/// Ids of candidates that stand for more than their text.
const FILES: &str = "soong::files";
const COMMAND: &str = "soong::command";
const VALUE: &str = "soong::value";

/// Returns the candidates for `last` after the words `before`. `place` is the index of the first of `before`
/// on the command line.
pub(super) fn complete(definition: Command, before: &[&str], last: &str, place: usize) -> Answer {
    let stub = option_of(last);
    let is_joined = !stub.is_empty();
    let typed = Arc::new(Input::new(before, &last[stub.len()..]));
    let mut command = with_completers(definition, &typed, is_joined).ignore_errors(true);
    let mut words: Vec<OsString> = [&["soong"], before].concat().into_iter().map(OsString::from).collect();
    // No matches if the words ask for help or the version.
    let matches = command.try_get_matches_from_mut(&words).unwrap_or_default();
    if matches.subcommand().is_none() {
        disguise_values(&command, &mut words);
    }
    words.push(stub.into());
    let Ok(mut candidates) = engine::complete(&mut command, words, before.len() + 1, None) else {
        return Answer::nothing();
    };
    let (command, matches) = innermost(&command, &matches);
    candidates.retain(|candidate| {
        candidate.get_value().as_encoded_bytes().starts_with(stub.as_bytes())
            && !is_spent(candidate, command, matches)
    });
    let is_offered = !last.starts_with('-') && candidates.iter().any(|candidate| has_id(candidate, COMMAND));
    let is_name = |candidate: &CompletionCandidate| {
        !is_option(candidate)
            && shown(candidate).is_some_and(|it| !it.value.is_empty() && it.value.starts_with(last))
    };
    // The name of an instance may stand before a command.
    let may_be_name = is_offered && candidates.iter().any(is_name);
    if let Some(index) = start_of_command(command, matches, before, is_offered && !may_be_name, &typed) {
        return Answer::command(place + index, None);
    }
    choose(candidates, stub.is_empty() && last.starts_with('-'))
}

/// Returns only options, or only other candidates, if there are any of the wanted kind.
fn choose(mut candidates: Vec<CompletionCandidate>, wants_options: bool) -> Answer {
    let is_wanted = |candidate: &CompletionCandidate| is_option(candidate) == wants_options;
    if candidates.iter().any(is_wanted) {
        candidates.retain(is_wanted);
    }
    if candidates.iter().any(|candidate| has_id(candidate, FILES)) {
        return Answer::files();
    }
    candidates.retain(|candidate| !has_id(candidate, VALUE) && !has_id(candidate, COMMAND));
    let mut answer = Answer::words(candidates.iter().filter_map(shown).collect());
    let goes_on = |candidate: &Candidate| candidate.value.ends_with('=');
    if !answer.candidates.is_empty() && answer.candidates.iter().all(goes_on) {
        answer.directive = answer.directive | Directive::NO_SPACE;
    }
    answer
}

/// Returns `--option=` if its value is being typed in the same word.
fn option_of(last: &str) -> &str {
    let end = last.find('=').filter(|_| last.starts_with("--"));
    end.map_or("", |end| &last[..=end])
}

/// Gives each argument of `command` with values the completer of its kind. `is_joined` is true if the value at the
/// cursor stands behind `=`.
fn with_completers(command: Command, typed: &Arc<Input>, is_joined: bool) -> Command {
    let command = command.mut_subcommands(|below| with_completers(below, typed, is_joined));
    command.mut_args(|argument| {
        let has_choices = !argument.get_possible_values().is_empty();
        let is_elsewhere = argument.is_require_equals_set() && !is_joined;
        if !argument.get_action().takes_values() || has_choices || is_elsewhere {
            return argument;
        }
        let kind = argument.get::<Values>().copied();
        let hint = argument.get_value_hint();
        let is_mandatory = argument.get_num_args().is_none_or(|range| range.min_values() > 0);
        let typed = Arc::clone(typed);
        argument.add(ArgValueCompleter::new(move |_: &OsStr| {
            let answer = kind.map_or_else(Answer::nothing, |kind| values::of(kind, &typed));
            let mark = match hint {
                ValueHint::AnyPath | ValueHint::FilePath | ValueHint::DirPath => FILES,
                ValueHint::CommandWithArguments => COMMAND,
                _ if answer.directive.contains(Directive::NO_FILES) => VALUE,
                _ => FILES,
            };
            let mark = is_mandatory.then(|| CompletionCandidate::new("").id(Some(mark.to_owned())));
            let values = answer.candidates.into_iter().map(|candidate| {
                CompletionCandidate::new(candidate.value).help(Some(StyledStr::from(candidate.description)))
            });
            mark.into_iter().chain(values).collect()
        }))
    })
}

/// Replaces values of options that `command` would take for subcommands.
fn disguise_values(command: &Command, words: &mut [OsString]) {
    for index in 1..words.len() {
        let is_behind_option = words[index - 1].as_encoded_bytes().starts_with(b"-");
        if is_behind_option && command.find_subcommand(&words[index]).is_some() {
            words[index] = OsString::from("value");
        }
    }
}

/// The subcommand of the words, and the arguments given to it.
fn innermost<'a>(command: &'a Command, matches: &'a ArgMatches) -> (&'a Command, &'a ArgMatches) {
    match matches.subcommand().and_then(|(name, matches)| Some((command.find_subcommand(name)?, matches))) {
        Some((command, matches)) => innermost(command, matches),
        None => (command, matches),
    }
}

/// Returns true for an option that was given and allows no repetition.
fn is_spent(candidate: &CompletionCandidate, command: &Command, matches: &ArgMatches) -> bool {
    let id = candidate.get_id().and_then(|id| id.strip_prefix("arg::"));
    let argument = id.and_then(|id| command.get_arguments().find(|argument| argument.get_id() == id));
    argument.is_some_and(|argument| {
        let is_repeatable = matches!(argument.get_action(), ArgAction::Append | ArgAction::Count);
        !is_repeatable && is_given(argument, matches)
    })
}

fn is_given(argument: &Arg, matches: &ArgMatches) -> bool {
    let id = argument.get_id().as_str();
    matches.try_contains_id(id).is_ok() && matches.value_source(id) == Some(ValueSource::CommandLine)
}

/// Returns the index of the first word of the command line that an argument holds, if the cursor is in it.
fn start_of_command(
    command: &Command,
    matches: &ArgMatches,
    before: &[&str],
    is_offered: bool,
    typed: &Input,
) -> Option<usize> {
    let argument =
        command.get_positionals().find(|it| it.get_value_hint() == ValueHint::CommandWithArguments)?;
    let values = matches.try_get_raw(argument.get_id().as_str()).ok().flatten();
    let count = values.map_or(0, Iterator::count);
    if count > 0 {
        let start = before.len() - count;
        let is_behind_name =
            names_instance(argument, &before[start..], typed) && !before[..start].contains(&"--");
        return Some(if is_behind_name { start + 2 } else { start });
    }
    let dashes = before.iter().position(|word| *word == "--");
    match dashes {
        Some(dashes) => Some(dashes + 1),
        None => (is_offered && !argument.is_last_set()).then_some(before.len()),
    }
}

/// Returns true if the first of `words` is an instance, and the command begins after the second.
fn names_instance(argument: &Arg, words: &[&str], typed: &Input) -> bool {
    let [name, "--", ..] = words else { return false };
    let known = argument.get::<Values>().map(|kind| values::of(*kind, typed));
    known.is_some_and(|known| known.candidates.iter().any(|candidate| candidate.value == *name))
}

fn is_option(candidate: &CompletionCandidate) -> bool {
    candidate.get_id().is_some_and(|id| id.starts_with("arg::"))
}

fn has_id(candidate: &CompletionCandidate, id: &str) -> bool {
    candidate.get_id().is_some_and(|known| known == id)
}

fn shown(candidate: &CompletionCandidate) -> Option<Candidate> {
    let help = candidate.get_help().map(ToString::to_string).unwrap_or_default();
    Some(Candidate::new(candidate.get_value().to_str()?, help.lines().next().unwrap_or_default()))
}

#[cfg(test)]
mod tests;
