//! `soong tunnel run`: the tunnel is there while the command runs, and the command is in charge.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use nix::sys::signal::Signal;

use crate::support::curl::get;
use crate::support::instance::Instance;
use crate::support::sandbox::Sandbox;
use crate::support::terminal::Terminal;
use crate::support::{ports, process, wait};

#[test]
fn a_command_gets_a_tunnel_for_as_long_as_it_runs() {
    let instance = Instance::start();
    let sandbox = Sandbox::with(&instance);
    let [sglang, n8n, _] = sandbox.config.local;
    let script = "echo $OPENAI_BASE_URL $SOONG_N8N_URL; curl -s $SOONG_SGLANG_URL/id; exit 7";
    sandbox
        .tunnel(["run", "--", "sh", "-c", script])
        .code(7)
        .stdout(format!("http://localhost:{sglang}/v1 http://localhost:{n8n}\nsglang"))
        .run();
    sandbox.assert_idle();
}

#[test]
fn a_tunnel_that_was_open_stays_open() {
    let instance = Instance::start();
    let sandbox = Sandbox::with(&instance);
    let pid = sandbox.start(&instance);
    sandbox.tunnel(["run", "--", "true"]).run();
    sandbox.tunnel(["run", "--instance-id", "dev", "false"]).code(1).run();
    assert_eq!(sandbox.supervisors()[0].pid, pid);
    assert_eq!(instance.sshd.logins(), 1);
    let other = ports::free().to_string();
    sandbox
        .tunnel(["run", "--sglang-port", &other, "--", "true"])
        .fails(1, [&format!("the running tunnel does not have sglang on local port {other}")])
        .hint("soong tunnel stop")
        .run();
}

#[test]
fn a_tunnel_that_took_its_place_is_left_alone() {
    let instance = Instance::start();
    let sandbox = Sandbox::with(&instance);
    let soong = env!("CARGO_BIN_EXE_soong");
    sandbox.tunnel(["run", "--", soong, "tunnel", "restart", "--quiet"]).run();
    assert_eq!(get(&sandbox.url(0, "id")), "sglang");
    sandbox.tunnel(["stop"]).stdout_has("Stopped").run();
    sandbox.assert_idle();
}

#[test]
fn what_cannot_be_run_is_refused_before_a_tunnel_is_opened() {
    let instance = Instance::start();
    let sandbox = Sandbox::with(&instance);
    let plain = sandbox.path("tmp-file");
    sandbox.write(&plain, "x");
    fs::set_permissions(&plain, fs::Permissions::from_mode(0o600)).unwrap();
    for (command, code, why) in [
        ("no-such-command", 127, "command not found"),
        ("./nowhere", 127, "No such file or directory"),
        ("/tmp", 126, "Is a directory"),
        (plain.to_str().unwrap(), 126, "Permission denied"),
    ] {
        let output = sandbox.tunnel(["run", "--", command]).unchecked();
        assert_eq!((output.code, output.stdout.as_str()), (code, ""), "{command}");
        assert!(output.stderr.contains(why), "{command}: {}", output.stderr);
    }
    sandbox
        .tunnel(["run", "--dry-run", "true"])
        .fails(2, ["--dry-run is for 'soong tunnel start' only"])
        .run();
    sandbox.tunnel(["run"]).code(2).stderr_has("COMMAND").run();
    assert_eq!(instance.sshd.logins(), 0);
}

#[test]
fn a_script_without_a_line_for_its_interpreter_runs_as_in_a_shell() {
    let instance = Instance::start();
    let sandbox = Sandbox::with(&instance);
    let file = sandbox.path("bin/plain");
    sandbox.write(&file, "echo \"$1 $OPENAI_BASE_URL\"\nexit 7\n");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
    let [sglang, ..] = sandbox.config.local;
    sandbox
        .tunnel(["run", "--", file.to_str().unwrap(), "a b"])
        .code(7)
        .stdout(format!("a b http://localhost:{sglang}/v1\n"))
        .run();
    sandbox.assert_idle();
}

#[test]
fn it_ends_as_the_command_did() {
    let instance = Instance::start();
    let sandbox = Sandbox::with(&instance);
    let run = sandbox.tunnel(["run", "--", "sh", "-c", "kill -KILL $$"]).code(128 + 9).spawn();
    let pid = run.pid();
    run.finish();
    assert!(!process::is_alive(pid));
    sandbox.assert_idle();
}

#[test]
fn a_signal_for_the_command_reaches_it_and_the_tunnel_is_closed_after_it() {
    let instance = Instance::start();
    let sandbox = Sandbox::with(&instance);
    let script = "trap 'echo caught; exit 5' TERM; echo ready; while :; do sleep 0.05; done";
    let mut run = sandbox.tunnel(["run", "--", "sh", "-c", script]).code(5).stdout("ready\ncaught\n").spawn();
    run.wait_for_stdout("ready");
    run.signal(Signal::SIGTERM);
    run.finish();
    sandbox.assert_idle();
}

#[test]
fn ctrl_c_is_the_commands() {
    let instance = Instance::start();
    let sandbox = Sandbox::with(&instance);
    let script = "trap 'echo caught; exit 5' INT; echo ready; while :; do sleep 0.05; done";
    let mut terminal = Terminal::run(&sandbox.tunnel(["run", "--", "sh", "-c", script]), 24, 80);
    terminal.wait_for("ready");
    terminal.type_text("\x03");
    terminal.wait_for("caught");
    assert_eq!(terminal.finish(), 5);
    sandbox.assert_idle();

    // A sh that is about to start a program by vfork can let it miss the signal, and waits for it then.
    let mut terminal =
        Terminal::run(&sandbox.tunnel(["run", "--", "sh", "-c", "echo ready; exec sleep 600"]), 24, 80);
    terminal.wait_for("ready");
    terminal.type_text("\x03");
    assert_eq!(terminal.finish(), 130);
    wait::until_true("the tunnel to be closed", || sandbox.supervisors().is_empty());
    sandbox.assert_idle();
}
