//! Questions that ssh asks during login: the user who starts the tunnel answers them at a terminal, and an
//! error reports them where there is none.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use nix::sys::signal::Signal;
use nix::sys::termios::LocalFlags;

use crate::installation;
use crate::support::challenge::{CODE, Challenge, PASSWORD};
use crate::support::config::{forward, path};
use crate::support::curl::get;
use crate::support::instance::Instance;
#[cfg(target_os = "linux")]
use crate::support::network::Network;
use crate::support::process;
use crate::support::run::Run;
use crate::support::sandbox::Sandbox;
use crate::support::terminal::Terminal;
use crate::support::tools::tool;
use crate::support::wait;

const PASSPHRASE: &str = "0pen-se5ame passphrase";

/// A sandbox whose key for `instance` is locked with [`PASSPHRASE`].
fn with_locked_key(instance: &Instance) -> Sandbox {
    let mut sandbox = Sandbox::with(instance);
    let file = sandbox.path("home/locked");
    fs::copy(instance.sshd.key(), &file).unwrap();
    let mut command = std::process::Command::new(tool("ssh-keygen"));
    let status = command.args(["-q", "-p", "-P", "", "-N", PASSPHRASE, "-f"]).arg(&file).status().unwrap();
    assert!(status.success());
    sandbox.use_key(path(&file));
    sandbox
}

/// A sandbox whose instance is `challenge`; no key is tried there.
fn with_challenge(challenge: &Challenge) -> Sandbox {
    let mut sandbox = Sandbox::new();
    sandbox.configure(|config| {
        config.instance("dev", "127.0.0.1", challenge.port);
    });
    sandbox
}

fn at_terminal(sandbox: &Sandbox, args: &[&str]) -> Terminal {
    Terminal::run(&sandbox.tunnel(args), 24, 200)
}

/// Asserts that no process, file or screen tells `secret`.
#[track_caller]
fn assert_kept(sandbox: &Sandbox, terminal: &Terminal, secret: &str) {
    for process in sandbox.processes() {
        assert!(!process.mentions(secret), "{process:?}");
    }
    for file in sandbox.files() {
        let text = String::from_utf8_lossy(&fs::read(&file).unwrap_or_default()).into_owned();
        assert!(!text.contains(secret), "{}: {text}", file.display());
    }
    assert!(!terminal.screen().contains(secret), "{}", terminal.screen());
}

#[track_caller]
fn assert_shows_typing(terminal: &Terminal) {
    let flags = terminal.modes().local_flags;
    assert!(flags.contains(LocalFlags::ECHO | LocalFlags::ICANON | LocalFlags::ISIG), "{flags:?}");
}

#[test]
fn a_passphrase_is_asked_for_at_the_terminal() {
    let instance = Instance::start();
    let sandbox = with_locked_key(&instance);
    let mut terminal = at_terminal(&sandbox, &["start"]);
    terminal.wait_for("ssh asks: Enter passphrase for key");
    assert!(!terminal.modes().local_flags.contains(LocalFlags::ECHO), "{}", terminal.screen());
    terminal.type_text("wr0ng one\n");
    terminal.wait_for("rejected that");
    wait::until_true("the second question", || terminal.screen().matches("ssh asks: ").count() == 2);
    terminal.type_text(&format!("{PASSPHRASE}\n"));
    assert_eq!(terminal.finish(), 0, "{}", terminal.screen());
    terminal.wait_for("SSH tunnel started (PID: ");
    assert_shows_typing(&terminal);
    assert_eq!(get(&sandbox.url(0, "id")), "sglang");
    assert_kept(&sandbox, &terminal, PASSPHRASE);
    assert_kept(&sandbox, &terminal, "wr0ng");

    // There is no user to answer when the link is made anew.
    process::signal(sandbox.clients()[0].pid, Signal::SIGKILL);
    wait::until_true("the tunnel to end", || sandbox.processes().is_empty());
    sandbox
        .tunnel(["status"])
        .code(3)
        .stdout("Tunnel is not running\n")
        .stderr_has("no answer to ssh's question: Enter passphrase for key")
        .stderr_has("ssh-add")
        .run();
    assert_eq!(instance.sshd.logins(), 1);
}

