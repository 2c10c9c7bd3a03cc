//! Choosing among several instances at a terminal.

use crate::support::instance::Instance;
use crate::support::sandbox::Sandbox;
use crate::support::terminal::Terminal;

/// Bytes that a terminal sends for the down arrow.
const DOWN: &str = "\x1b[B";

fn with_two(instance: &Instance) -> Sandbox {
    let mut sandbox = Sandbox::with(instance);
    sandbox.configure(|config| {
        config.instance("staging", "192.0.2.9", 22);
    });
    sandbox
}

#[test]
fn the_one_that_is_picked_is_the_one_that_is_meant() {
    let instance = Instance::start();
    let sandbox = with_two(&instance);
    let mut terminal = Terminal::run(&sandbox.tunnel(["start", "--dry-run"]), 24, 80);
    terminal.wait_for("staging");
    terminal.type_text(DOWN);
    terminal.type_text("\r");
    terminal.wait_for("@192.0.2.9");
    assert_eq!(terminal.finish(), 0, "{}", terminal.screen());
}

#[test]
fn picking_none_leaves_the_terminal_as_it_was() {
    const SHOW_CURSOR: &str = "\x1b[?25h";
    let instance = Instance::start();
    let sandbox = with_two(&instance);
    for (key, code) in [("\x03", 130), ("\x1b", 1)] {
        let mut terminal = Terminal::run(&sandbox.soong(["ssh", "--print"]), 24, 80);
        terminal.wait_for("staging");
        terminal.type_text(key);
        assert_eq!(terminal.finish(), code, "{}", terminal.screen());
        terminal.wait_for(SHOW_CURSOR);
    }
}
