//! The spinner that a waiting command shows at a terminal: nothing for a second, then a line that disappears
//! again.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::os::unix::fs::PermissionsExt as _;
use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::support::instance::Instance;
use crate::support::run::Run;
use crate::support::sandbox::Sandbox;
use crate::support::terminal::Terminal;
use crate::support::{tools, wait};

/// The last thing that a spinner writes.
const CLEARED: &str = "\r\x1b[2K";
const CTRL_C: &str = "\x03";

/// A sandbox whose provider answers once the file `answer` is there.
fn slow() -> Sandbox {
    let mut sandbox = Sandbox::new();
    sandbox.configure(|config| {
        config.set(["providers", "slow"], true);
    });
    let program = sandbox.path("bin/soong-provider-slow");
    let list = r#"{"api":1,"instances":[{"id":"a1","name":"gpu","status":"active","host":"192.0.2.1"}]}"#;
    let wait = "while ! [ -e \"$HOME/answer\" ]; do sleep 0.05; done";
    sandbox.write(&program, format!("#!/bin/sh\n{wait}\necho '{list}'\n"));
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    sandbox
}

fn status<'a>(sandbox: &'a Sandbox, args: &[&str]) -> Run<'a> {
    let path = format!("{}:{}", sandbox.path("bin").display(), tools::system_path().to_str().unwrap());
    sandbox.soong(["status"]).args(args).env("PATH", path)
}

/// Returns the text on the terminal after the last spinner line, which must be erased.
#[track_caller]
fn behind_spinner(screen: &str, message: &str) -> String {
    let at = screen.rfind(message).unwrap_or_else(|| panic!("no {message:?} in {screen:?}"));
    let (_, rest) = screen[at..].split_once(CLEARED).unwrap_or_else(|| panic!("a line is left: {screen:?}"));
    rest.to_owned()
}

#[test]
fn a_slow_provider_is_waited_for_with_a_line_that_goes() {
    let sandbox = slow();
    for columns in [80, 30] {
        let _ = fs::remove_file(sandbox.home().join("answer"));
        let mut terminal = Terminal::run(&status(&sandbox, &[]), 24, columns);
        terminal.wait_for("Asking slow: 2s");
        sandbox.write(&sandbox.home().join("answer"), "");
        assert_eq!(terminal.finish(), 0, "{}", terminal.screen());
        terminal.wait_for("gpu");
        assert!(
            !behind_spinner(&terminal.screen(), "Asking slow").contains("Asking"),
            "{}",
            terminal.screen()
        );
    }
}

#[test]
fn known_instances_are_shown_until_the_answer_is_there() {
    let sandbox = slow();
    sandbox.write(&sandbox.home().join("answer"), "");
    status(&sandbox, &[]).stdout_has("active").run();
    fs::remove_file(sandbox.home().join("answer")).unwrap();
    let mut terminal = Terminal::run(&status(&sandbox, &[]), 24, 80);
    terminal.wait_for("active?");
    terminal.wait_for("Asking slow");
    sandbox.write(&sandbox.home().join("answer"), "");
    assert_eq!(terminal.finish(), 0, "{}", terminal.screen());
    let (_, rest) =
        terminal.screen().rsplit_once("active?").map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
    // Up two lines and clear, then the answer.
    assert!(rest.contains("\x1b[2A") && rest.contains("active ") && !rest.contains("active?"), "{rest:?}");
}

#[test]
fn a_short_wait_and_one_for_a_program_show_nothing() {
    let sandbox = slow();
    let mut json = Terminal::run(&status(&sandbox, &["--json"]), 24, 80);
    let mut terminal = Terminal::run(&status(&sandbox, &[]), 24, 80);
    terminal.wait_for("Asking slow");
    sandbox.write(&sandbox.home().join("answer"), "");
    for terminal in [&mut json, &mut terminal] {
        assert_eq!(terminal.finish(), 0, "{}", terminal.screen());
    }
    json.wait_for("192.0.2.1");
    assert!(!json.screen().contains("Asking"), "{}", json.screen());
    let quick = || {
        let begun = Instant::now();
        let mut terminal = Terminal::run(&status(&sandbox, &[]), 24, 80);
        assert_eq!(terminal.finish(), 0, "{}", terminal.screen());
        terminal.wait_for("gpu");
        (begun.elapsed() < Duration::from_secs(1)).then(|| terminal.screen())
    };
    let screen = wait::until("a run that takes less than a second", quick);
    assert!(!screen.contains("Asking"), "{screen:?}");
}

#[test]
fn without_a_terminal_a_plain_line_says_it_once() {
    let sandbox = slow();
    let mut child =
        status(&sandbox, &[]).command().stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    stderr.read_line(&mut line).unwrap();
    assert_eq!(line, "Asking slow...\n");
    sandbox.write(&sandbox.home().join("answer"), "");
    let mut rest = String::new();
    stderr.read_to_string(&mut rest).unwrap();
    assert_eq!((child.wait().unwrap().code(), rest.as_str()), (Some(0), ""));
}

#[test]
fn ctrl_c_removes_the_line() {
    let sandbox = slow();
    let (mute, _listener) = Sandbox::mute();
    for (run, message) in
        [(status(&sandbox, &[]), "Asking slow"), (mute.tunnel(["start"]), "Waiting for dev: 1s")]
    {
        let mut terminal = Terminal::run(&run, 24, 80);
        terminal.wait_for(message);
        terminal.type_text(CTRL_C);
        assert_eq!(terminal.finish(), 130, "{}", terminal.screen());
        let rest = behind_spinner(&terminal.screen(), message);
        assert!(!rest.contains(message), "{rest:?}");
    }
}

#[test]
fn a_session_waits_for_its_tunnel_with_a_line_that_goes() {
    let mut instance = Instance::start();
    let sandbox = Sandbox::with(&instance);
    sandbox.start(&instance);
    instance.sshd.stop();
    let state = || sandbox.tunnel(["status", "--json"]).unchecked().stdout;
    wait::until_true("the loss", || state().contains("reconnecting"));
    let mut terminal = Terminal::run(&sandbox.soong(["ssh", "--", "echo arr\"\"ived"]), 24, 80);
    terminal.wait_for("Waiting for the tunnel to dev, at most 30s: 1s");
    instance.sshd.resume();
    terminal.wait_for("arrived");
    assert_eq!(terminal.finish(), 0, "{}", terminal.screen());
    let rest = behind_spinner(&terminal.screen(), "Waiting for");
    assert!(rest.contains("arrived") && !rest.contains("Waiting"), "{rest:?}");
}
