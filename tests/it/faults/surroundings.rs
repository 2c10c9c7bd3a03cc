//! The machine that a tunnel runs on: its disk is full, its clock is wrong, its supervisor is held.

use std::fs;
use std::os::unix::fs::symlink;
use std::time::{SystemTime, UNIX_EPOCH};

use nix::sys::signal::Signal;

use super::{told, wait_for};
use crate::support::curl::get;
use crate::support::instance::Instance;
use crate::support::sandbox::{Sandbox, pid_in};
use crate::support::tools::{is_root, tool};
use crate::support::{process, wait};

/// Nothing can be written below the state directory: no log, no host key, no remembered port. The tunnel does
/// without.
#[test]
fn a_full_disk_costs_the_log_and_nothing_else() {
    let instance = Instance::start();
    let sandbox = Sandbox::with(&instance);
    let state = sandbox.path("home/.local/state/soong");
    fs::create_dir_all(state.join("logs")).unwrap();
    let start = sandbox.tunnel(["start"]).stdout_has("SSH tunnel started").stderr_has("");
    if is_root() && cfg!(target_os = "linux") {
        // A separate file system that only the tunnel sees.
        let script = "mount -t tmpfs -o size=16k,mode=700 tmpfs \"$0\" && mkdir -m 700 \"$0/logs\" && \
                      { cat /dev/zero >\"$0/filled\" 2>/dev/null || exec \"$@\"; }";
        let directory = state.to_str().unwrap();
        start.through(&tool("unshare"), ["-m", "sh", "-c", script, directory]).run();
    } else {
        symlink("/dev/full", state.join("logs/dev.log")).unwrap();
        start.run();
    }
    assert_eq!(get(&sandbox.url(0, "id")), "sglang");
    let client = sandbox.clients()[0].pid;
    process::signal(client, Signal::SIGKILL);
    wait::until_true("another ssh", || sandbox.clients().iter().any(|process| process.pid != client));
    assert_eq!(get(&sandbox.url(1, "id")), "n8n");
    wait_for(&sandbox, "up");
    sandbox.tunnel(["stop"]).stdout("Stopped tunnel (PID: [PID])\n").run();
    sandbox.assert_idle();
}

/// As on a disk without room for another file: it starts, and says what is missing.
#[test]
fn a_log_that_cannot_be_made_does_not_keep_a_tunnel_from_starting() {
    let instance = Instance::start();
    let sandbox = Sandbox::with(&instance);
    // A directory in place of the log: not even root can write to it.
    let log = sandbox.path("home/.local/state/soong/logs/dev.log");
    fs::create_dir_all(&log).unwrap();
    let start = sandbox.tunnel(["start"]).stdout_has("SSH tunnel started");
    start.stderr_has("soong-tunnel: warning: cannot open ").run();
    assert_eq!(get(&sandbox.url(0, "id")), "sglang");
    fs::remove_dir(&log).unwrap();
    sandbox.tunnel(["stop"]).stdout("Stopped tunnel (PID: [PID])\n").run();
    assert!(fs::read_to_string(&log).unwrap().ends_with(" stopped\n"), "it is written as soon as it can be");
}

/// Times in files are of a clock that may have been set since; what is made of them makes sense all the same.
#[test]
fn a_clock_that_is_set_makes_no_nonsense() {
    const YEAR: u64 = 365 * 24 * 3600;
    let mut instance = Instance::start();
    let sandbox = Sandbox::with(&instance);
    sandbox.start(&instance);
    instance.sshd.stop();
    wait_for(&sandbox, "reconnecting");
    let file = sandbox.tunnel_directory().join("state.toml");
    let text = fs::read_to_string(&file).unwrap();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    // The clock was set back, and ahead, since the phase began and the next attempt was planned.
    for (since, next) in [(now + YEAR, now + YEAR), (now - YEAR, now - YEAR), (0, 0)] {
        let lines = text.lines().map(|line| match line.split_once(" = ") {
            Some(("since", _)) => format!("since = {since}\n"),
            Some(("next_retry", _)) => format!("next_retry = {next}\n"),
            _ => format!("{line}\n"),
        });
        let set: String = lines.collect();
        assert_ne!(set, text);
        sandbox.write(&file, set);
        let status = sandbox.tunnel(["status", "-v"]).stdout_has("Tunnel is reconnecting\n").run();
        assert!(status.stdout.contains(", for "), "{}", status.stdout);
        let waits = status.stdout.split_once("next in ").map_or("", |(_, rest)| rest);
        let seconds = waits.split_once(" s").and_then(|(number, _)| number.parse::<u64>().ok());
        assert!(seconds.is_some_and(|seconds| seconds <= 15), "{}", status.stdout);
    }
    instance.sshd.resume();
    wait_for(&sandbox, "up");
    assert_eq!(get(&sandbox.url(2, "id")), "status");
}

/// Its ports take connections and its lock is held, but it does nothing: that is not up.
#[test]
fn a_supervisor_that_is_held_is_not_told_to_be_up() {
    let instance = Instance::start();
    let sandbox = Sandbox::with(&instance);
    let pid = sandbox.start(&instance);
    process::signal(pid, Signal::SIGSTOP);
    let status = sandbox.tunnel(["status"]).code(1).stdout("Tunnel is not responding\n");
    status.stderr_has("soong tunnel stop").run();
    sandbox.tunnel(["list"]).stdout_has("unresponsive  -").run();
    let told = told(&sandbox);
    assert_eq!((told["state"].as_str(), told["pid"].as_i64()), (Some("unresponsive"), Some(pid.into())));
    process::signal(pid, Signal::SIGCONT);
    sandbox.tunnel(["status"]).stdout_has("Tunnel is running\n").run();
    assert_eq!(get(&sandbox.url(0, "id")), "sglang");
    process::signal(pid, Signal::SIGSTOP);
    sandbox.tunnel(["stop"]).stdout("Stopped tunnel (PID: [PID])\n").run();
    sandbox.assert_idle();
}

/// A held supervisor is killed after a while, and the others need not wait for that.
#[test]
fn all_tunnels_stop_though_one_supervisor_is_held() {
    let instances = [Instance::start(), Instance::start()];
    let mut sandbox = Sandbox::with(&instances[0]);
    sandbox.configure(|config| {
        config.another("staging", &instances[1]);
    });
    let [held, other] = ["dev", "staging"].map(|name| {
        let start = sandbox.tunnel(["start", "--auto-ports", "--instance-id", name]);
        pid_in(&start.stdout_has("started").run().stdout)
    });
    process::signal(held, Signal::SIGSTOP);
    let lines = "Stopped tunnel (PID: [PID])\n".repeat(2);
    let stop = sandbox.tunnel(["stop", "--all"]).stdout(&lines).spawn();
    wait::until_true("the other tunnel to stop", || !process::is_alive(other));
    stop.finish();
    sandbox.assert_idle();
}
