//! The page of one program, from its clap definition.

use clap::{Arg, Command};

use super::roff::{Page, escape};
use super::{ENVIRONMENT, FILES};

/// What exit codes mean, where a program adds to what all have.
const EXIT_CODES: &[(&str, &str, &str)] = &[
    ("tunnel", "3", "no tunnel runs (status, wait)"),
    ("tunnel", "126, 127", "the COMMAND of run cannot be run, or does not exist"),
    ("ssh", "N", "that of the command on the instance; 255 when ssh itself failed"),
    ("ext", "N", "that of the extension (exec)"),
];

/// Variables that one program reads.
const VARIABLES: &[(&str, &str, &str)] = &[
    ("configure", "VISUAL, EDITOR", "the editor that edit opens"),
    ("init", "SHELL", "the shell that is meant when none is named"),
    ("init", "SOONG_PROMPT_*", "what the prompt shows and where; see DESCRIPTION"),
    ("configure", "SOONG_LAMBDA_ENDPOINT", "another address for the API of Lambda Cloud"),
    ("status", "SOONG_LAMBDA_ENDPOINT", "another address for the API of Lambda Cloud"),
];

/// Pages that whoever reads one may want next.
const RELATED: &[(&str, &str, u8)] = &[
    ("configure", "soong-status", 1),
    ("ext", "soong-extensions", 7),
    ("extend", "soong-status", 1),
    ("init", "soong-prompt", 1),
    ("prompt", "soong-init", 1),
    ("ssh", "soong-tunnel", 1),
    ("status", "soong-tunnel", 1),
    ("tunnel", "soong-ssh", 1),
    ("tunnel", "soong-status", 1),
];

/// The page of `soong NAME`.
pub fn page(name: &str, summary: &str, mut definition: Command) -> String {
    definition.build();
    let mut page = Page::new(&format!("soong-{name}"), 1, summary);
    page.section("SYNOPSIS");
    synopsis(&mut page, &definition);
    let help = Help::of(&definition);
    page.section("DESCRIPTION");
    page.paragraphs(&format!("{}.", definition.get_about().map(ToString::to_string).unwrap_or_default()));
    if !help.text.is_empty() {
        page.paragraph(&help.text);
    }
    let arguments: Vec<&Arg> = visible(&definition).collect();
    if !arguments.is_empty() {
        page.section("OPTIONS");
        for argument in arguments {
            option(&mut page, argument);
        }
    }
    let commands: Vec<&Command> = definition.get_subcommands().filter(|it| !it.is_hide_set()).collect();
    if !commands.is_empty() {
        page.section("COMMANDS");
        for command in commands {
            subcommand(&mut page, command);
        }
    }
    page.section("\"EXIT STATUS\"");
    page.term("0", "it is done");
    page.term("1", "it failed; standard error says why, and what to do about it");
    page.term("2", "the command line makes no sense");
    for (code, meaning) in of(EXIT_CODES, name) {
        page.term(code, meaning);
    }
    page.section("ENVIRONMENT");
    for (variable, meaning) in ENVIRONMENT {
        page.term(variable, meaning);
    }
    for (variable, meaning) in of(VARIABLES, name) {
        page.term(variable, meaning);
    }
    page.section("FILES");
    for (file, meaning) in FILES {
        page.term(file, meaning);
    }
    page.section("EXAMPLES");
    page.example(&help.examples);
    page.section("\"SEE ALSO\"");
    page.line(".BR soong (1),");
    for (_, related, section) in RELATED.iter().filter(|(of, ..)| *of == name) {
        page.line(&format!(".BR {} ({section}),", escape(related)));
    }
    page.line(".BR soong\\-config (5)");
    page.finish()
}

fn of<'a>(table: &'a [(&str, &str, &str)], name: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
    table.iter().filter(move |(of, ..)| *of == name).map(|(_, key, value)| (*key, *value))
}

/// What stands in a help text below its options.
struct Help {
    examples: String,
    text: String,
}

