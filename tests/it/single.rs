//! There is one tunnel, however often and however fast it is started.

use std::fs;

use crate::support::curl::get;
use crate::support::instance::Instance;
use crate::support::sandbox::Sandbox;
use crate::support::wait;

const ALREADY: &str = "Tunnel already running. Stop it first.\n";

#[test]
fn a_second_start_changes_nothing() {
    let instance = Instance::start();
    let sandbox = Sandbox::with(&instance);
    let pid = sandbox.start(&instance);
    let client = sandbox.clients()[0].pid;
    let pid_file = fs::read(sandbox.pid_file()).unwrap();
    sandbox.tunnel(["start"]).code(1).stderr(ALREADY).run();
    sandbox.tunnel(["start", "--sglang-port", "1"]).code(1).stderr(ALREADY).run();
    sandbox.tunnel(["start", "--foreground"]).code(1).stderr(ALREADY).run();
    let log = fs::read_to_string(sandbox.path("home/.local/state/soong/logs/dev.log")).unwrap();
    assert!(!log.contains("already running"), "the log is that of the tunnel that runs: {log}");
    assert_eq!(fs::read(sandbox.pid_file()).unwrap(), pid_file);
    let running: Vec<i32> = sandbox.processes().iter().map(|process| process.pid).collect();
    assert_eq!(running.len(), 2);
    assert!(running.contains(&pid) && running.contains(&client));
    assert_eq!(get(&sandbox.url(0, "id")), "sglang");
    assert_eq!(instance.sshd.logins(), 1);
}

#[test]
fn twenty_starts_at_once_make_one_tunnel() {
    let instance = Instance::start();
    let sandbox = Sandbox::with(&instance);
    let starts: Vec<_> = (0..20).map(|_| sandbox.tunnel(["start"]).spawn()).collect();
    let outputs: Vec<_> = starts.into_iter().map(crate::support::spawned::Spawned::unchecked).collect();
    let (up, refused): (Vec<_>, Vec<_>) = outputs.iter().partition(|output| output.code == 0);
    assert_eq!(up.len(), 1, "{outputs:#?}");
    assert_eq!(sandbox.normalise(&up[0].stdout), sandbox.started(&instance));
    for output in refused {
        assert_eq!((output.code, output.stderr.as_str()), (1, ALREADY));
    }
    wait::until_true("the losers to be gone", || sandbox.processes().len() == 2);
    assert_eq!(sandbox.supervisors().len(), 1);
    assert_eq!(sandbox.clients().len(), 1);
    assert_eq!(instance.sshd.logins(), 1);
    assert_eq!(get(&sandbox.url(1, "id")), "n8n");
}

#[test]
fn start_and_stop_in_turn_leave_nothing_between() {
    let instance = Instance::start();
    let sandbox = Sandbox::with(&instance);
    for _ in 0..5 {
        sandbox.start(&instance);
        sandbox.tunnel(["stop"]).stdout("Stopped tunnel (PID: [PID])\n").run();
        assert!(sandbox.processes().is_empty());
    }
    sandbox.assert_idle();
}
