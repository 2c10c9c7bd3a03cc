//! Command lines: parsing, `--help`, `--color` and usage errors, the same for every program.

use std::borrow::Cow;
use std::ffi::OsString;
use std::fmt::Write as _;
use std::process::ExitCode;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, ArgMatches, Command, CommandFactory, Parser};
use serde::Serialize;

use crate::error::{EXIT_USAGE, Error, Result};
use crate::terminal::{self, Colour, hint_label, print_error, printable, printable_json};

/// Option that every program takes, before or after its subcommands.
const COLOR: &str = "color";

/// Parses the value of `--color`, for programs without clap.
pub fn colour(when: Option<&str>) -> Result<Colour> {
    when.and_then(Colour::named)
        .ok_or_else(|| Error::usage("--color takes a value").with_hint("choose one: auto, always, never"))
}

/// Widest help text in columns; narrower terminals get narrower texts.
const HELP_WIDTH: usize = 80;

/// Returns the definition of a program with the options that all programs share.
pub fn definition<T: CommandFactory>() -> Command {
    T::command().max_term_width(HELP_WIDTH).arg(color())
}

/// Returns the definition of `--color`.
pub fn color() -> Arg {
    Arg::new(COLOR)
        .long(COLOR)
        .value_name("WHEN")
        .help("Colour output: auto, always, never [default: auto]")
        .value_parser(Colour::WORDS)
        .hide_possible_values(true)
        .global(true)
        .display_order(998)
}

/// Parses the arguments of this process and passes them to `run`. Errors begin with `program`. Returns the
/// exit code: `run`'s, its error's, 0 after `--help` and `--version`, 2 for a usage error.
pub fn main<T: Parser>(program: &str, run: impl FnOnce(&T) -> Result<u8>) -> ExitCode {
    main_from(program, std::env::args_os().collect(), run)
}

/// Like [`main`], for arguments that have been read before: `words` begins with the program's name.
pub fn main_from<T: Parser>(
    program: &str,
    words: Vec<OsString>,
    run: impl FnOnce(&T) -> Result<u8>,
) -> ExitCode {
    ExitCode::from(code_of(program, words, run))
}

/// Like [`main_from`], with the exit code as a number, for programs whose entry point is C's.
pub fn code_of<T: Parser>(program: &str, words: Vec<OsString>, run: impl FnOnce(&T) -> Result<u8>) -> u8 {
    let arguments = match parse::<T>(words) {
        Ok(arguments) => arguments,
        Err(error) => return refuse(program, error),
    };
    run(&arguments).unwrap_or_else(|error| {
        error.report(program);
        error.exit_code()
    })
}

fn parse<T: Parser>(words: Vec<OsString>) -> std::result::Result<T, clap::Error> {
    let mut command = definition::<T>();
    let words = color_behind_command(&command, words);
    let parsed = match detached_value(&mut command, &words) {
        None => command.try_get_matches_from_mut(&words),
        Some(error) => Err(error),
    };
    let mut matches = parsed.inspect_err(|_| apply_color(&words))?;
    choose(&matches);
    T::from_arg_matches_mut(&mut matches).map_err(|error| error.format(&mut command))
}

/// Returns the error for a value after an option that takes it after `=` only: the word would count as an argument.
fn detached_value(command: &mut Command, words: &[OsString]) -> Option<clap::Error> {
    let own = words.split(|word| word == "--").next().unwrap_or_default();
    let inner = innermost(command, own);
    // There, options after the first word are those of another program.
    if inner.get_positionals().any(Arg::is_trailing_var_arg_set) {
        return None;
    }
    let takes_equals = |option: &str| {
        let mut arguments = inner.get_arguments().filter(|argument| argument.is_require_equals_set());
        arguments.any(|argument| argument.get_long() == option.strip_prefix("--"))
    };
    let (option, word) = own.windows(2).find_map(|pair| {
        let (option, word) = (pair[0].to_str()?, pair[1].to_str()?);
        let is_value = word.starts_with(|c: char| c.is_ascii_digit());
        (is_value && option.starts_with("--") && takes_equals(option)).then_some((option, word))
    })?;
    let tip = format!("write it as one word: {option}={}", printable(&shell_words::quote(word)));
    let message = format!("unexpected argument '{}' found\n\n  tip: {tip}", printable(word));
    command.build();
    Some(innermost(command, own).clone().error(ErrorKind::UnknownArgument, message))
}

