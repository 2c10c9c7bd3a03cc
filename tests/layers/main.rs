//! The layers of `src`, kept: every path that begins with `crate::` or `super::` is read and compared with the rules.
//!
//! `src/lib.rs` draws the layers. A module uses its own folder and lower floors; commands do not use each other, but
//! for `complete`, which reads the definitions of all; of the supervisor, commands see `protocol` (what the two
//! programs say to each other) and `askpass` (questions that a waiting `start` puts to the user).

#![allow(clippy::unwrap_used, reason = "a source file that cannot be read fails the test")]

mod circles;

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

/// The floors, highest first. What is not named here is on the ground floor.
const FLOORS: &[&[&str]] = &[
    &["bin"],
    &["commands"],
    &["supervisor"],
    &["daemon"],
    &["openssh", "runtime"],
    &["instances", "extension"],
    &["config", "ledger"],
    &["command_line"],
    &["system"],
];

/// Paths that break a rule for a reason: the file, the path and why.
const EXCEPTIONS: &[(&str, &str, &str)] = &[
    ("commands/tunnel/start.rs", "supervisor::relay::reserve", "a dry run shows which ports would be taken"),
    ("commands/complete/tests.rs", "supervisor::program", "completion reads the help of every program"),
];

/// One use of a path, in module notation without `crate`.
struct Usage {
    file: String,
    module: Vec<String>,
    path: Vec<String>,
}

#[test]
fn modules_look_downwards_only() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    collect(&root, &mut files);
    let mut report = String::new();
    for file in files {
        let relative = file.strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
        for usage in usages(&relative, &fs::read_to_string(&file).unwrap()) {
            if let Some(rule) = broken_rule(&usage) {
                let path = usage.path.join("::");
                let is_known =
                    |(at, what, _): &(&str, &str, &str)| usage.file.starts_with(at) && path.starts_with(what);
                if !EXCEPTIONS.iter().any(is_known) {
                    writeln!(report, "src/{}: crate::{path}\n    {rule}", usage.file).unwrap();
                }
            }
        }
    }
    assert!(report.is_empty(), "paths against the layers of src/lib.rs:\n{report}");
}

/// Largest number of lines of a file.
const LINES_MAX: usize = 350;

#[test]
fn no_file_is_too_long() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    for folder in ["src", "crates/soong-statusd/src", "crates/soong-extension/src"] {
        collect(&root.join(folder), &mut files);
    }
    let long: Vec<String> = files
        .iter()
        .map(|file| (file, fs::read_to_string(file).unwrap().lines().count()))
        .filter(|(_, lines)| *lines > LINES_MAX)
        .map(|(file, lines)| format!("{}: {lines}", file.display()))
        .collect();
    assert!(long.is_empty(), "over {LINES_MAX} lines; move a part, or the tests, to another file: {long:?}");
}

#[test]
fn a_wrong_path_is_found() {
    let rule = |file: &str, text: &str| {
        let found = usages(file, text);
        found.iter().find_map(broken_rule)
    };
    let table = [
        ("runtime/state.rs", "use crate::supervisor::backoff;", Some("a lower floor")),
        ("config/mod.rs", "use crate::{error, runtime::{lock, state}};", Some("a lower floor")),
        ("runtime/lock.rs", "fn a() { super::super::openssh::Login::new() }", Some("the same floor")),
        ("commands/ssh/session.rs", "use crate::commands::tunnel::start;", Some("another command")),
        ("commands/tunnel/stop.rs", "use crate::supervisor::link::mux;", Some("supervisor::protocol")),
        ("commands/complete/values.rs", "use crate::commands::tunnel::arguments;", None),
        ("commands/tunnel/stop.rs", "use crate::supervisor::protocol::event;", None),
        ("supervisor/link/mux.rs", "use super::super::relay;\nuse crate::openssh;", None),
        ("runtime/state.rs", "// crate::commands", None),
    ];
    for (file, text, expected) in table {
        let found = rule(file, text);
        match expected {
            Some(words) => assert!(found.is_some_and(|rule| rule.contains(words)), "{file}: {text}"),
            None => assert_eq!(found, None, "{file}: {text}"),
        }
    }
}

