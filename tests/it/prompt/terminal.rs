//! The hooks at work: real shells at a terminal, and a real tunnel.

use nix::sys::signal::Signal;

use super::hooks::{SHELLS, Shell};
use crate::support::instance::Instance;
use crate::support::sandbox::Sandbox;
use crate::support::tools::tool;
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

/// The name of an instance is whatever a provider says.
#[test]
fn a_prompt_runs_no_name() {
    const NAME: &str = "dev $(touch pwned) `touch pwned` %F{red} \\e]0;x\\a %n";
    let instance = Instance::start();
    let mut sandbox = Sandbox::with(&instance);
    sandbox.configure(|config| {
        config.instance(NAME, "127.0.0.1", instance.sshd.port);
    });
    sandbox.soong(["tunnel", "start", "--instance-id", NAME]).stdout_has("started").run();
    for shell in SHELLS {
        let mut terminal = shell.open(&sandbox);
        terminal.type_text(&match shell.name {
            "zsh" => format!("setopt promptsubst\r{}", shell.load().replace('\n', "\r")),
            _ => shell.load().replace('\n', "\r"),
        });
        terminal.wait_for("= dev");
        // Once more, now that what was shown stands in the variables.
        terminal.type_text("echo en''d $SOONG_STATE\r");
        terminal.wait_for("end up");
        let screen = terminal.screen();
        assert!(!screen.contains("]0;x") && !screen.contains("red"), "{screen}");
        terminal.type_text("exit\r");
        terminal.finish();
    }
    let left = sandbox.files().into_iter().filter(|file| file.ends_with("pwned")).count();
    assert_eq!(left, 0, "something was executed");
}

/// How many processes `shell` starts while it shows `prompts` prompts, beside what it starts anyway.
fn processes_of(shell: &Shell, sandbox: &Sandbox, prompts: usize) -> usize {
    let log = sandbox.path("strace");
    let calls = ["-f", "-qq", "-e", "trace=fork,vfork,clone,clone3,execve", "-o", log.to_str().unwrap()];
    let mut terminal = shell.open_through(sandbox, &tool("strace"), &calls);
    terminal.type_text(&shell.load().replace('\n', "\r"));
    terminal.wait_for("= dev");
    for _ in 0..prompts {
        terminal.type_text("\r");
    }
    terminal.type_text("exit\r");
    terminal.finish();
    let made = std::fs::read_to_string(&log).unwrap();
    // A thread is no process.
    made.lines().filter(|line| !line.contains("CLONE_THREAD") && line.contains('(')).count()
}

#[test]
fn a_prompt_starts_no_process() {
    let sandbox = super::options::with_tunnel();
    for shell in &SHELLS {
        let few = processes_of(shell, &sandbox, 1);
        assert_eq!(processes_of(shell, &sandbox, 12), few, "{}", shell.name);
    }
}
