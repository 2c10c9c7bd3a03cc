//! Manual pages of the programs and their subcommands.
//!
//! clap_mangen renders the sections that the clap definitions describe; the tables here add the rest.

use clap::Command;
use clap_mangen::Man;

use super::roff::{DATE, MANUAL, Page, escape, source};
use super::{ENVIRONMENT, FILES};

/// Exit codes beyond 0, 1 and 2: page, code, meaning.
const EXIT_CODES: &[(&str, &str, &str)] = &[
    ("tunnel-status", "3", "No tunnel is running."),
    ("tunnel-wait", "3", "No tunnel is running."),
    ("tunnel-run", "N", "Exit code of COMMAND."),
    ("tunnel-run", "126, 127", "COMMAND cannot be run, or does not exist."),
    ("service-status", "3", "No tunnel starts at login."),
    ("ssh", "N", "Exit code of the remote command; 255 if ssh itself failed."),
    ("ext-exec", "N", "Exit code of the extension."),
];

/// Environment variables beyond those that every page lists: page, name, meaning.
const VARIABLES: &[(&str, &str, &str)] = &[
    ("configure-edit", "VISUAL, EDITOR", "The editor."),
    ("init", "SHELL", "The shell, if none is named."),
    ("init", "SOONG_PROMPT_*", "Content and place of the prompt segment; see DESCRIPTION."),
    ("configure", "SOONG_LAMBDA_ENDPOINT", "Address of the Lambda Cloud API, in place of lambda.base-url."),
    ("status", "SOONG_LAMBDA_ENDPOINT", "Address of the Lambda Cloud API, in place of lambda.base-url."),
    ("tunnel-env", "OPENAI_BASE_URL", "Set by the printed commands."),
];

/// Further reading: page, related page, section.
const RELATED: &[(&str, &str, u8)] = &[
    ("code", "soong-ssh", 1),
    ("configure", "soong-status", 1),
    ("ext", "soong-extensions", 7),
    ("daemon", "soong-extend", 1),
    ("daemon", "soong-statusd", 8),
    ("cost", "soong-status", 1),
    ("launch", "soong-terminate", 1),
    ("launch", "soong-cost", 1),
    ("launch", "soong-daemon", 1),
    ("terminate", "soong-launch", 1),
    ("terminate", "soong-cost", 1),
    ("doctor", "soong-tunnel", 1),
    ("extend", "soong-keep", 1),
    ("extend", "soong-status", 1),
    ("keep", "soong-extend", 1),
    ("init", "soong-prompt", 1),
    ("offers", "soong-cost", 1),
    ("prompt", "soong-init", 1),
    ("service", "soong-tunnel", 1),
    ("service", "systemctl", 1),
    ("ssh", "soong-tunnel", 1),
    ("ssh", "ssh", 1),
    ("status", "soong-tunnel", 1),
    ("tunnel", "soong-ssh", 1),
    ("tunnel", "soong-status", 1),
    ("tunnel-start", "soong-tunnel-status", 1),
    ("tunnel-start", "soong-tunnel-forward", 1),
    ("tunnel-start", "soong-service", 1),
    ("tunnel-forward", "soong-tunnel-start", 1),
    ("tunnel-env", "soong-tunnel-run", 1),
    ("tunnel-run", "soong-tunnel-env", 1),
    ("tunnel-status", "soong-tunnel-list", 1),
    ("tunnel-status", "soong-status", 1),
];

/// Returns the pages of `soong NAME` and its subcommands: name without `soong-`, and text.
pub fn pages(name: &str, mut definition: Command) -> Vec<(String, String)> {
    definition.build();
    let mut pages = Vec::new();
    collect(name, &definition, None, &mut pages);
    pages
}

fn collect(name: &str, command: &Command, parent: Option<&str>, pages: &mut Vec<(String, String)>) {
    pages.push((name.to_owned(), page(name, command, parent)));
    for subcommand in command.get_subcommands().filter(|it| !it.is_hide_set()) {
        collect(&format!("{name}-{}", subcommand.get_name()), subcommand, Some(name), pages);
    }
}

fn page(name: &str, command: &Command, parent: Option<&str>) -> String {
    let mut page = Page::from_rendered(&rendered(name, command));
    let help = Help::of(command);
    if !help.text.is_empty() {
        page.section("NOTES");
        page.paragraphs(&help.text);
    }
    page.section("\"EXIT STATUS\"");
    page.term("0", "Success.");
    page.term("1", "Failure; standard error says why and how to fix it.");
    page.term("2", "Wrong usage.");
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
    let parent = parent.map_or_else(|| "soong".to_owned(), |parent| format!("soong-{parent}"));
    page.line(&format!(".BR {} (1),", escape(&parent)));
    for (_, related, section) in RELATED.iter().filter(|(of, ..)| *of == name) {
        page.line(&format!(".BR {} ({section}),", escape(related)));
    }
    page.line(".BR soong\\-config (5)");
    page.finish()
}

/// Returns the sections that clap_mangen makes: the title, NAME to OPTIONS, and COMMANDS.
fn rendered(name: &str, command: &Command) -> String {
    let command = command
        .clone()
        .display_name(format!("soong-{name}"))
        .subcommand_help_heading("COMMANDS")
        .subcommand_value_name("COMMAND");
    let has_subcommands = command.get_subcommands().any(|it| !it.is_hide_set());
    let man = Man::new(command)
        .title(format!("SOONG-{}", name.to_uppercase()))
        .section("1")
        .date(DATE)
        .source(source())
        .manual(MANUAL);
    let mut text = Vec::new();
    man.render_title(&mut text).unwrap();
    man.render_name_section(&mut text).unwrap();
    man.render_synopsis_section(&mut text).unwrap();
    man.render_description_section(&mut text).unwrap();
    man.render_options_section(&mut text).unwrap();
    if has_subcommands {
        man.render_subcommands_section(&mut text).unwrap();
    }
    String::from_utf8(text).unwrap()
}

fn of<'a>(table: &'a [(&str, &str, &str)], name: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
    table.iter().filter(move |(of, ..)| *of == name).map(|(_, key, value)| (*key, *value))
}

/// The text below the options of a help text.
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