/// The rule that `usage` breaks, and what to do instead.
fn broken_rule(usage: &Usage) -> Option<&'static str> {
    let (from, to) = (usage.module.first()?, usage.path.first()?);
    if from != to {
        return match (floor(from), floor(to)) {
            (own, other) if other < own => {
                Some("a module uses its own folder and lower floors: move what is needed to a lower floor")
            }
            (own, other) if other == own && own < FLOORS.len() => {
                Some("folders of the same floor do not use each other: move what both need to a lower floor")
            }
            _ if from == "commands" && to == "supervisor" && !is_open(usage.path.get(1)) => Some(
                "commands see supervisor::protocol and supervisor::askpass only: move it there, or lower",
            ),
            _ => None,
        };
    }
    let (command, other) = (usage.module.get(1)?, usage.path.get(1)?);
    let is_foreign = from == "commands" && command != other && command != "complete";
    is_foreign.then_some("a command does not use another command: move what both need to a lower floor")
}

fn is_open(room: Option<&String>) -> bool {
    room.is_some_and(|room| matches!(room.as_str(), "protocol" | "askpass"))
}

/// The floor of a folder, counted from the top; the ground floor has the highest number.
fn floor(folder: &str) -> usize {
    FLOORS.iter().position(|floor| floor.contains(&folder)).unwrap_or(FLOORS.len())
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") && !path.ends_with("lib.rs") {
            files.push(path);
        }
    }
}

/// All paths of a file that begin with `crate` or `super`.
fn usages(file: &str, text: &str) -> Vec<Usage> {
    let mut module: Vec<String> = file.trim_end_matches(".rs").split('/').map(str::to_owned).collect();
    if module.last().is_some_and(|name| name == "mod") {
        module.pop();
    }
    let code: String =
        text.lines().map(|line| line.split("//").next().unwrap_or_default().to_owned() + "\n").collect();
    let mut found = Vec::new();
    for start in ["crate::", "super::"] {
        for (at, _) in code.match_indices(start) {
            let before = code[..at].chars().next_back();
            if before.is_some_and(|c| c.is_alphanumeric() || matches!(c, '_' | ':' | '$')) {
                continue;
            }
            for path in expand(&code[at..]) {
                if let Some(path) = absolute(&module, &path) {
                    found.push(Usage { file: file.to_owned(), module: module.clone(), path });
                }
            }
        }
    }
    found
}

/// The paths of the use tree, or the one path, that `code` begins with.
fn expand(code: &str) -> Vec<Vec<String>> {
    let is_path = |c: char| c.is_alphanumeric() || matches!(c, '_' | ':');
    let end = code.find(|c| !is_path(c)).unwrap_or(code.len());
    let (head, rest) = code.split_at(end);
    let names = |text: &str| -> Vec<String> {
        text.split("::").filter(|name| !name.is_empty()).map(str::to_owned).collect()
    };
    let Some(group) = rest.strip_prefix('{').filter(|_| head.ends_with("::")) else {
        return vec![names(head)];
    };
    let (mut depth, mut pieces, mut piece) = (0, Vec::new(), String::new());
    for c in group.chars() {
        match c {
            '}' if depth == 0 => break,
            ',' if depth == 0 => pieces.push(std::mem::take(&mut piece)),
            _ => {
                depth += usize::from(c == '{');
                depth -= usize::from(c == '}');
                piece.push(c);
            }
        }
    }
    pieces.push(piece);
    let pieces = pieces.iter().map(|piece| piece.trim()).filter(|piece| !piece.is_empty());
    pieces.flat_map(expand).map(|tail| [names(head), tail].concat()).collect()
}

/// `path` from the root of the crate. Within a file's own module for tests, `super` is that file.
fn absolute(module: &[String], path: &[String]) -> Option<Vec<String>> {
    if path.first()? == "crate" {
        return Some(path[1..].to_vec());
    }
    let ups = path.iter().take_while(|name| *name == "super").count();
    let base = module.len().checked_sub(ups)?;
    let full = [&module[..base], &path[ups..]].concat();
    (base > 0 || !full.is_empty()).then_some(full)
}
