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
    let ports = ["sglang", "n8n", "status"].into_iter().zip(sandbox.config.local);
    let ports: Vec<String> = ports.map(|(service, port)| format!("{service}:{port}")).collect();
    for words in [&["start"][..], &["start", "dev", "--foreground"], &["start", "--quiet"]] {
        let refused = sandbox.tunnel(words).fails(1, [ALREADY.trim_end()]).hint("dev is up ");
        refused.hint(format!(" (PID {pid}): {}\n", ports.join(" "))).hint("soong tunnel restart dev\n").run();
    }
    sandbox
        .tunnel(["start", "--sglang-port", "1", "--socks", "2"])
        .fails(1, [ALREADY.trim_end()])
        .hint("soong tunnel restart dev --sglang-port 1 --socks 2\n")
        .run();
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
fn a_start_if_needed_is_content_with_the_tunnel_that_runs() {
    let instance = Instance::start();
    let sandbox = Sandbox::with(&instance);
    let needed = |words: &[&str]| sandbox.tunnel(["start", "--if-needed"]).args(words);
    needed(&[]).stdout(sandbox.started(&instance)).run();
    let lines: String = sandbox.started(&instance).split_inclusive('\n').skip(2).collect();
    let port = sandbox.config.local[0].to_string();
    for words in [&[][..], &["dev"], &["--sglang-port", &port], &["--foreground"]] {
        needed(words).stdout(format!("Tunnel is running (PID: [PID])\n{lines}")).run();
    }
    needed(&["-q"]).run();
    needed(&["--json"]).stdout_has(r#""state":"up""#).stdout_has(r#""name":"dev""#).run();
    needed(&["--sglang-port", "1"])
        .fails(1, ["does not have sglang on local port 1"])
        .hint("restart dev")
        .run();
    needed(&["--socks", "1"]).fails(1, ["does not have the forward socks 1"]).run();
    needed(&["nope"]).fails(1, ["no instance 'nope'"]).run();
    sandbox.tunnel(["restart", "--if-needed"]).fails(2, ["--if-needed"]).run();
    sandbox.tunnel(["run", "--if-needed", "--", "true"]).fails(2, ["--if-needed"]).run();
    assert_eq!(instance.sshd.logins(), 1);
    let starts: Vec<_> = {
        sandbox.tunnel(["stop"]).stdout_has("Stopped").run();
        (0..5).map(|_| needed(&[]).spawn()).collect()
    };
    for output in starts.into_iter().map(crate::support::spawned::Spawned::unchecked) {
        assert_eq!(output.code, 0, "{output:?}");
    }
    assert_eq!(sandbox.supervisors().len(), 1);
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
        assert!(output.code == 1 && output.stderr.starts_with(ALREADY), "{output:?}");
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