/// Returns the subcommand that `words` lead to.
fn innermost<'a>(command: &'a Command, words: &[OsString]) -> &'a Command {
    words.iter().skip(1).fold(command, |command, word| command.find_subcommand(word).unwrap_or(command))
}

/// Applies `--color` from a command line that does not parse, so that the error has the right colour.
pub fn apply_color(words: &[OsString]) {
    if let Some(colour) = color_among(words) {
        terminal::set_colour(colour);
    }
}

fn color_among(words: &[OsString]) -> Option<Colour> {
    let own = words.split(|word| word == "--").next().unwrap_or_default();
    let mut own = own.iter().filter_map(|word| word.to_str());
    while let Some(word) = own.next() {
        match word.strip_prefix("--color") {
            Some("") => return own.next().and_then(Colour::named),
            Some(value) if value.starts_with('=') => return Colour::named(&value[1..]),
            _ => {}
        }
    }
    None
}

fn choose(matches: &ArgMatches) {
    let word = matches.try_get_one::<String>(COLOR).ok().flatten();
    if let Some(colour) = word.and_then(|word| Colour::named(word)) {
        terminal::set_colour(colour);
    }
}

/// Moves a leading `--color WHEN` after the subcommand. clap rejects options before a subcommand where
/// options and subcommands exclude each other.
fn color_behind_command(command: &Command, mut words: Vec<OsString>) -> Vec<OsString> {
    let end = match words.get(1).and_then(|word| word.to_str()) {
        Some("--color") => 3,
        Some(word) if word.starts_with("--color=") => 2,
        _ => return words,
    };
    let next = words.get(end).filter(|word| command.find_subcommand(word).is_some());
    if command.is_args_conflicts_with_subcommands_set() && next.is_some() {
        words[1..=end].rotate_right(1);
    }
    words
}

/// Returns `value` as a line of JSON. Characters that act on terminals are escaped in it.
pub fn json_line(value: &impl Serialize) -> Result<String> {
    let json =
        serde_json::to_string(value).map_err(|error| Error::failed(format!("cannot write JSON: {error}")))?;
    let escaped = match printable_json(&json) {
        Cow::Borrowed(_) => None,
        Cow::Owned(escaped) => Some(escaped),
    };
    let mut line = escaped.unwrap_or(json);
    line.push('\n');
    Ok(line)
}

/// Writes `text` to stdout. A closed pipe, as in `soong … | head -1`, is not an error.
pub fn print(text: &str) -> Result<()> {
    terminal::print(text).map_err(Error::output)
}

/// Reports `error` as the end of `program` and returns its exit code.
pub fn fail(program: &str, error: &Error) -> ExitCode {
    error.report(program);
    ExitCode::from(error.exit_code())
}

/// Prints clap's error as ours; prints help and version as they are.
fn refuse(program: &str, error: clap::Error) -> u8 {
    let error = escaped(error);
    let text = error.render().to_string();
    if !error.use_stderr() {
        return u8::from(terminal::print(&text).is_err());
    }
    // The help that clap shows when a subcommand is missing is not an error text.
    let is_help = error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand;
    print_error(&if is_help { text } else { complaint(program, &text) });
    EXIT_USAGE
}

/// Returns the error with every word of the command line made printable, so that none can control the
/// terminal or begin a line.
fn escaped(mut error: clap::Error) -> clap::Error {
    let plain = |text: &String| printable(text).into_owned();
    let values: Vec<(ContextKind, ContextValue)> = error
        .context()
        .filter_map(|(kind, value)| match value {
            ContextValue::String(text) => Some((kind, ContextValue::String(plain(text)))),
            ContextValue::Strings(texts) => {
                Some((kind, ContextValue::Strings(texts.iter().map(plain).collect())))
            }
            _ => None,
        })
        .collect();
    for (kind, value) in values {
        error.insert(kind, value);
    }
    error
}

