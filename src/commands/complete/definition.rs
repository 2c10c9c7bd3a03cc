//! What can stand at the cursor, according to a clap definition. Values in, values out: what the
//! values of an argument are is for [`super::values`] to say.

use clap::builder::ValueRange;
use clap::{Arg, ArgAction, Command};

use crate::completion::Candidate;

/// What the last word could be.
#[derive(Debug)]
pub(super) enum Expected<'a> {
    /// One of these words.
    Words(Vec<Candidate>),
    /// A value of this argument, behind what has been typed of the word already: `--port=`.
    Value {
        /// The argument.
        argument: &'a Arg,
        /// The command it belongs to.
        command: &'a Command,
        /// What stands before the value in the same word.
        prefix: String,
        /// What else the word could be.
        instead: Vec<Candidate>,
    },
    /// A word of a command line that begins with the word `index` of the program's arguments.
    CommandLine {
        /// Counted from 0.
        index: usize,
    },
    /// Nothing.
    Nothing,
}

/// How far the words before the last one have led.
struct Position<'a> {
    command: &'a Command,
    /// How many positional arguments there were.
    positional: usize,
    /// The index of the first word behind `--`.
    escaped: Option<usize>,
    /// The option whose value comes next.
    pending: Option<&'a Arg>,
    /// Options that were given.
    used: Vec<&'a str>,
    /// The argument that takes all that follows, and the index of its first word.
    trailing: Option<(usize, &'a Arg)>,
}

/// What the word `last` behind the words `before` could be; `command` has been built.
pub(super) fn expected<'a>(command: &'a Command, before: &[&str], last: &str) -> Expected<'a> {
    let mut position =
        Position { command, positional: 0, escaped: None, pending: None, used: Vec::new(), trailing: None };
    for (index, word) in before.iter().enumerate() {
        position.step(index, word);
    }
    position.last(before.len(), last)
}

impl<'a> Position<'a> {
    /// Goes past a word that is complete.
    fn step(&mut self, index: usize, word: &str) {
        if self.trailing.is_some() {
            return;
        }
        if let Some(argument) = self.pending.take()
            && (is_mandatory(argument) || !word.starts_with('-'))
        {
            return;
        }
        if self.escaped.is_some() {
            self.positional += 1;
        } else if word == "--" {
            self.escaped = Some(index + 1);
        } else if let Some(long) = word.strip_prefix("--") {
            self.long(long);
        } else if let Some(letters) = word.strip_prefix('-').filter(|letters| !letters.is_empty()) {
            self.short(letters);
        } else if let Some(command) = self.subcommand(word) {
            *self = Self {
                command,
                positional: 0,
                escaped: None,
                pending: None,
                used: Vec::new(),
                trailing: None,
            };
        } else {
            if let Some(argument) = self.next_positional().filter(|it| it.is_trailing_var_arg_set()) {
                self.trailing = Some((index, argument));
            }
            self.positional += 1;
        }
    }

    fn long(&mut self, long: &str) {
        let (name, value) = long.split_once('=').map_or((long, None), |(name, value)| (name, Some(value)));
        if let Some(argument) = self.command.get_arguments().find(|argument| has_long(argument, name)) {
            self.used.push(argument.get_id().as_str());
            if value.is_none() && takes_next_word(argument) {
                self.pending = Some(argument);
            }
        }
    }

    fn short(&mut self, letters: &str) {
        for (index, letter) in letters.char_indices() {
            let mut arguments = self.command.get_arguments();
            let Some(argument) = arguments.find(|argument| argument.get_short() == Some(letter)) else {
                return;
            };
            self.used.push(argument.get_id().as_str());
            if argument.get_action().takes_values() {
                let rest = &letters[index + letter.len_utf8()..];
                if rest.is_empty() && takes_next_word(argument) {
                    self.pending = Some(argument);
                }
                return;
            }
        }
    }

