//! Manual pages: one per program from its definition, one of the whole, one of the config. Pages that
//! are written by hand lie beside them in `man/`, and are held to the same.

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

/// Where things are that every page tells of.
const FILES: &[(&str, &str)] = &[
    ("~/.config/soong/config.toml", "the configuration; see soong-config(5)"),
    ("~/.config/soong/credentials.toml", "API keys and tokens, readable by you only"),
    ("~/.local/state/soong", "logs, pinned host keys, and what providers last said"),
    ("$XDG_RUNTIME_DIR/soong", "running tunnels, or ~/.local/state/soong/run where that is not set"),
];

/// Variables that every page tells of.
const ENVIRONMENT: &[(&str, &str)] = &[
    ("SOONG_CONFIG", "another configuration file"),
    ("XDG_CONFIG_HOME, XDG_STATE_HOME, XDG_RUNTIME_DIR", "where FILES are"),
    ("NO_COLOR", "when set, nothing is coloured, unless --color says so"),
    (
        "CLICOLOR_FORCE",
        "when set to anything but 0, what is no terminal is coloured as well, unless NO_COLOR is set",
    ),
];

#[test]
fn programs() {
    for (name, summary) in BUILT_IN {
        if let Some(definition) = definition(name) {
            check(&format!("man/soong-{name}.1"), &program::page(name, summary, definition));
        } else {
            assert!(path(&format!("man/soong-{name}.1")).is_file(), "no man/soong-{name}.1");
        }
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

/// All pages that are checked in.
fn pages() -> Vec<PathBuf> {
    let mut pages: Vec<PathBuf> =
        fs::read_dir(path("man")).unwrap().map(|entry| entry.unwrap().path()).collect();
    pages.sort();
    assert!(!pages.is_empty());
    pages
}

/// What the tool prints about a page.
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
        // What is not installed here, and how a page is written that is read only when it is rendered.
        let passed_over = ["referenced manual not found", "input text line longer than"];
        let is_fault = |line: &&str| !passed_over.iter().any(|known| line.contains(known));
        let faults: Vec<&str> = said.lines().filter(is_fault).collect();
        assert!(faults.is_empty(), "{}", faults.join("\n"));
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
