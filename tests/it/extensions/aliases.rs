//! Aliases: what they stand for, and what is refused.

use super::{script, soong};
use crate::support::sandbox::Sandbox;
use crate::support::terminal::Terminal;

/// A sandbox with these aliases, and an extension that shows its arguments.
fn with(aliases: &[(&str, &str)]) -> Sandbox {
    let mut sandbox = Sandbox::new();
    sandbox.configure(|config| {
        for (name, text) in aliases {
            config.set(["alias", name], *text);
        }
    });
    script(&sandbox, "bin/soong-show", "for word; do printf '<%s>' \"$word\"; done; echo; exit 7");
    sandbox
}

#[test]
fn an_alias_is_what_it_stands_for() {
    let sandbox = with(&[("s", "show 'a b' --x"), ("t", "s 2"), ("st", "tunnel status")]);
    soong(&sandbox, ["s", "c d", "--help"]).code(7).stdout("<a b><--x><c d><--help>\n").run();
    soong(&sandbox, ["t", ""]).code(7).stdout("<a b><--x><2><>\n").run();
    soong(&sandbox, ["st"]).code(3).stdout("Tunnel is not running\n").run();
}

#[test]
fn a_command_of_the_shell_gets_the_rest_as_arguments() {
    let sandbox = with(&[
        ("say", "!echo \"$0\" \"$SOONG_API\" and"),
        ("second", "!echo $2"),
        ("count", "!echo $#"),
        ("fail", "!exit 9 #"),
        ("pre", "say early"),
    ]);
    let hostile = "$(touch hit); touch hit; `touch hit` \"'";
    soong(&sandbox, ["say", hostile]).stdout(format!("soong-say 1 and {hostile}\n")).run();
    soong(&sandbox, ["second", "a", "b"]).stdout("b\n").run();
    soong(&sandbox, ["count", "", "x y"]).stdout("2\n").run();
    soong(&sandbox, ["fail"]).code(9).run();
    soong(&sandbox, ["pre", "late"]).stdout("soong-pre 1 and early late\n").run();
    assert!(!sandbox.path("tmp/hit").exists());
}

#[test]
fn loops_and_nonsense_are_refused() {
    let sandbox = with(&[("a", "b"), ("b", "a"), ("lost", "nothing-there x")]);
    soong(&sandbox, ["a"]).fails(1, ["refers to itself", "a → b → a"]).hint("alias.a").run();
    soong(&sandbox, ["lost"]).fails(2, ["'lost' runs 'nothing-there'"]).hint("alias.lost").run();
    let sandbox = with(&[]);
    for (key, value) in [("alias.x", "a 'b"), ("alias.x", "!"), ("alias.a/b", "show")] {
        sandbox.soong(["configure", "set", key, value]).code(2).stderr_has("soong-configure: ").unchecked();
        assert!(!std::fs::read_to_string(sandbox.config_file()).unwrap().contains("[alias]"), "{key}");
    }
    soong(&sandbox, ["configure", "set", "alias.up", "tunnel start"]).run();
    soong(&sandbox, ["configure", "set", "alias.go", "up --wait"]).run();
    soong(&sandbox, ["configure", "set", "alias.up", "go"])
        .fails(1, ["refers to itself", "up → go → up"])
        .hint("alias.up")
        .run();
    soong(&sandbox, ["help", "up"]).stdout("'up' is an alias of 'tunnel start'\n").run();
}

/// As when a later soong adds a command with the name of a user's alias.
#[test]
fn an_alias_with_the_name_of_a_command_breaks_nothing_and_is_told() {
    let sandbox = with(&[("status", "!touch hit"), ("x", "status --json")]);
    soong(&sandbox, ["status"]).stdout_has("No instances").stderr_has("hint: run 'soong configure'").run();
    soong(&sandbox, ["x"]).stdout_has("\"api\":").run();
    soong(&sandbox, ["help", "x"]).stdout("'x' is an alias of 'status --json'\n").run();
    let list = soong(&sandbox, ["ext", "list"]).stdout_has("").run().stdout;
    let warning = "the alias status is not used: soong status is a built-in command";
    assert_eq!(list.matches(&format!("\nwarning: {warning}")).count(), 1, "{list}");
    soong(&sandbox, ["ext", "list", "--json"]).stdout_has(format!("\"warnings\":[\"{warning}")).run();
    // Other settings can be changed, and the alias taken out, as is said.
    soong(&sandbox, ["configure", "set", "ssh.keepalive", "9"]).run();
    soong(&sandbox, ["configure", "unset", "alias.status"]).run();
    let list = soong(&sandbox, ["ext", "list"]).stdout_has("show").run().stdout;
    assert!(!list.contains("warning") && !sandbox.path("tmp/hit").exists(), "{list}");
}

#[test]
fn no_alias_is_written_that_has_the_name_of_a_command() {
    let sandbox = with(&[("status", "tunnel status")]);
    let before = std::fs::read_to_string(sandbox.config_file()).unwrap();
    for name in ["tunnel", "help", "ext", "status"] {
        soong(&sandbox, ["configure", "set", &format!("alias.{name}"), "show"])
            .fails(2, [name, "built-in command"])
            .hint("another name")
            .run();
    }
    let edit = |editor: &str| soong(&sandbox, ["configure", "edit"]).env("EDITOR", editor);
    edit("sed -i 's/^status = /tunnel = \"x\"\\n&/'")
        .fails(1, ["\"tunnel\" is a built-in command"])
        .hint("another name")
        .hint("is kept in")
        .run();
    assert_eq!(std::fs::read_to_string(sandbox.config_file()).unwrap(), before);
    // An alias that existed before the edit is no error.
    edit("sed -i 's/^status = /up = \"tunnel start\"\\n&/'").run();
    soong(&sandbox, ["help", "up"]).stdout("'up' is an alias of 'tunnel start'\n").run();
}

#[test]
fn a_program_on_the_path_goes_first() {
    let sandbox = with(&[("show", "tunnel status"), ("x", "show 1")]);
    soong(&sandbox, ["show"]).code(7).stdout("\n").run();
    soong(&sandbox, ["x"]).code(7).stdout("<1>\n").run();
}

#[test]
fn a_config_that_makes_no_sense_is_told_where_an_alias_may_be_meant() {
    let sandbox = with(&[]);
    sandbox.write(&sandbox.config_file(), "[alias]\nx = 7\n");
    soong(&sandbox, ["x"]).fails(2, ["no command 'x'"]).hint("line 2").run();
    soong(&sandbox, ["show"]).code(7).stdout("\n").run();
}

#[test]
fn an_alias_gets_the_terminal() {
    let sandbox = with(&[("ask", "!printf 'name? '; read name; echo \"hello $name\" #")]);
    let mut terminal = Terminal::run(&soong(&sandbox, ["ask"]), 24, 80);
    terminal.wait_for("name? ");
    terminal.type_text("ann\r");
    terminal.wait_for("hello ann");
    assert_eq!(terminal.finish(), 0);
}
