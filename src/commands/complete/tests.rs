//! Tests of all help texts: they fit 80 columns, begin with a summary, and end with examples that the command
//! accepts.

use std::ffi::OsString;
use std::path::Path;

use clap::Command;

use super::HELP;
use super::programs::{definition, helper};
use crate::built_in::BUILT_IN;
use crate::commands::{dispatch, prompt, ssh};

const WIDTH: usize = 80;

/// Returns the faults of a help text.
fn faults(help: &str) -> Vec<String> {
    let mut faults: Vec<String> = help
        .lines()
        .filter(|line| line.chars().count() > WIDTH)
        .map(|line| format!("wider than {WIDTH}: {line}"))
        .collect();
    let mut lines = help.lines();
    let first = lines.next().unwrap_or_default();
    if !first.starts_with(char::is_uppercase) || lines.next() != Some("") {
        faults.push(format!("the first line does not stand alone: {first}"));
    }
    let Some((_, examples)) = help.rsplit_once("\n\n").map(|(before, last)| (before, last.split_once('\n')))
    else {
        return faults;
    };
    match examples {
        Some(("Examples:" | "Example:", examples)) => {
            faults.extend(
                examples
                    .lines()
                    .filter(|line| !line.starts_with("  "))
                    .map(|line| format!("no example: {line}")),
            );
            faults.extend(examples.lines().flat_map(mistakes));
        }
        _ => faults.push("no examples at the end".to_owned()),
    }
    faults
}

/// Returns the calls of `soong` in a line that do not work.
fn mistakes(line: &str) -> Vec<String> {
    // Text after two spaces is a remark.
    let line = line.trim_start().split("  ").next().unwrap_or_default();
    let calls = line.match_indices("soong ").filter(|(at, _)| {
        !line[..*at].ends_with(|before: char| before.is_alphanumeric() || "-_/.".contains(before))
    });
    let calls = calls.map(|(at, _)| call(&line[at..]));
    calls.filter_map(|call| check(call).err().map(|error| format!("{call}: {error}"))).collect()
}

/// Returns the simple command at the start of `text`.
fn call(text: &str) -> &str {
    let mut quote = None;
    for (at, c) in text.char_indices() {
        match (quote, c) {
            (None, '\'' | '"') if text[at + 1..].contains(c) => quote = Some(c),
            (None, '|' | '&' | ';' | ')' | '\'' | '"') => return &text[..at],
            (Some(open), _) if open == c => quote = None,
            _ => {}
        }
    }
    text
}

/// Parses a command line with the definition of its program.
fn check(call: &str) -> Result<(), String> {
    let words = shell_words::split(call).map_err(|error| error.to_string())?;
    match words.get(1).map(String::as_str) {
        None | Some("help") => return Ok(()),
        Some("prompt") => {
            let words: Vec<&str> = words[2..].iter().map(String::as_str).collect();
            return prompt::accepts(&words).map_err(|error| error.to_string());
        }
        _ => {}
    }
    let Some(definition) = definition(&words[1]) else { return Err("no such command".to_owned()) };
    let mut words: Vec<OsString> = words[1..].iter().map(OsString::from).collect();
    if words[0] == "ssh" {
        words = ssh::arguments::split(&words, |word| word == "dev" || word == "1")
            .map_err(|error| error.to_string())?
            .own;
    }
    match definition.try_get_matches_from(words) {
        Err(error) if error.use_stderr() => Err(error.to_string()),
        _ => Ok(()),
    }
}

/// Returns every visible command with its name.
fn all(command: &Command, name: &str) -> Vec<(String, Command)> {
    let below = command.get_subcommands().filter(|it| !it.is_hide_set() && it.get_name() != "help");
    let below = below.flat_map(|it| all(it, &format!("{name} {}", it.get_name())));
    std::iter::once((name.to_owned(), command.clone())).chain(below).collect()
}

/// Returns all help texts with the commands that print them.
fn texts() -> Vec<(String, String)> {
    let own = BUILT_IN.iter().map(|(name, _)| (format!("soong {name}"), definition(name).unwrap()));
    let helpers =
        ["provider-lambda", "provider-runpod"].map(|name| (format!("soong-{name}"), helper(name).unwrap()));
    let mut texts = vec![
        ("soong".to_owned(), dispatch::overview()),
        ("soong-prompt".to_owned(), prompt::HELP.to_owned()),
        ("soong-complete".to_owned(), HELP.to_owned()),
        ("soong-supervisor".to_owned(), crate::supervisor::program::HELP.to_owned()),
    ];
    for (name, mut definition) in own.chain(helpers) {
        definition.clone().debug_assert();
        definition.build();
        for (name, mut command) in all(&definition, &name) {
            texts.push((format!("{name} -h"), command.render_help().to_string()));
            texts.push((format!("{name} --help"), command.render_long_help().to_string()));
        }
    }
    texts
}

#[test]
fn every_help_text_is_narrow_and_ends_with_examples_that_work() {
    let texts = texts();
    assert!(texts.len() > 50, "{}", texts.len());
    let faults = texts
        .iter()
        .flat_map(|(name, help)| faults(help).into_iter().map(move |fault| format!("{name}: {fault}")));
    let faults: Vec<String> = faults.collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn every_program_has_a_help_text() {
    let texts = texts();
    for entry in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/src/bin")).unwrap() {
        let file = entry.unwrap().file_name().into_string().unwrap();
        let Some(program) = file.strip_suffix(".rs") else { continue };
        let names = [
            program.to_owned(),
            format!("{program} --help"),
            format!("{} --help", program.replacen('-', " ", 1)),
        ];
        assert!(texts.iter().any(|(name, _)| names.contains(name)), "{program}");
    }
}