#[test]
fn a_passphrase_that_is_wrong_thrice_is_told_to_be() {
    let instance = Instance::start();
    let sandbox = with_locked_key(&instance);
    let mut terminal = at_terminal(&sandbox, &["start"]);
    for count in 1..=3 {
        wait::until_true("a question", || terminal.screen().matches("ssh asks: ").count() == count);
        terminal.type_text("wrong\n");
    }
    assert_eq!(terminal.finish(), 1, "{}", terminal.screen());
    terminal.wait_for("Error starting tunnel: wrong answer to: Enter passphrase for key");
    terminal.wait_for("ssh-keygen -y -f ");
    assert_shows_typing(&terminal);
    sandbox.assert_idle();
}

#[test]
fn a_server_may_ask_for_a_password_and_a_code() {
    let challenge = Challenge::start();
    let instance = Instance::start();
    let mut sandbox = with_challenge(&challenge);
    let (local, remote) = (sandbox.config.local[0], instance.services[0].port);
    sandbox.configure(|config| {
        config.set(["services", "sglang"], forward(remote, local));
    });
    let mut terminal = at_terminal(&sandbox, &["start"]);
    terminal.wait_for("Password: ");
    let screen = terminal.screen();
    assert!(screen.contains("ssh: Have your token "), "what the server says is shown: {screen}");
    assert!(!screen.contains("\u{1b}[31m"), "and does nothing to the terminal: {screen}");
    terminal.type_text(&format!("{PASSWORD}\n"));
    terminal.wait_for("One-time code: ");
    terminal.type_text(&format!("{CODE}\n"));
    assert_eq!(terminal.finish(), 0, "{}", terminal.screen());
    assert_eq!(get(&sandbox.url(0, "id")), "sglang");
    assert_kept(&sandbox, &terminal, PASSWORD);
    assert_kept(&sandbox, &terminal, CODE);
}

#[test]
fn wrong_answers_are_told_to_be() {
    let challenge = Challenge::start();
    let sandbox = with_challenge(&challenge);
    let mut terminal = at_terminal(&sandbox, &["start"]);
    for count in 1..=6 {
        wait::until_true("a question", || terminal.screen().matches("ssh asks: ").count() == count);
        terminal.type_text("wrong\n");
    }
    assert_eq!(terminal.finish(), 1, "{}", terminal.screen());
    terminal.wait_for("rejected the answer");
    assert_eq!(challenge.attempts(), 3);
    sandbox.assert_idle();
}

/// soong sends no empty answer to a server when there is no user to ask.
#[test]
fn where_nobody_can_answer_the_attempt_fails_and_says_what_was_asked() {
    let challenge = Challenge::start();
    let sandbox = with_challenge(&challenge);
    let reason = ["Error starting tunnel: ", "no answer to ssh's question: ", "Password"];
    sandbox.tunnel(["start"]).fails(1, reason).hint("in a terminal").run();
    let mut terminal = at_terminal(&sandbox, &["start", "--json"]);
    assert_eq!(terminal.finish(), 1);
    terminal.wait_for("no answer to ssh's question: ");
    assert!(!terminal.screen().contains("ssh asks"), "{}", terminal.screen());
    assert_eq!(challenge.attempts(), 0);
    sandbox.assert_idle();
}

#[test]
fn ctrl_c_and_ctrl_d_at_a_question_end_everything() {
    let challenge = Challenge::start();
    let sandbox = with_challenge(&challenge);
    for (flags, key, code) in [
        (vec!["start"], "\x03", 130),
        (vec!["start"], "\x04", 1),
        (vec!["start", "--foreground"], "\x03", 0),
        (vec!["start", "--foreground"], "\x04", 1),
    ] {
        let mut terminal = at_terminal(&sandbox, &flags);
        terminal.wait_for("Password: ");
        terminal.type_text(key);
        assert_eq!(terminal.finish(), code, "{flags:?} {key:?} {}", terminal.screen());
        assert_shows_typing(&terminal);
        sandbox.assert_idle();
    }
    assert_eq!(challenge.attempts(), 0);
}

