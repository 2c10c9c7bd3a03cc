//! Programs with their definitions, and the options of `soong` itself, which has no parser.

use clap::{Arg, Command};

use super::engine;
use crate::built_in::BUILT_IN;
use crate::command_line;
use crate::commands::{
    code, configure, cost, daemon, doctor, ext, extend, init, keep, launch, offers, service, ssh, status,
    terminate, tunnel,
};
use crate::completion::{Answer, Candidate, Directive, Values};
use crate::extension::completion as foreign;
use crate::instances::{lambda, runpod};
use crate::terminal::Colour;

/// Options of `soong` itself.
const OPTIONS: [(&str, &str); 5] = [
    ("--color", "Colour output: auto, always, never"),
    ("--list", "List all commands, one per line: name, tab, summary"),
    ("--exec-path", "Print the directory of soong's programs"),
    ("--help", "Print help"),
    ("--version", "Print version"),
];

/// Returns the definition of `soong NAME`; `None` unless it is built in.
pub fn definition(name: &str) -> Option<Command> {
    Some(match name {
        "tunnel" => command_line::definition::<tunnel::arguments::Arguments>(),
        "ssh" => command_line::definition::<ssh::arguments::Arguments>(),
        "status" => command_line::definition::<status::arguments::Arguments>(),
        "offers" => command_line::definition::<offers::arguments::Arguments>(),
        "launch" => command_line::definition::<launch::arguments::Arguments>(),
        "terminate" => command_line::definition::<terminate::arguments::Arguments>(),
        "cost" => command_line::definition::<cost::arguments::Arguments>(),
        "service" => command_line::definition::<service::arguments::Arguments>(),
        "doctor" => command_line::definition::<doctor::arguments::Arguments>(),
        "extend" => command_line::definition::<extend::arguments::Arguments>(),
        "code" => command_line::definition::<code::arguments::Arguments>(),
        "keep" => command_line::definition::<keep::arguments::Arguments>(),
        "daemon" => command_line::definition::<daemon::arguments::Arguments>(),
        "configure" => command_line::definition::<configure::arguments::Arguments>(),
        "init" => command_line::definition::<init::arguments::Arguments>(),
        "prompt" => prompt(),
        "ext" => command_line::definition::<ext::arguments::Arguments>(),
        _ => return None,
    })
}

/// Returns the definition of the helper program `soong-NAME`; `None` if it takes no options.
pub fn helper(name: &str) -> Option<Command> {
    match name {
        "provider-lambda" => Some(command_line::definition::<lambda::Arguments>()),
        "provider-runpod" => Some(command_line::definition::<runpod::Arguments>()),
        _ => None,
    }
}

/// Returns the definition of `soong prompt`, which has no parser for speed; used for completion and the
/// manual.
fn prompt() -> Command {
    let format = Arg::new("format")
        .long("format")
        .value_name("FORMAT")
        .help("plain, starship, tmux, zsh, bash, json [default: plain]")
        .hide_possible_values(true)
        .value_parser(["plain", "starship", "tmux", "zsh", "bash", "json"]);
    Command::new("soong-prompt")
        .bin_name("soong prompt")
        .version(env!("CARGO_PKG_VERSION"))
        .about("Print the tunnels for a prompt or status line")
        .arg(format)
        .arg(command_line::color())
        .after_help(
            "Prints nothing if no tunnel is running. Exits with 0 in both cases, as a prompt
must not fail. bash, zsh and fish show tunnels without this program; see
'soong help init'.

Examples:
  soong prompt
  set -g status-right '#(soong prompt --format tmux)'   in tmux.conf
  PROMPT='$(soong prompt --format zsh) '$PROMPT         with promptsubst, in zsh",
        )
}

/// Returns the answer for the command line `program before… last`. The program may have a path.
pub(super) fn complete(program: &str, before: &[&str], last: &str) -> Answer {
    match program.rsplit('/').next().unwrap_or_default() {
        "soong" => of_soong(before, last, 1),
        name => match name.strip_prefix("soong-") {
            Some(name) => of_command(name, before, last, 0),
            None => Answer::error(),
        },
    }
}

/// `place` is the index of the first of these words on the command line.
fn of_soong(before: &[&str], last: &str, place: usize) -> Answer {
    match before {
        [] if last.starts_with("--color=") => Answer::words(colours()).behind("--color="),
        [] if last.starts_with('-') => Answer::words(candidates(&OPTIONS)),
        [] => Answer::words(commands()),
        ["--color"] => Answer::words(colours()),
        ["--color", _, rest @ ..] => of_soong(rest, last, place + 2),
        [word, rest @ ..] if word.starts_with("--color=") => of_soong(rest, last, place + 1),
        ["help"] => Answer::words(commands().into_iter().filter(|command| command.value != "help").collect()),
        [name, ..] if name.starts_with('-') || *name == "help" => Answer::nothing(),
        [name, rest @ ..] => match foreign::alias(name) {
            Some(words) => of_alias(&words, rest, last),
            None => of_command(name, rest, last, place),
        },
    }
}