    fn subcommand(&self, word: &str) -> Option<&'a Command> {
        if self.positional > 0 { None } else { self.command.find_subcommand(word) }
    }

    /// What the word `last`, which has this index, could be.
    fn last(&self, index: usize, last: &str) -> Expected<'a> {
        if let Some((index, argument)) = self.trailing {
            return if is_command_line(argument) {
                Expected::CommandLine { index }
            } else {
                Expected::Nothing
            };
        }
        if let Some(argument) = self.pending {
            let instead = if is_mandatory(argument) { Vec::new() } else { self.options() };
            if is_mandatory(argument) || !last.starts_with('-') {
                return self.value(argument, String::new(), instead);
            }
        }
        if let Some(start) = self.escaped {
            return match self.behind_dashes() {
                Some(argument) if is_command_line(argument) => Expected::CommandLine { index: start },
                Some(argument) => self.value(argument, String::new(), Vec::new()),
                None => Expected::Nothing,
            };
        }
        if let Some((name, _)) = last.strip_prefix("--").and_then(|long| long.split_once('=')) {
            let mut arguments = self.command.get_arguments();
            return match arguments
                .find(|argument| has_long(argument, name) && argument.get_action().takes_values())
            {
                Some(argument) => self.value(argument, format!("--{name}="), Vec::new()),
                None => Expected::Nothing,
            };
        }
        if last.starts_with('-') && !self.next_positional().is_some_and(Arg::is_allow_hyphen_values_set) {
            return Expected::Words(self.options());
        }
        self.word(index)
    }

    /// A word that is no option: a subcommand, a positional argument, else still an option.
    fn word(&self, index: usize) -> Expected<'a> {
        let subcommands = if self.positional == 0 { subcommands(self.command) } else { Vec::new() };
        match self.next_positional() {
            Some(argument) if argument.is_trailing_var_arg_set() && is_command_line(argument) => {
                Expected::CommandLine { index }
            }
            Some(argument) => self.value(argument, String::new(), subcommands),
            None if subcommands.is_empty() => Expected::Words(self.options()),
            None => Expected::Words(subcommands),
        }
    }

    fn value(&self, argument: &'a Arg, prefix: String, instead: Vec<Candidate>) -> Expected<'a> {
        Expected::Value { argument, command: self.command, prefix, instead }
    }

    /// The positional argument that comes next; the last one again if it takes several.
    fn next_positional(&self) -> Option<&'a Arg> {
        let mut all = self.command.get_positionals().filter(|argument| !argument.is_last_set());
        let last = self.command.get_positionals().filter(|argument| !argument.is_last_set()).last();
        all.nth(self.positional).or_else(|| last.filter(|argument| takes_several(argument)))
    }

    fn behind_dashes(&self) -> Option<&'a Arg> {
        let last = self.command.get_positionals().find(|argument| argument.is_last_set());
        last.or_else(|| self.next_positional())
    }

    /// The options that can still be given.
    fn options(&self) -> Vec<Candidate> {
        let mut options: Vec<&Arg> = self
            .command
            .get_arguments()
            .filter(|argument| !argument.is_positional() && !argument.is_hide_set())
            .filter(|argument| is_repeatable(argument) || !self.used.contains(&argument.get_id().as_str()))
            .collect();
        options.sort_by_key(|argument| matches!(argument.get_id().as_str(), "help" | "version"));
        options.into_iter().filter_map(option).collect()
    }
}

fn option(argument: &Arg) -> Option<Candidate> {
    let short = || Some(format!("-{}", argument.get_short()?));
    let word = argument.get_long().map(|long| format!("--{long}")).or_else(short)?;
    let help = argument.get_help().map(ToString::to_string).unwrap_or_default();
    Some(Candidate::new(word, summary(&help)))
}

fn subcommands(command: &Command) -> Vec<Candidate> {
    let visible = command.get_subcommands().filter(|command| !command.is_hide_set());
    visible
        .map(|command| {
            let about = command.get_about().map(ToString::to_string).unwrap_or_default();
            Candidate::new(command.get_name(), summary(&about))
        })
        .collect()
}

/// The first line of a text.
fn summary(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

fn has_long(argument: &Arg, name: &str) -> bool {
    argument.get_long() == Some(name)
        || argument.get_all_aliases().is_some_and(|aliases| aliases.contains(&name))
}

fn range(argument: &Arg) -> ValueRange {
    argument.get_num_args().unwrap_or_else(|| ValueRange::from(1..=1))
}

/// Whether the word behind the option is its value, or can be.
fn takes_next_word(argument: &Arg) -> bool {
    argument.get_action().takes_values() && !argument.is_require_equals_set()
}

fn is_mandatory(argument: &Arg) -> bool {
    range(argument).min_values() > 0
}

fn takes_several(argument: &Arg) -> bool {
    range(argument).max_values() > 1 || matches!(argument.get_action(), ArgAction::Append)
}

fn is_repeatable(argument: &Arg) -> bool {
    matches!(argument.get_action(), ArgAction::Append | ArgAction::Count)
}

/// Whether the words of this argument are a program to run and its arguments.
fn is_command_line(argument: &Arg) -> bool {
    let names = argument.get_value_names().unwrap_or_default();
    takes_several(argument) && names.iter().any(|name| name.trim_matches('.') == "COMMAND")
}

#[cfg(test)]
mod tests;