#[test]
fn a_tunnel_in_the_foreground_asks_there() {
    let challenge = Challenge::start();
    let sandbox = with_challenge(&challenge);
    let mut terminal = at_terminal(&sandbox, &["start", "--foreground"]);
    for (question, answer) in [("Password: ", PASSWORD), ("One-time code: ", CODE)] {
        terminal.wait_for(question);
        terminal.type_text(&format!("{answer}\n"));
    }
    terminal.wait_for("SSH tunnel started");
    assert_kept(&sandbox, &terminal, PASSWORD);
    terminal.type_text("\x03");
    assert_eq!(terminal.finish(), 0, "{}", terminal.screen());
    sandbox.assert_idle();
}

/// A question that stands when its ssh has ended is taken back.
#[test]
fn a_question_is_withdrawn_when_ssh_is_gone() {
    let challenge = Challenge::start();
    let sandbox = with_challenge(&challenge);
    let mut terminal = at_terminal(&sandbox, &["start"]);
    terminal.wait_for("Password: ");
    process::signal(sandbox.clients()[0].pid, Signal::SIGKILL);
    assert_eq!(terminal.finish(), 1, "{}", terminal.screen());
    assert_shows_typing(&terminal);
    sandbox.assert_idle();
}

#[test]
fn an_unknown_host_key_is_shown_under_strict() {
    let instance = Instance::start();
    let mut sandbox = Sandbox::with(&instance);
    let known = sandbox.path("home/known_hosts");
    sandbox.configure(|config| {
        config.set(["ssh", "host-key-check"], "strict");
        config.set(["ssh", "options"], format!("-F none -o UserKnownHostsFile={}", path(&known)));
    });
    // A program may answer whatever it is asked with yes.
    let program = askpass(&sandbox, "echo yes");
    let alone = sandbox.tunnel(["start"]).env("DISPLAY", ":0").env("SSH_ASKPASS", &program);
    alone.fails(1, ["Error starting tunnel: "]).hint("host-key-check").run();
    assert!(!asked(&sandbox).exists());
    let mut terminal = at_terminal(&sandbox, &["start"]);
    terminal.wait_for("continue connecting");
    terminal.wait_for("SHA256:");
    terminal.type_text("perhaps\n");
    terminal.wait_for("please type yes or no");
    terminal.type_text("no\n");
    assert_eq!(terminal.finish(), 1, "{}", terminal.screen());
    let mut terminal = at_terminal(&sandbox, &["start"]);
    terminal.wait_for("continue connecting");
    terminal.type_text("yes\n");
    assert_eq!(terminal.finish(), 0, "{}", terminal.screen());
    assert_eq!(get(&sandbox.url(0, "id")), "sglang");
}

/// The user's own program for questions: notes that it was asked, and does what `script` says.
fn askpass(sandbox: &Sandbox, script: &str) -> PathBuf {
    let file = sandbox.path("bin/askpass");
    sandbox.write(&file, format!("#!/bin/sh\necho \"$#$1\" >>{}\n{script}\n", path(&asked(sandbox))));
    fs::set_permissions(&file, fs::Permissions::from_mode(0o700)).unwrap();
    file
}

fn asked(sandbox: &Sandbox) -> PathBuf {
    sandbox.path("tmp/asked")
}

/// How often the program was asked.
fn count(sandbox: &Sandbox) -> usize {
    fs::read_to_string(asked(sandbox)).unwrap_or_default().matches("1Enter passphrase for key ").count()
}

