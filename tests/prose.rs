//! The words of this repository: comments, messages, help and documentation are plain technical English.
//!
//! The rules are in CONTRIBUTING ("Writing"). This test finds the habits that crept in before; it cannot judge a
//! sentence. Spelling is checked by codespell (`make lint`).

#![allow(clippy::unwrap_used, reason = "a file that cannot be read fails the test")]

use std::path::Path;
use std::process::Command;

/// Phrases to avoid, and what to write instead. Compared in lower case, as whole words.
const PHRASES: &[(&str, &str)] = &[
    ("nobody", "name who: no user, no process, not a terminal"),
    ("somebody", "name who: the user, a client, another process"),
    ("whoever", "name who: the caller, the client"),
    ("in vain", "say what happened: without an answer, not found"),
    ("is to be", "say who does it: \"must be\", \"is\", or an active verb"),
    ("are to be", "say who does it: \"must be\", \"are\", or an active verb"),
    ("was to be", "say who did it"),
    ("by whatever", "drop it, or name the ways"),
    ("what there is", "name the thing"),
    ("those there are", "name the thing: \"list the commands\""),
    ("it is told", "say who reports what"),
    ("by hand what", "say it in one sentence"),
    ("begun with", "use \"starts with\""),
];

/// First words of a doc comment that announce a riddle. A function's comment begins with a verb in the third person
/// ("Returns", "Waits until"), a type's with a noun.
const OPENINGS: &[&str] = &["What", "Whether", "Who", "Has", "Have", "Nobody", "Somebody"];

/// Files that quote such phrases, or use the account `nobody`.
const QUOTING: &[&str] = &["tests/prose.rs", "CHANGELOG.md", "tests/it/faults/pam.rs"];

#[test]
fn the_words_are_plain() {
    let mut faults = Vec::new();
    for file in files() {
        if QUOTING.contains(&file.as_str()) {
            continue;
        }
        let Ok(text) = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(&file)) else {
            continue;
        };
        faults.extend(faults_of(&file, &text));
    }
    let count = faults.len();
    assert!(faults.is_empty(), "{}\n{count} places; see \"Writing\" in CONTRIBUTING.md", faults.join("\n"));
}

#[test]
fn faults_are_found() {
    let found = |name: &str, text: &str| faults_of(name, text).len();
    assert_eq!(found("a.rs", "/// Whether it runs.\nfn f() {}\n"), 1);
    assert_eq!(found("a.rs", "/// Returns true if it runs.\n/// What it runs is in `b`.\n"), 0);
    assert_eq!(found("a.md", "Somebody waits, in vain.\n"), 2);
    assert_eq!(found("a.md", "fn nobody_waits\n"), 0);
}

/// Returns the files under version control that people read, by path from the root.
fn files() -> Vec<String> {
    let output = Command::new("git")
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(output.status.success(), "git ls-files: {}", String::from_utf8_lossy(&output.stderr));
    let names = String::from_utf8(output.stdout).unwrap();
    let is_text = |name: &&str| {
        let endings = [".rs", ".md", ".sh", ".bash", ".zsh", ".fish", ".py", ".7", "Makefile"];
        endings.iter().any(|ending| name.ends_with(ending))
    };
    let files: Vec<String> = names.split('\0').filter(is_text).map(str::to_owned).collect();
    assert!(files.len() > 100, "{files:?}");
    files
}

fn faults_of(file: &str, text: &str) -> Vec<String> {
    let mut faults = Vec::new();
    let mut before = "";
    for (index, line) in text.lines().enumerate() {
        let place = || format!("{file}:{}", index + 1);
        let lower = line.to_lowercase();
        for (phrase, advice) in PHRASES {
            if has_phrase(&lower, phrase) {
                faults.push(format!("{}: \"{phrase}\": {advice}", place()));
            }
        }
        let line = line.trim_start();
        if let Some(opening) = opening(before, line) {
            faults.push(format!("{}: a doc comment begins with \"{opening}\"", place()));
        }
        before = line;
    }
    faults
}

/// Returns the first word of a doc comment that begins in `line`, if it is one of [`OPENINGS`].
fn opening<'a>(before: &str, line: &'a str) -> Option<&'a str> {
    let marks = ["///", "//!"];
    let text = marks.iter().find_map(|mark| line.strip_prefix(mark))?;
    if marks.iter().any(|mark| before.starts_with(mark)) {
        return None;
    }
    let first = text.split_whitespace().next()?;
    OPENINGS.contains(&first).then_some(first)
}

/// Returns true if `text` has `phrase` with no letter, digit or underscore beside it.
fn has_phrase(text: &str, phrase: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(phrase)
        .any(|(at, _)| !text[..at].ends_with(is_part) && !text[at + phrase.len()..].starts_with(is_part))
}
