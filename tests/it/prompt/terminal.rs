//! The hooks at work: real shells at a terminal, and a real tunnel.

use nix::sys::signal::Signal;

use super::hooks::SHELLS;
use crate::support::instance::Instance;
use crate::support::sandbox::Sandbox;
use crate::support::{process, wait};

#[test]
fn the_next_prompt_knows_of_a_killed_supervisor() {
    let instance = Instance::start();
    let sandbox = Sandbox::with(&instance);
    let pid = sandbox.start(&instance);
    let soong = env!("CARGO_BIN_EXE_soong");
    let mut terminals = SHELLS.map(|shell| {
        let mut terminal = shell.open(&sandbox);
        terminal.type_text(&match shell.name {
            "fish" => format!("'{soong}' init fish | source\r"),
            name => format!("eval \"$('{soong}' init {name})\"\r"),
        });
        terminal.wait_for("= dev");
        terminal
    });
    for terminal in &terminals {
        assert!(!terminal.screen().contains("dev down"), "{}", terminal.screen());
    }
    process::signal(pid, Signal::SIGKILL);
    wait::until_true("the supervisor to die", || !process::is_alive(pid));
    for terminal in &mut terminals {
        terminal.type_text("\r");
        terminal.wait_for("! dev down");
        terminal.type_text("exit\r");
        terminal.finish();
    }
}
