//! Positions on command lines, and what is expected there.

use clap::CommandFactory;

use super::*;
use crate::commands::{configure, ssh, status, tunnel};

/// What is expected behind a line, in a few words.
fn described(mut command: Command, line: &str) -> String {
    command.build();
    let words: Vec<&str> = line.split(' ').collect();
    let (last, before) = words.split_last().unwrap();
    let words = |words: &[Candidate]| {
        words.iter().map(|candidate| candidate.value.as_str()).collect::<Vec<_>>().join(" ")
    };
    match expected(&command, before, last) {
        Expected::Words(candidates) => words(&candidates),
        Expected::Value { argument, prefix, instead, .. } => {
            format!("{prefix}<{}> {}", argument.get_id(), words(&instead)).trim_end().to_owned()
        }
        Expected::CommandLine { index } => format!("command line from {index}"),
        Expected::Nothing => "nothing".to_owned(),
    }
}

fn tunnel(line: &str) -> String {
    described(tunnel::arguments::Arguments::command(), line)
}

#[test]
fn subcommands_come_first_and_hidden_ones_never() {
    assert!(tunnel("").starts_with("start status stop restart"), "{}", tunnel(""));
    assert!(!tunnel("").contains("supervise"));
    assert_eq!(tunnel("-"), "--help --version");
    assert_eq!(tunnel("start extra st").split(' ').next(), Some("--instance-id"));
}

#[test]
fn options_are_offered_once() {
    let options = tunnel("start --dry-run -q -");
    for gone in ["--dry-run", "--quiet"] {
        assert!(!options.contains(gone), "{options}");
    }
    for there in ["--verbose", "--port", "--help"] {
        assert!(options.contains(there), "{options}");
    }
    assert!(tunnel("start --port a=1 --p").contains("--port"), "one that can be repeated");
}

#[test]
fn values_follow_their_options_in_each_spelling() {
    for (line, expected) in [
        ("start --instance-id ", "<instance_id>"),
        ("start --instance-id d", "<instance_id>"),
        ("start --instance-id=d", "--instance-id=<instance_id>"),
        ("start --instance-id dev --port com", "<ports>"),
        ("start --wait=", "--wait=<wait>"),
        ("logs -n ", "<lines>"),
        ("logs -fn ", "<lines>"),
        ("stop ", "<name>"),
        ("stop --quiet d", "<name>"),
        ("stop -- d", "<name>"),
        ("env --shell ", "<shell>"),
        ("start --dry-run=", "nothing"),
        ("start -- x", "nothing"),
    ] {
        assert_eq!(tunnel(line), expected, "{line}");
    }
    // --wait takes its value behind a = only.
    assert!(tunnel("start --wait ").starts_with("--instance-id"));
    let status = |line: &str| described(status::arguments::Arguments::command(), line);
    assert!(status("--watch ").starts_with("<watch> --instance-id"), "an optional value");
    assert!(status("--watch --").starts_with("--instance-id"));
}

#[test]
fn behind_two_dashes_stands_a_command() {
    let ssh = |line: &str| described(ssh::arguments::Arguments::command(), line);
    assert_eq!(ssh(""), "config");
    assert_eq!(ssh("--print -- "), "command line from 2");
    assert_eq!(ssh("--print -- ls -l "), "command line from 2");
}

#[test]
fn arguments_of_a_subcommand_are_its_own() {
    let configure = |line: &str| described(configure::arguments::Arguments::command(), line);
    assert_eq!(configure("get "), "<key>");
    assert_eq!(configure("set ssh.user "), "<value>");
    assert_eq!(configure("set ssh.user -"), "<value>");
    assert_eq!(configure("get --reveal -"), "--help");
    assert_eq!(configure("--key "), "<key>");
    assert_eq!(configure("import "), "<file>");
}
