//! Commands that do not exist: what was meant, and what comes of it.

use super::{script, soong};
use crate::support::sandbox::Sandbox;
use crate::support::terminal::Terminal;

fn with(autocorrect: &str) -> Sandbox {
    let mut sandbox = Sandbox::new();
    sandbox.configure(|config| {
        config.set(["help", "autocorrect"], autocorrect);
        config.set(["alias", "hallway"], "tunnel status");
    });
    script(&sandbox, "bin/soong-hallo", "echo \"hallo $1\"");
    sandbox
}

#[test]
fn the_nearest_of_all_commands_are_shown() {
    let sandbox = with("show");
    let output = soong(&sandbox, ["hall"]).fails(2, ["'hall'"]).hint("'hallo'").hint("'hallway'").run();
    assert!(output.stderr.contains("did you mean 'hallo'"), "{}", output.stderr);
    soong(&sandbox, ["help", "hallwy"]).fails(2, ["'hallwy'"]).hint("did you mean 'hallway'").run();
    for index in 0..5 {
        script(&sandbox, &format!("bin/soong-stattus{index}"), "");
    }
    let output = soong(&sandbox, ["stattus"]).fails(2, [""]).run();
    assert_eq!(output.stderr.matches("'stattus").count(), 4, "{}", output.stderr);
}

#[test]
fn nothing_is_guessed_for_whoever_wants_no_guesses() {
    let sandbox = with("never");
    let output = soong(&sandbox, ["hall"]).fails(2, ["'hall'"]).hint("soong help").run();
    assert!(!output.stderr.contains("did you mean"), "{}", output.stderr);
}

#[test]
fn whoever_wants_to_be_asked_is_asked() {
    let sandbox = with("prompt");
    // Without a terminal there is no user to ask.
    soong(&sandbox, ["hall", "you"]).fails(2, ["'hall'"]).hint("'hallo'").run();
    for (answer, code) in [("y\r", 0), ("\r", 2), ("n\r", 2)] {
        let mut terminal = Terminal::run(&soong(&sandbox, ["hall", "you"]), 24, 80);
        terminal.wait_for("Run 'soong hallo' instead?");
        terminal.type_text(answer);
        assert_eq!(terminal.finish(), code, "{}", terminal.screen());
        if code == 0 {
            terminal.wait_for("hallo you");
        }
    }
    let mut terminal = Terminal::run(&soong(&sandbox, ["stop", "--help"]), 50, 100);
    terminal.wait_for("Run 'soong tunnel stop' instead?");
    terminal.type_text("y\r");
    assert_eq!(terminal.finish(), 0, "{}", terminal.screen());
    terminal.wait_for("Usage: soong tunnel stop");
}