/// Returns the values of `--color`.
fn colours() -> Vec<Candidate> {
    Colour::WORDS.iter().map(|word| Candidate::new(*word, "")).collect()
}

/// Returns all commands of `soong`.
fn commands() -> Vec<Candidate> {
    let mut commands = candidates(BUILT_IN);
    commands.push(Candidate::new("help", "Show the manual or help of a command"));
    commands.extend(foreign::names());
    commands
}

/// Returns the answer after an alias that stands for the soong command `words`.
fn of_alias(words: &[String], rest: &[&str], last: &str) -> Answer {
    let before: Vec<&str> = words.iter().map(String::as_str).chain(rest.iter().copied()).collect();
    let Some((name, rest)) = before.split_first() else { return Answer::nothing() };
    let answer = of_command(name, rest, last, 1);
    // The start of a command on the line is unknown: the shell has fewer words than this.
    if answer.directive.contains(Directive::COMMAND) { Answer::files() } else { answer }
}

fn candidates(pairs: &[(&str, &str)]) -> Vec<Candidate> {
    pairs.iter().map(|(value, description)| Candidate::new(*value, *description)).collect()
}

/// Returns the answer after `soong NAME`; `place` is the index of NAME on the command line.
fn of_command(name: &str, before: &[&str], last: &str, place: usize) -> Answer {
    let Some(definition) = definition(name) else {
        return foreign::complete(name, before, last, place);
    };
    if let ("ext", ["exec", name, rest @ ..]) = (name, before) {
        return foreign::complete(name, rest, last, place + 2);
    }
    if name == "ssh" {
        // ssh's options and host are not part of the definition.
        let Some(own) = own_words(before) else { return Answer::files() };
        let instance = Arg::new("instance").index(1).add(Values::Instances);
        let definition = definition.mut_arg("command", |command| command.index(2)).arg(instance);
        return engine::complete(definition, &own, last, before.len() - own.len() + place + 1);
    }
    engine::complete(definition, before, last, place + 1)
}

/// Returns the words before the cursor without ssh's options; `None` if the next word is the value of one, or
/// belongs to the remote command.
fn own_words<'a>(before: &[&'a str]) -> Option<Vec<&'a str>> {
    use std::ffi::OsString;
    let words: Vec<OsString> =
        std::iter::once("ssh").chain(before.iter().copied()).map(OsString::from).collect();
    let split = ssh::arguments::split(&words, |_| true).ok().filter(|split| split.destination.is_none())?;
    // ForegroundLaunch is kept, so each word is found again after the previous one.
    let mut rest = before.iter();
    split.own.iter().skip(1).map(|word| rest.find(|known| word == **known).copied()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(answer: &Answer) -> Vec<&str> {
        answer.candidates.iter().map(|candidate| candidate.value.as_str()).collect()
    }

    #[test]
    fn every_program_of_ours_has_a_definition() {
        for (name, _) in BUILT_IN {
            let definition = definition(name).unwrap_or_else(|| panic!("no definition of {name}"));
            assert!(definition.get_about().is_some(), "{name}");
        }
    }

    #[test]
    fn soong_is_followed_by_its_commands() {
        let commands = complete("soong", &[], "");
        assert!(values(&commands).starts_with(&["tunnel"]) && values(&commands).contains(&"help"));
        assert!(values(&complete("soong", &[], "-")).contains(&"--version"));
        assert!(!values(&complete("soong", &["help"], "")).contains(&"help"));
        assert_eq!(values(&complete("soong", &["--color"], "")), Colour::WORDS);
        assert!(values(&complete("soong", &["--color", "never"], "")).contains(&"tunnel"));
        assert_eq!(complete("soong", &["--color=never", "ssh", "--"], ""), Answer::command(4, None));
        assert_eq!(values(&complete("soong", &["tunnel", "list", "--color"], "")), Colour::WORDS);
    }

    #[test]
    fn a_program_answers_under_each_of_its_names() {
        let expected = values(&complete("soong", &["tunnel"], "")).join(" ");
        for program in ["soong-tunnel", "./soong-tunnel", "/opt/a b/soong-tunnel"] {
            assert_eq!(values(&complete(program, &[], "")).join(" "), expected, "{program}");
        }
        assert_eq!(values(&complete("./soong", &["tunnel"], "")).join(" "), expected);
        assert_eq!(complete("other", &[], ""), Answer::error());
    }

    #[test]
    fn sshs_own_options_are_passed_over() {
        assert_eq!(complete("soong", &["ssh", "-t", "--"], ""), Answer::command(4, None));
        assert_eq!(complete("soong-ssh", &["-L", "1:h:2", "--", "ls"], "-"), Answer::command(4, None));
        assert_eq!(complete("soong-ssh", &["-i"], ""), Answer::files());
        assert_eq!(complete("soong-ssh", &["-t", "dev"], ""), Answer::files());
        assert!(values(&complete("soong-ssh", &["-t"], "--")).contains(&"--instance-id"));
    }
}
