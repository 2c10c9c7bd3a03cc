//! Instances whose names mean something to a shell or a terminal.

use serde_json::{Value, json};

use super::shell::{Kind, Shell};
use crate::support::sandbox::Sandbox;

/// Names that can be completed: what a shell would make of them is quoted away.
const QUOTED: &[&str] = &[
    "a $(touch pwned)",
    "b `touch pwned`",
    "c;touch pwned",
    "d' touch pwned",
    "e\" touch pwned",
    "f\\ x",
    "g|touch pwned",
    "h*?[x]",
    "i{a,b}",
    "j#k",
    "l&touch pwned",
    "m<x>y",
    "o~p",
    "n größe",
    "r %F{red} $HOME",
    "s!s",
];
/// Names that cannot: they would act on the terminal or do not fit into a line.
const LEFT_OUT: &[&str] = &["x\nx", "y\ty", "z\u{1b}]0;title\u{7}", "\u{9b}31m", "\u{202e}gpj"];

fn check(kind: Kind) {
    let mut sandbox = Sandbox::new();
    sandbox.provide("static", "exit 1");
    let instance = |(number, name): (usize, &&str)| json!({"id": format!("{number:04}"), "name": name});
    let instances: Vec<Value> = QUOTED.iter().chain(LEFT_OUT).enumerate().map(instance).collect();
    let answer = json!({"taken": 1, "answer": {"api": 1, "instances": instances}});
    let cache = json!({"version": 1, "providers": {"static": answer}});
    sandbox.write(&sandbox.path("home/.local/state/soong/instances.json"), cache.to_string());
    let mut shell = Shell::start(kind, &sandbox, "");
    for name in QUOTED {
        let first = name.chars().next().unwrap();
        let words = shell.words(&format!("soong ssh --instance-id {first}\t"));
        assert_eq!(words, ["soong", "ssh", "--instance-id", name], "{kind:?}");
    }
    // In quotes, where `!` cannot be kept from bash.
    for name in QUOTED.iter().filter(|name| !name.contains('!')) {
        let first = name.chars().next().unwrap();
        for quote in ['"', '\''] {
            let words = shell.words(&format!("soong ssh --instance-id {quote}{first}\t"));
            assert_eq!(words, ["soong", "ssh", "--instance-id", name], "{kind:?} {quote}");
        }
    }
    for first in ["x", "y", "z"] {
        let words = shell.words(&format!("soong ssh --instance-id {first}\t"));
        // fish looks for what was typed in descriptions as well, and may find the id.
        assert!(words[3] == first || kind == Kind::Fish && words[3].starts_with("00"), "{kind:?}: {words:?}");
    }
    shell.shows("soong ssh --instance-id \t\t", &["touch pwned"]);
    let left = sandbox.files().into_iter().filter(|file| file.ends_with("pwned")).count();
    assert_eq!(left, 0, "{kind:?}: something was executed");
}

#[test]
fn bash_executes_no_names() {
    check(Kind::Bash);
}

#[test]
fn zsh_executes_no_names() {
    check(Kind::Zsh);
}

#[test]
fn fish_executes_no_names() {
    check(Kind::Fish);
}
