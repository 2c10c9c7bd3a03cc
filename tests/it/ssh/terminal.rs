//! A session at a terminal: what is typed, the window, and the terminal afterwards.

use super::{CONNECTIONS, connected};
use crate::support::terminal::Terminal;

#[test]
fn ctrl_c_goes_to_the_command_on_the_instance() {
    for shared in CONNECTIONS {
        let (_instance, sandbox) = connected(shared);
        let script = "trap 'echo caught; exit 9' INT; echo ready; while :; do sleep 1; done";
        let mut terminal = Terminal::run(&sandbox.soong(["ssh", "-t", "--", script]), 24, 80);
        terminal.wait_for("ready");
        terminal.type_text("\x03");
        terminal.wait_for("caught");
        assert_eq!(terminal.finish(), 9, "{}", terminal.screen());
    }
}

#[test]
fn the_window_has_its_size_and_changes_it() {
    for shared in CONNECTIONS {
        let (_instance, sandbox) = connected(shared);
        let script = "trap 'stty size; exit 0' WINCH; stty size; while :; do sleep 1; done";
        let mut terminal = Terminal::run(&sandbox.soong(["ssh", "-t", "--", script]), 33, 101);
        terminal.wait_for("33 101");
        terminal.resize(44, 120);
        terminal.wait_for("44 120");
        assert_eq!(terminal.finish(), 0);
    }
}

#[test]
fn a_shell_is_a_shell_and_leaves_the_terminal_as_it_was() {
    for shared in CONNECTIONS {
        let (_instance, sandbox) = connected(shared);
        let mut terminal = Terminal::run(&sandbox.soong(["ssh"]), 24, 80);
        let before = terminal.modes();
        terminal.type_text("echo $((40 + 2)) $(tty | cut -c 1-8)\n");
        terminal.wait_for("42 /dev/pts");
        assert_ne!(terminal.modes(), before, "ssh wants every key");
        terminal.type_text("exit 5\n");
        assert_eq!(terminal.finish(), 5, "{}", terminal.screen());
        assert_eq!(terminal.modes(), before);
    }
}

#[test]
fn without_a_terminal_there_is_none_on_the_instance() {
    let (_instance, sandbox) = connected(true);
    sandbox.soong(["ssh", "--", "tty"]).code(1).stdout("not a tty\n").run();
}

#[test]
fn a_session_may_ask_for_what_a_tunnel_may_not() {
    let (_instance, mut sandbox) = connected(false);
    sandbox.configure(|config| {
        config.set(["ssh", "host-key-check"], "pin");
        config.set(["instances", "dev", "id"], "unknown");
    });
    let run = sandbox.soong(["ssh", "-o", "StrictHostKeyChecking=ask", "--", "echo in"]);
    let mut terminal = Terminal::run(&run, 24, 80);
    terminal.wait_for("(yes/no");
    terminal.type_text("yes\n");
    terminal.wait_for("in\r\n");
    assert_eq!(terminal.finish(), 0);
}
