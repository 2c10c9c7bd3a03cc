//! Colour: `--color` before the environment, the environment before the terminal, in every program.

use crate::support::sandbox::Sandbox;

/// First characters of an escape sequence for colour.
const ESCAPE: &str = "\u{1b}[";

/// Returns true if the error message of `soong WORDS` is coloured with these variables set.
fn is_coloured(sandbox: &Sandbox, words: &[&str], environment: &[(&str, &str)]) -> bool {
    let mut run = sandbox.soong(words.iter().copied());
    for (name, value) in environment {
        run = run.env(name, value);
    }
    let said = run.code(2).stdout("").stderr_has("hint:").run().stderr;
    said.contains(ESCAPE)
}

#[test]
fn the_option_comes_before_the_environment() {
    let sandbox = Sandbox::new();
    let force = [("CLICOLOR_FORCE", "1")];
    let both = [("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")];
    for (words, environment, expected) in [
        // A pipe is no terminal.
        ("tunnel --nothing", &[][..], false),
        ("tunnel --nothing", &force, true),
        ("tunnel --nothing", &both, false),
        ("tunnel --color auto --nothing", &force, true),
        ("tunnel --color never --nothing", &force, false),
        ("tunnel --color=always --nothing", &both, true),
        ("tunnel status --color always --nothing", &[], true),
        ("--color always tunnel --nothing", &both, true),
        ("--color=never tunnel --nothing", &force, false),
        ("--color=always --nothing", &[], true),
        ("--color=always nothing-like-it", &both, true),
        ("--color never nothing-like-it", &force, false),
    ] {
        let words: Vec<&str> = words.split(' ').collect();
        assert_eq!(is_coloured(&sandbox, &words, environment), expected, "{words:?} {environment:?}");
    }
}

#[test]
fn every_program_obeys() {
    let sandbox = Sandbox::new();
    for words in [
        "tunnel --color=always start --nothing",
        "ssh --color=always --nothing",
        "ssh --color always -Z",
        "status --nothing --color=always",
        "extend --color always soon",
        "configure --color=always set nothing 1",
        "init --color=always tcsh",
        "prompt --color always --format nothing",
        "ext --color=always nothing",
        "ext --color always exec nothing-like-it",
    ] {
        let words: Vec<&str> = words.split(' ').collect();
        assert!(is_coloured(&sandbox, &words, &[]), "{words:?}");
        let never: Vec<&str> = words
            .iter()
            .map(|word| match *word {
                "--color=always" => "--color=never",
                "always" => "never",
                word => word,
            })
            .collect();
        assert!(!is_coloured(&sandbox, &never, &[("CLICOLOR_FORCE", "1")]), "{never:?}");
    }
}

#[test]
fn a_word_that_is_no_choice_is_refused() {
    let sandbox = Sandbox::new();
    for words in [
        &["--color"][..],
        &["--color", "red"],
        &["--color="],
        &["tunnel", "--color"],
        &["tunnel", "list", "--color", "red"],
        &["prompt", "--color"],
        &["prompt", "--color=red"],
    ] {
        sandbox.soong(words.iter().copied()).code(2).stdout("").stderr_has("--color").run();
    }
}

#[test]
fn the_option_leaves_the_rest_as_it_is() {
    let sandbox = Sandbox::new();
    for words in [
        &["--color", "never", "tunnel", "status"][..],
        &["tunnel", "--color=never", "status"],
        &["tunnel", "status", "--color", "never"],
    ] {
        sandbox.soong(words.iter().copied()).code(3).stdout("Tunnel is not running\n").run();
    }
    sandbox.soong(["configure", "--color", "never", "path"]).stdout_has("config.toml").run();
    sandbox.soong(["ssh", "--color=never", "config", "--print"]).stdout_has("").run();
    sandbox.soong(["--color", "never"]).stdout_has("Usage: soong COMMAND").run();
    sandbox.soong(["--color=always", "--version"]).stdout_has("soong ").run();
}

/// Output for programs and help stay without colour, even if colour is requested.
#[test]
fn help_and_json_have_no_colour() {
    let sandbox = Sandbox::new();
    for words in [
        &["--color=always", "--help"][..],
        &["tunnel", "start", "--help", "--color=always"],
        &["configure", "--color=always", "list", "--json"],
        &["status", "--json", "--color=always"],
        &["prompt", "--format", "json", "--color=always"],
    ] {
        let out = sandbox.soong(words.iter().copied()).stdout_has("").stderr_has("").run().stdout;
        assert!(!out.is_empty() && !out.contains(ESCAPE), "{words:?}: {out}");
    }
}
