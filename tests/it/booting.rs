//! `--wait`: an instance that its provider calls active boots on, and its SSH server comes last.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use crate::support::instance::Instance;
use crate::support::sandbox::Sandbox;

/// A command that an instance between two connections speaks through.
const PROXY: &str = r#"-F none -o 'ProxyCommand=bash -c "exec 3<>/dev/tcp/%h/%p && { cat <&3 & cat >&3; }"'"#;

#[test]
fn a_start_waits_until_the_server_answers() {
    for options in ["-F none", PROXY] {
        let mut instance = Instance::start();
        let mut sandbox = Sandbox::with(&instance);
        sandbox.configure(|config| {
            config.set(["ssh", "options"], options);
        });
        instance.sshd.stop();
        let start = sandbox.tunnel(["start", "--wait=60"]).stdout_has("SSH tunnel started");
        let mut start = start.stderr_has("Waiting for the SSH server of dev, at most ").spawn();
        start.wait_for_stderr("Waiting for the SSH server of dev");
        instance.sshd.resume();
        let output = start.finish();
        assert!(output.stderr.contains("\ndev answers after "), "{}", output.stderr);
        // One that answers is not waited for, and nothing is said.
        sandbox.tunnel(["restart", "--wait"]).stdout_has("SSH tunnel started").run();
    }
}

#[test]
fn a_port_that_accepts_and_says_nothing_is_no_server() {
    let mut instance = Instance::start();
    let sandbox = Sandbox::with(&instance);
    instance.sshd.stop();
    let mute = TcpListener::bind(("127.0.0.1", instance.sshd.port)).unwrap();
    let run = sandbox.tunnel(["run", "--wait=60", "--", "true"]).stderr_has("dev answers after");
    let mut run = run.spawn();
    run.wait_for_stderr("Waiting for the SSH server of dev");
    drop(mute);
    instance.sshd.resume();
    run.finish();
}

#[test]
fn the_limit_is_kept_and_the_reason_told() {
    let mut instance = Instance::start();
    let sandbox = Sandbox::with(&instance);
    instance.sshd.stop();
    let begun = Instant::now();
    let reason = "the SSH server of dev did not answer within 1s: Connection refused";
    for words in [&["tunnel", "start"][..], &["tunnel", "run"], &["ssh"]] {
        let wait = ["--wait=1", "--", "true"];
        let wait = if words == ["tunnel", "start"] { &wait[..1] } else { &wait };
        sandbox
            .soong(words)
            .args(wait)
            .code(1)
            .stderr_has("Waiting for the SSH server of dev, at most 1s...\n")
            .stderr_has(reason)
            .stderr_has("hint: wait longer: --wait=2")
            .run();
    }
    assert!(begun.elapsed() < Duration::from_secs(60));
    sandbox.tunnel(["start", "--wait", "--dry-run"]).stdout_has("@127.0.0.1").run();
    sandbox.assert_idle();
}