/// Turns clap's paragraphs into a first line and hints.
fn complaint(program: &str, text: &str) -> String {
    let text = text.strip_prefix("error: ").unwrap_or(text);
    let (reason, rest) = text.split_once("\n\n").unwrap_or((text, ""));
    let words: Vec<&str> = reason.lines().map(str::trim).collect();
    let mut complaint = format!("{program}: {}\n", printable(&words.join(" ")));
    for line in rest.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let hint = line.strip_prefix("tip: ").unwrap_or(line).trim_end_matches('.');
        let _ = writeln!(complaint, "{} {}", hint_label(), lower_first(&printable(hint)));
    }
    complaint
}

/// Returns `text` with its first letter in lower case.
fn lower_first(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Parser)]
    #[command(args_conflicts_with_subcommands = true)]
    struct Arguments {
        #[command(subcommand)]
        verb: Option<Verb>,
        #[arg(long)]
        print: bool,
    }

    #[derive(Debug, PartialEq, clap::Subcommand)]
    enum Verb {
        List,
        Start {
            #[arg(long)]
            instance_id: Option<String>,
            #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "9")]
            wait: Option<u64>,
        },
    }

    #[test]
    fn a_value_after_a_space_is_told_its_spelling() {
        let tip = |text: &str| {
            let error = parse::<Arguments>(text.split(' ').map(OsString::from).collect()).unwrap_err();
            let text = error.render().to_string();
            text.lines().find_map(|line| line.trim().strip_prefix("tip: ").map(str::to_owned))
        };
        assert_eq!(tip("x start --wait 5").as_deref(), Some("write it as one word: --wait=5"));
        for text in ["x list dev", "x start dev", "x start --instance-id"] {
            assert_eq!(tip(text), None, "{text}");
        }
    }

    #[test]
    fn color_stands_anywhere() {
        let parse = |text: &str| parse::<Arguments>(text.split(' ').map(OsString::from).collect());
        let list = Arguments { verb: Some(Verb::List), print: false };
        for text in ["x list", "x --color auto list", "x --color=auto list", "x list --color auto"] {
            assert_eq!(parse(text).unwrap(), list, "{text}");
        }
        for text in ["x --color auto --print", "x --print --color=auto"] {
            assert_eq!(parse(text).unwrap(), Arguments { verb: None, print: true }, "{text}");
        }
        for text in ["x --color", "x --color list", "x --color=red", "x --print list", "x --color auto x"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn color_is_found_among_mistakes() {
        for (text, expected) in [
            ("x --bad --color never", Some(Colour::Never)),
            ("x --color=always --bad", Some(Colour::Always)),
            ("x --colors=always --color", None),
            ("x --bad -- ls --color=always", None),
        ] {
            let words: Vec<OsString> = text.split(' ').map(OsString::from).collect();
            assert_eq!(color_among(&words), expected, "{text}");
        }
    }

    #[test]
    fn a_complaint_is_one_line_and_hints() {
        let text = "error: unexpected argument '--prot' found\n\n  tip: a similar argument exists: '--port'\n\n\
            Usage: soong tunnel start [OPTIONS]\n\nFor more information, try '--help'.\n";
        let expected = "soong-x: unexpected argument '--prot' found\n\
            hint: a similar argument exists: '--port'\n\
            hint: usage: soong tunnel start [OPTIONS]\n\
            hint: for more information, try '--help'\n";
        assert_eq!(complaint("soong-x", text), expected);
        let text = "error: the following required arguments were not provided:\n  <NAME>\n";
        let expected = "soong-x: the following required arguments were not provided: <NAME>\n";
        assert_eq!(complaint("soong-x", text), expected);
    }
}
