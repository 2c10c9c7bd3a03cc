//! Signals: to a tunnel in the foreground, to one in the background, and to a `start` that still waits.

use nix::sys::signal::Signal;
use nix::unistd::{Pid, getpgid};

use crate::support::curl::get;
use crate::support::instance::Instance;
use crate::support::ports::Holder;
use crate::support::run::Run;
use crate::support::sandbox::{Sandbox, pid_in};
use crate::support::tools::tool;
use crate::support::{process, wait};

#[test]
fn a_tunnel_in_the_foreground_ends_with_ctrl_c() {
    let instance = Instance::start();
    let sandbox = Sandbox::with(&instance);
    let last = format!(":{}\n", instance.services[2].port);
    let mut tunnel = sandbox.tunnel(["start", "--foreground"]).stdout_has(sandbox.started(&instance)).spawn();
    tunnel.wait_for_stdout(&last);
    assert_eq!(pid_in(&tunnel.stdout()), tunnel.pid(), "the command is the tunnel");
    assert_eq!(get(&sandbox.url(0, "id")), "sglang");
    sandbox.tunnel(["status"]).stdout_has("Tunnel is running\n").run();
    sandbox.tunnel(["start"]).code(1).stderr_has("Tunnel already running. Stop it first.\n").run();
    tunnel.interrupt();
    tunnel.finish();
    assert!(sandbox.processes().is_empty());
    sandbox.tunnel(["status"]).code(3).stdout("Tunnel is not running\n").run();
    sandbox.tunnel(["stop"]).stdout("Tunnel is not running\n").run();
    sandbox.assert_idle();
}

/// As under nohup, or in the background of a script.
#[test]
fn a_tunnel_in_the_foreground_ignores_what_its_caller_ignores() {
    let instance = Instance::start();
    let sandbox = Sandbox::with(&instance);
    let last = format!(":{}\n", instance.services[2].port);
    let script = "trap '' INT HUP; exec \"$@\"";
    let program = env!("CARGO_BIN_EXE_soong-tunnel");
    let run = Run::new(&sandbox, &tool("sh"), ["-c", script, "sh", program, "start", "--foreground"]);
    let mut tunnel = run.stdout_has(sandbox.started(&instance)).spawn();
    tunnel.wait_for_stdout(&last);
    for signal in [Signal::SIGINT, Signal::SIGHUP] {
        tunnel.signal(signal);
        assert_eq!(get(&sandbox.url(0, "id")), "sglang");
    }
    sandbox.tunnel(["status"]).stdout_has("Tunnel is running\n").run();
    tunnel.signal(Signal::SIGTERM);
    tunnel.finish();
    sandbox.assert_idle();
}

#[test]
fn a_tunnel_in_the_foreground_can_be_stopped() {
    let instance = Instance::start();
    let sandbox = Sandbox::with(&instance);
    let last = format!(":{}\n", instance.services[2].port);
    let mut tunnel = sandbox.tunnel(["start", "--foreground"]).stdout_has(sandbox.started(&instance)).spawn();
    tunnel.wait_for_stdout(&last);
    let stopped = sandbox.tunnel(["stop"]).stdout("Stopped tunnel (PID: [PID])\n").run();
    assert_eq!(pid_in(&stopped.stdout), tunnel.pid());
    tunnel.finish();
    sandbox.assert_idle();
}

#[test]
fn a_tunnel_in_the_foreground_that_fails_says_why() {
    let instance = Instance::start();
    let sandbox = Sandbox::with(&instance);
    let holder = Holder::listen("127.0.0.1", sandbox.config.local[1]);
    let in_use = ["Error starting tunnel: bind: Address already in use"];
    sandbox.tunnel(["start", "--foreground"]).fails(1, in_use).hint("--n8n-port").run();
    drop(holder);
    sandbox.assert_idle();
}

#[test]
fn a_termination_signal_is_a_clean_stop() {
    let instance = Instance::start();
    let sandbox = Sandbox::with(&instance);
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let pid = sandbox.start(&instance);
        process::signal(pid, signal);
        wait::until_true("the tunnel to end", || sandbox.processes().is_empty());
        assert!(!sandbox.pid_file().exists());
        sandbox.tunnel(["status"]).code(3).stdout("Tunnel is not running\n").run();
        sandbox.tunnel(["stop"]).stdout("Tunnel is not running\n").run();
        sandbox.assert_idle();
    }
}

#[test]
fn a_tunnel_does_not_belong_to_the_terminal_it_was_started_in() {
    let instance = Instance::start();
    let sandbox = Sandbox::with(&instance);
    let start = sandbox.tunnel(["start"]).stdout(sandbox.started(&instance)).spawn();
    let group = start.pid();
    let pid = pid_in(&start.finish().stdout);
    for process in sandbox.processes() {
        assert_ne!(getpgid(Some(Pid::from_raw(process.pid))).unwrap().as_raw(), group, "{process:?}");
    }
    process::signal(pid, Signal::SIGHUP);
    assert_eq!(get(&sandbox.url(0, "id")), "sglang");
    sandbox.tunnel(["status"]).stdout_has("Tunnel is running\n").run();
}

#[test]
fn a_start_that_is_interrupted_leaves_nothing() {
    let (sandbox, _listener) = Sandbox::mute();
    for (signal, code) in [(Signal::SIGINT, 130), (Signal::SIGTERM, 143), (Signal::SIGHUP, 129)] {
        let mut start = sandbox.tunnel(["start"]).code(code).stdout_has("Starting").stderr_has("").spawn();
        start.wait_for_stdout("Starting");
        wait::until_true("ssh to be started", || sandbox.clients().len() == 1);
        if signal == Signal::SIGINT {
            start.interrupt();
        } else {
            start.signal(signal);
        }
        start.finish();
        sandbox.assert_idle();
        sandbox.tunnel(["status"]).code(3).stdout("Tunnel is not running\n").run();
    }
}

#[test]
fn a_start_that_waits_can_be_stopped_from_elsewhere() {
    let (sandbox, _listener) = Sandbox::mute();
    let mut start = sandbox.tunnel(["start"]).code(1).stdout_has("Starting").stderr_has("stopped").spawn();
    start.wait_for_stdout("Starting");
    wait::until_true("ssh to be started", || sandbox.clients().len() == 1);
    sandbox.tunnel(["stop"]).stdout("Stopped tunnel (PID: [PID])\n").run();
    start.finish();
    sandbox.assert_idle();
}

#[test]
fn a_start_in_the_foreground_that_is_interrupted_leaves_nothing() {
    let (sandbox, _listener) = Sandbox::mute();
    let mut start = sandbox.tunnel(["start", "--foreground"]).stdout_has("Starting").spawn();
    start.wait_for_stdout("Starting");
    wait::until_true("ssh to be started", || sandbox.clients().len() == 1);
    start.interrupt();
    start.finish();
    sandbox.assert_idle();
}
