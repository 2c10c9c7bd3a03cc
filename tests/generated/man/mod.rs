//! Manual pages: one per command and subcommand, `soong.1` and `soong-config.5`. Pages written by hand are
//! checked by the same tests.

mod config;
mod overview;
mod program;
mod roff;

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use soong::built_in::BUILT_IN;
use soong::commands::complete::programs::definition;

use super::{check, path};

/// Files that every page lists.
const FILES: &[(&str, &str)] = &[
    ("~/.config/soong/config.toml", "Configuration; see soong-config(5)."),
    ("~/.config/soong/credentials.toml", "API keys and tokens, readable by you only."),
    ("~/.local/state/soong", "Logs, pinned host keys, last answers of providers."),
    ("$XDG_RUNTIME_DIR/soong", "Running tunnels; ~/.local/state/soong/run if the variable is not set."),
];

/// Environment variables that every page lists.
const ENVIRONMENT: &[(&str, &str)] = &[
    ("SOONG_CONFIG", "Path of the configuration file."),
    ("XDG_CONFIG_HOME, XDG_STATE_HOME, XDG_RUNTIME_DIR", "Base directories; see FILES."),
    ("NO_COLOR", "If set, output has no colour unless --color says so."),
    (
        "CLICOLOR_FORCE",
        "If set and not 0, colour output even if it is not a terminal, unless NO_COLOR is set.",
    ),
];

#[test]
fn programs() {
    let mut expected = vec!["soong".to_owned()];
    for (name, _) in BUILT_IN {
        for (name, text) in program::pages(name, definition(name).unwrap()) {
            check(&format!("man/soong-{name}.1"), &text);
            expected.push(format!("soong-{name}"));
        }
    }
    for page in pages().iter().filter(|page| page.extension().is_some_and(|section| section == "1")) {
        let name = page.file_stem().unwrap().to_string_lossy();
        assert!(expected.contains(&name.clone().into_owned()), "{} has no command", page.display());
    }
}

#[test]
fn whole() {
    check("man/soong.1", &overview::page());
}

#[test]
fn configuration() {
    check("man/soong-config.5", &config::page());
}

/// The list of the pages that `soong init --man-pages` writes.
#[test]
fn compiled_in() {
    let names =
        pages().into_iter().map(|page| format!("    {:?},\n", page.file_name().unwrap())).collect::<String>();
    let file = "src/commands/init/pages.rs";
    let text = fs::read_to_string(path(file)).unwrap();
    let (head, _) = text.split_once("pages![\n").unwrap();
    check(file, &format!("{head}pages![\n{names}];\n"));
}

/// Returns the paths of all checked-in pages.
fn pages() -> Vec<PathBuf> {
    let mut pages: Vec<PathBuf> =
        fs::read_dir(path("man")).unwrap().map(|entry| entry.unwrap().path()).collect();
    pages.sort();
    assert!(!pages.is_empty());
    pages
}

/// Returns what a tool prints about a page.
#[track_caller]
fn said(program: &str, arguments: &[&str], page: &PathBuf) -> String {
    let output = Command::new(program).args(arguments).arg(page).env("LC_ALL", "C.UTF-8").output();
    let output = output.unwrap_or_else(|error| {
        panic!("{program}: {error}; run tests/install-requirements.sh (make test does)")
    });
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[test]
fn nothing_is_wrong_with_a_page() {
    for page in pages() {
        let said = said("mandoc", &["-T", "lint", "-W", "style"], &page);
        // Pages that are not installed here.
        let is_fault = |line: &&str| !line.contains("referenced manual not found");
        let faults: Vec<&str> = said.lines().filter(is_fault).collect();
        assert!(faults.is_empty(), "{}", faults.join("\n"));
        // Where the locale has no other characters, roff leaves them out.
        assert!(fs::read_to_string(&page).unwrap().is_ascii(), "{}", page.display());
    }
}

#[test]
fn a_page_has_the_sections_that_one_looks_for() {
    for page in pages() {
        let text = fs::read_to_string(&page).unwrap();
        let program = page.extension().is_some_and(|section| section == "1");
        let sections: &[&str] = if program {
            &[
                "NAME",
                "SYNOPSIS",
                "DESCRIPTION",
                "EXIT STATUS",
                "ENVIRONMENT",
                "FILES",
                "EXAMPLES",
                "SEE ALSO",
            ]
        } else {
            &["NAME", "DESCRIPTION", "SEE ALSO"]
        };
        for section in sections {
            let there = [format!(".SH {section}\n"), format!(".SH \"{section}\"\n")];
            assert!(there.iter().any(|line| text.contains(line.as_str())), "{section} in {}", page.display());
        }
    }
}