#[test]
fn where_no_terminal_is_the_users_own_program_is_asked() {
    let instance = Instance::start();
    let sandbox = with_locked_key(&instance);
    let program = askpass(&sandbox, "echo wrong");
    let start = || sandbox.tunnel(["start"]).env("SSH_ASKPASS", &program);
    // ssh would not ask it either without a display, and neither would it run another's.
    start().fails(1, ["Error starting tunnel: ", "no answer to ssh's question: "]).run();
    let relative = sandbox.tunnel(["start"]).env("DISPLAY", ":0").env("SSH_ASKPASS", "bin/askpass");
    relative.fails(1, ["Error starting tunnel: ", "no answer to ssh's question: "]).run();
    assert_eq!(count(&sandbox), 0);
    let start = || start().env("DISPLAY", ":0");
    start().fails(1, ["Error starting tunnel: ", "wrong answer to: "]).run();
    assert_eq!(count(&sandbox), 1, "it is asked once in an attempt");
    askpass(&sandbox, "exit 1");
    start().fails(1, ["Error starting tunnel: ", "no answer to ssh's question: "]).run();
    askpass(&sandbox, &format!("echo '{PASSPHRASE}'"));
    start().stdout_has("SSH tunnel started").run();
    assert_eq!(count(&sandbox), 3);
    let first = sandbox.clients()[0].pid;
    process::signal(first, Signal::SIGKILL);
    wait::until_true("the link to be made anew", || instance.sshd.logins() == 2);
    assert_eq!(get(&sandbox.url(0, "id")), "sglang");
    assert_eq!(count(&sandbox), 4);
    sandbox.tunnel(["stop"]).stdout_has("Stopped").run();
    // A window goes with the ssh that asks.
    fs::write(asked(&sandbox), "").unwrap();
    askpass(&sandbox, "sleep 1000");
    let waiting = start().spawn();
    wait::until_true("the window", || count(&sandbox) == 1);
    process::signal(sandbox.clients()[0].pid, Signal::SIGKILL);
    assert_eq!(waiting.unchecked().code, 1);
    sandbox.assert_idle();
}

/// The link may be alive: then nothing is left of the question.
#[test]
#[cfg(target_os = "linux")]
fn the_question_of_a_second_ssh_goes_when_the_link_is_alive() {
    let instance = Instance::start();
    let network = Network::to(instance.sshd.port);
    let mut sandbox = with_locked_key(&instance);
    sandbox.configure(|config| {
        config.instance("dev", "127.0.0.1", network.port).set(["ssh", "keepalive"], 60);
    });
    let program = askpass(&sandbox, &format!("echo '{PASSPHRASE}'"));
    let start = sandbox.tunnel(["start"]).env("DISPLAY", ":0").env("SSH_ASKPASS", &program);
    start.stdout_has("SSH tunnel started").run();
    askpass(&sandbox, "exec sleep 1000");
    network.hold();
    let url = sandbox.url(1, "id");
    let answer = std::thread::spawn(move || get(&url));
    wait::until_true("the window", || count(&sandbox) == 2);
    network.release();
    assert_eq!(answer.join().unwrap(), "n8n");
    wait::until_true("the window to go", || sandbox.processes().iter().all(|one| one.program() != "sleep"));
    assert_eq!((sandbox.processes().len(), instance.sshd.logins()), (2, 1));
}

/// An upgrade replaces the file of the running supervisor, which ssh runs to ask.
#[test]
fn a_running_tunnel_asks_after_an_upgrade() {
    let instance = Instance::start();
    let sandbox = with_locked_key(&instance);
    let program = askpass(&sandbox, &format!("echo '{PASSPHRASE}'"));
    installation::make(&sandbox, "install-files");
    let start = Run::new(&sandbox, &sandbox.path("usr/bin/soong"), ["tunnel", "start"]);
    start.env("DISPLAY", ":0").env("SSH_ASKPASS", &program).stdout_has("SSH tunnel started").run();
    installation::make(&sandbox, "install-files");
    process::signal(sandbox.clients()[0].pid, Signal::SIGKILL);
    wait::until_true("the link to be made anew", || instance.sshd.logins() == 2);
    assert_eq!(get(&sandbox.url(0, "id")), "sglang");
    assert_eq!(count(&sandbox), 2);
}

/// The program that ssh asks with does nothing for anybody else.
#[test]
fn nobody_else_is_answered() {
    let sandbox = Sandbox::new();
    let program = std::path::Path::new(env!("CARGO_BIN_EXE_soong-supervisor"));
    let run = Run::new(&sandbox, program, ["Password: "]);
    run.env("SOONG_ASKPASS_SOCKET", sandbox.path("nowhere")).code(1).run();
}
