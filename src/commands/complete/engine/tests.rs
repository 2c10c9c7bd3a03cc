//! Positions on command lines and the expected candidates.

use clap::CommandFactory;

use super::*;
use crate::commands::{configure, ssh, status, tunnel};

/// Returns a summary of the candidates for a line.
fn offered(definition: Command, line: &str) -> String {
    let words: Vec<&str> = line.split(' ').collect();
    let (last, before) = words.split_last().unwrap();
    let answer = complete(definition, before, last, 0);
    let values: Vec<&str> = answer.candidates.iter().map(|candidate| candidate.value.as_str()).collect();
    match values.join(" ") {
        index if answer.directive == Directive::COMMAND => format!("command line from {index}"),
        _ if answer == Answer::files() => "files".to_owned(),
        values => values,
    }
}

fn tunnel(line: &str) -> String {
    offered(tunnel::arguments::Arguments::command(), line)
}

fn ssh(line: &str) -> String {
    offered(ssh::arguments::Arguments::command(), line)
}

#[test]
fn subcommands_come_first_and_hidden_ones_never() {
    assert!(tunnel("").starts_with("start status stop restart"), "{}", tunnel(""));
    assert!(!tunnel("").contains("hooks"));
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
    assert!(tunnel("start --help --").contains("--port"));
    assert!(tunnel("run --p").contains("--port"), "options stand before the command");
}

#[test]
fn values_follow_their_options_in_each_spelling() {
    let shells = "bash zsh fish sh";
    for line in ["env --shell ", "env --shell f", "env --instance-id x --shell "] {
        assert_eq!(tunnel(line), shells, "{line}");
    }
    assert_eq!(tunnel("env --shell=f"), "--shell=bash --shell=zsh --shell=fish --shell=sh");
    let idle = "--on-demand=10m --on-demand=30m --on-demand=1h --on-demand=off";
    for line in ["start --on-demand=", "start dev --on-demand=1"] {
        assert_eq!(tunnel(line), idle, "{line}");
    }
    assert!(!tunnel("start --on-demand ").contains("10m"), "its value stands in the same word");
    let socks = "1080";
    for line in ["start --socks ", "start --socks 5 --socks ", "restart --socks 5 --socks 1"] {
        assert_eq!(tunnel(line), socks, "{line}");
    }
    assert_eq!(tunnel("restart --socks=5 --socks="), "--socks=1080", "not the name of a tunnel");
    for nothing in
        ["logs -n ", "logs -fn ", "start --dry-run=", "start --unknown=", "start -- x", "stop -- d"]
    {
        assert_eq!(tunnel(nothing), "", "{nothing}");
    }
    // --wait takes its value after = only, so that a name follows.
    assert!(tunnel("start --wait -").starts_with("--instance-id"));
    assert_eq!(tunnel("start --wait="), "");
    let status = |line: &str| offered(status::arguments::Arguments::command(), line);
    assert!(status("--watch -").starts_with("--instance-id"), "an optional value");
    assert!(status("--watch --").starts_with("--instance-id"));
}

#[test]
fn behind_two_dashes_stands_a_command() {
    assert_eq!(ssh(""), "config");
    assert!(ssh("--instance-id config --").contains("--print"), "an instance that is called like a command");
    assert!(ssh("config --").starts_with("--install"), "{}", ssh("config --"));
    for (line, expected) in [
        ("-- ", "command line from 1"),
        ("--print -- ", "command line from 2"),
        ("--print -- ls -l ", "command line from 2"),
        ("-- config ", "command line from 1"),
        ("-- ls -- --pr", "command line from 1"),
    ] {
        assert_eq!(ssh(line), expected, "{line}");
    }
    for (line, expected) in [
        ("run ", "command line from 1"),
        ("run --auto-ports l", "command line from 2"),
        ("run ls -l --port ", "command line from 1"),
        ("run --port wrong -- ls --", "command line from 4"),
    ] {
        assert_eq!(tunnel(line), expected, "{line}");
    }
}

#[test]
fn arguments_of_a_subcommand_are_its_own() {
    let configure = |line: &str| offered(configure::arguments::Arguments::command(), line);
    assert_eq!(configure("set ssh.host-key-check "), "pin strict off");
    assert_eq!(configure("set ssh.key "), "files");
    assert_eq!(configure("get --reveal -"), "--help");
    for line in ["--key ", "--key=", "import ", "import --", "--user x --key a"] {
        let expected = if line == "import --" { "--help" } else { "files" };
        assert_eq!(configure(line), expected, "{line}");
    }
    assert_eq!(configure("--user "), "", "no words to choose from");
}