impl Help {
    fn of(command: &Command) -> Self {
        let text = command.get_after_long_help().or(command.get_after_help());
        let text = text.map(ToString::to_string).unwrap_or_default();
        let mut help = Self { examples: String::new(), text: String::new() };
        for paragraph in text.split("\n\n") {
            match paragraph.split_once('\n') {
                Some(("Examples:" | "Example:", examples)) => help.examples.push_str(examples),
                _ => help.text.push_str(&format!("{paragraph}\n\n")),
            }
        }
        help.text.truncate(help.text.trim_end().len());
        help
    }
}

fn synopsis(page: &mut Page, command: &Command) {
    let usage = command.clone().render_usage().to_string();
    let usage = usage.strip_prefix("Usage: ").unwrap_or(&usage);
    for (index, line) in usage.lines().enumerate() {
        if index > 0 {
            page.line(".br");
        }
        let line = line.trim();
        let words = if line.starts_with("soong ") { 2 } else { 0 };
        let (bold, rest) = split_words(line, words);
        page.line(&format!("\\fB{}\\fR{}", escape(bold), escape(rest)));
    }
}

/// `line` divided behind its first `count` words.
fn split_words(line: &str, count: usize) -> (&str, &str) {
    let end = line.match_indices(' ').nth(count.saturating_sub(1)).map_or(line.len(), |(at, _)| at);
    if count == 0 { ("", line) } else { line.split_at(end) }
}

fn visible(command: &Command) -> impl Iterator<Item = &Arg> {
    command.get_arguments().filter(|argument| !argument.is_hide_set())
}

fn option(page: &mut Page, argument: &Arg) {
    let names: Vec<String> = [
        argument.get_short().map(|short| format!("-{short}")),
        argument.get_long().map(|long| format!("--{long}")),
    ]
    .into_iter()
    .flatten()
    .map(|name| format!("\\fB{}\\fR", escape(&name)))
    .collect();
    let mut term = names.join(", ");
    if argument.is_positional() || argument.get_action().takes_values() {
        let values = argument.get_value_names().unwrap_or_default();
        let values: Vec<&str> = values.iter().map(clap::builder::Str::as_str).collect();
        let value = format!("\\fI{}\\fR", escape(&values.join(" ")));
        let optional = argument.get_num_args().is_some_and(|range| range.min_values() == 0);
        let between = if argument.is_require_equals_set() { "=" } else { " " };
        term.push_str(&match (argument.is_positional(), optional) {
            (true, _) => value,
            (false, true) => format!("[{between}{value}]").replace("[ ", " ["),
            (false, false) => format!("{between}{value}"),
        });
    }
    let mut help = argument.get_help().map(ToString::to_string).unwrap_or_default();
    let choices: Vec<String> = argument
        .get_possible_values()
        .iter()
        .filter(|value| !value.is_hide_set() && argument.get_action().takes_values())
        .map(|value| value.get_name().to_owned())
        .collect();
    if !choices.is_empty() && !argument.is_hide_possible_values_set() {
        help.push_str(&format!("\n(one of {})", choices.join(", ")));
    }
    page.marked(&term, if help.is_empty() { "-" } else { &help });
}

fn subcommand(page: &mut Page, command: &Command) {
    let usage = command.clone().render_usage().to_string();
    let usage = usage.strip_prefix("Usage: ").unwrap_or(&usage).lines().next().unwrap_or_default();
    page.subsection(usage);
    page.paragraphs(&format!("{}.", command.get_about().map(ToString::to_string).unwrap_or_default()));
    for argument in
        visible(command).filter(|argument| argument.get_id() != "help" && !argument.is_global_set())
    {
        option(page, argument);
    }
    let help = Help::of(command);
    if !help.text.is_empty() {
        page.paragraph(&help.text);
    }
    if !help.examples.is_empty() {
        page.paragraph("Examples:");
        page.line(".PP");
        page.example(&help.examples);
    }
}