#[test]
fn faults_are_found() {
    let sound = "Do it\n\nUsage: x\n\nExamples:\n  soong tunnel start   now\n";
    assert_eq!(faults(sound), Vec::<String>::new());
    for (from, to) in [
        ("Do it\n\n", "Do it\n"),
        ("Do it", "do it"),
        ("Usage: x", &"x".repeat(81)),
        ("Examples:\n", ""),
        ("tunnel start", "tunnel strat"),
        ("soong tunnel start", "eval \"$(soong tunnel env --shell tcsh)\""),
        ("tunnel start", "prompt --format x"),
        ("soong tunnel start   now", "true && soong ssh nvidia-smi"),
    ] {
        assert_eq!(faults(&sound.replace(from, to)).len(), 1, "{to}");
    }
}

/// `soong-prompt` parses its arguments without a definition; the definition for completion and manual must
/// match the program.
#[test]
fn the_definition_of_prompt_is_what_the_program_takes() {
    let mut definition = definition("prompt").unwrap();
    let long = definition.render_long_help().to_string();
    let after = definition.get_after_help().unwrap().to_string();
    assert!(prompt::HELP.starts_with(&format!("{}\n\n", definition.get_about().unwrap())));
    for paragraph in after.split("\n\n") {
        assert!(prompt::HELP.contains(&format!("\n\n{paragraph}\n")), "{paragraph}");
    }
    definition.build();
    let options = |text: &str| -> Vec<String> {
        let words = text.lines().filter(|line| line.trim_start().starts_with('-'));
        let words = words.flat_map(|line| line.split_whitespace().filter(|word| word.starts_with('-')));
        words.map(|word| word.trim_end_matches(',').to_owned()).collect()
    };
    assert_eq!(options(prompt::HELP), options(&long));
    for argument in definition.get_arguments() {
        let option = format!("--{}", argument.get_long().unwrap());
        if !argument.get_action().takes_values() {
            assert!(prompt::accepts(&[&option]).is_ok(), "{option}");
            continue;
        }
        assert!(prompt::accepts(&[&option, "other"]).is_err(), "{option}");
        assert!(prompt::accepts(&[&option]).is_err(), "{option}");
        for value in argument.get_possible_values() {
            let value = value.get_name();
            assert!(prompt::accepts(&[&option, value]).is_ok(), "{option} {value}");
            assert!(prompt::accepts(&[&format!("{option}={value}")]).is_ok(), "{option}={value}");
            assert!(prompt::HELP.contains(&format!(" {value}")), "{value}");
        }
    }
    let format = definition.get_arguments().find(|argument| argument.get_id() == "format").unwrap();
    let known: Vec<String> =
        format.get_possible_values().iter().map(|value| value.get_name().to_owned()).collect();
    assert_eq!(known, prompt::formats().collect::<Vec<_>>());
}

/// Returns the soong commands in messages of the sources, with `1` for placeholders.
fn commands_in_messages() -> Vec<String> {
    let (mut files, mut commands) = (vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")], Vec::new());
    while let Some(path) = files.pop() {
        if path.is_dir() {
            files.extend(std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()));
            continue;
        }
        if path.ends_with("tests.rs") {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        let text = text.split("#[cfg(test)]").next().unwrap_or_default();
        let is_other = |line: &str| {
            line.contains("bin_name") || ["//", "override_usage"].iter().any(|start| line.starts_with(start))
        };
        let lines = text.lines().map(str::trim_start).filter(|line| !is_other(line));
        for line in lines.filter(|line| line.contains('"')) {
            commands.extend(line.match_indices("soong ").filter_map(|(at, _)| {
                let is_hint = line[..at].ends_with([' ', '\'', '"']) && line[..at].contains('"');
                is_hint.then(|| filled_in(message(&line[at..])))
            }));
        }
    }
    let names: Vec<String> = BUILT_IN.iter().map(|(name, _)| format!("soong {name} ")).collect();
    commands.retain(|command| names.iter().any(|name| format!("{command} ").starts_with(name)));
    commands
}

/// Returns the command at the start of `text`, up to the end of the sentence or literal.
fn message(text: &str) -> &str {
    let ends = ["\\n", "\"", "'", ",", ";", " (", ": "];
    let end = ends.iter().filter_map(|end| text.find(end)).min().unwrap_or(text.len());
    text[..end].trim_end()
}

/// Returns `text` with each pair of braces filled: with nothing where options may stand, else a name.
fn filled_in(text: &str) -> String {
    let mut filled = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        let (name, after) = after.split_once('}').unwrap_or(("", after));
        filled.push_str(before);
        let is_option = before.ends_with(|c: char| c.is_alphanumeric()) || name == "flag";
        filled.push_str(if is_option { "" } else { "1" });
        rest = after;
    }
    filled + rest
}

#[test]
fn every_command_in_a_message_is_one_that_is_taken() {
    let commands = commands_in_messages();
    assert!(commands.len() > 40, "{commands:#?}");
    // Words in capitals, which users replace, and ellipses.
    let words = |command: &str| command.replace("COMMAND", "1").replace(" …", "");
    let mistakes: Vec<String> = commands
        .iter()
        .filter_map(|command| check(&words(command)).err().map(|error| format!("{command}: {error}")))
        .collect();
    assert!(mistakes.is_empty(), "{}", mistakes.join("\n"));
}
