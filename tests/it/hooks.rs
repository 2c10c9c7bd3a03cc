//! Hooks: programs of the user that hear what happens to a tunnel, and cannot hold it up.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use nix::sys::signal::Signal;

use crate::support::curl::get;
use crate::support::instance::Instance;
use crate::support::sandbox::Sandbox;
use crate::support::{process, wait};

/// Installs a hook that is this shell script.
fn hook(sandbox: &Sandbox, name: &str, script: &str) {
    let directory = sandbox.config_file().with_file_name("hooks");
    let file = directory.join(name);
    sandbox.write(&file, format!("#!/bin/sh\n{script}\n"));
    for path in [&directory, &file] {
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }
}

/// Hooks for all events that note a line in `events` each.
fn noting(sandbox: &Sandbox) {
    for name in ["up", "down", "failed"] {
        hook(sandbox, name, "echo \"$SOONG_EVENT $SOONG_REASON\" >>\"$HOME/events\"");
    }
}

fn events(sandbox: &Sandbox) -> Vec<String> {
    let text = fs::read_to_string(sandbox.home().join("events")).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

fn wait_for(sandbox: &Sandbox, count: usize) {
    wait::until_true("the hooks to run", || events(sandbox).len() == count);
}

#[test]
fn hooks_hear_of_a_tunnel_that_goes_up_and_down() {
    let instance = Instance::start();
    let sandbox = Sandbox::with(&instance);
    noting(&sandbox);
    sandbox.start(&instance);
    wait_for(&sandbox, 1);
    process::signal(sandbox.clients()[0].pid, Signal::SIGKILL);
    wait::until_true("the second login", || instance.sshd.logins() == 2);
    wait::until_true("the tunnel to be told up again", || {
        events(&sandbox).last().is_some_and(|event| event.starts_with("up")) && events(&sandbox).len() >= 2
    });
    let before = events(&sandbox).len();
    sandbox.tunnel(["stop"]).stdout_has("Stopped").run();
    wait_for(&sandbox, before + 1);
    let events = events(&sandbox);
    assert_eq!(events.first().unwrap(), "up ");
    assert_eq!(events.last().unwrap(), "down the tunnel was stopped");
    sandbox.assert_idle();
}

#[test]
fn hooks_get_the_facts_and_what_they_say_is_logged() {
    let instance = Instance::start();
    let sandbox = Sandbox::with(&instance);
    hook(&sandbox, "up", "env | grep -e ^SOONG -e ^OPENAI | sort; echo why >&2; exit 3");
    sandbox.start(&instance);
    let [sglang, n8n, status] = sandbox.config.local;
    let log = || sandbox.tunnel(["logs"]).stdout_has("").run().stdout;
    wait::until_true("the hook to end", || log().contains("hook up: exit status: 3\n"));
    for said in [
        "SOONG_EVENT=up".to_owned(),
        "SOONG_HOST=127.0.0.1".to_owned(),
        "SOONG_INSTANCE_ID=a1b2c3d4".to_owned(),
        "SOONG_INSTANCE_NAME=dev".to_owned(),
        format!("SOONG_SGLANG_URL=http://localhost:{sglang}"),
        format!("SOONG_N8N_URL=http://localhost:{n8n}"),
        format!("SOONG_STATUS_URL=http://localhost:{status}"),
        format!("OPENAI_BASE_URL=http://localhost:{sglang}/v1"),
        "why".to_owned(),
    ] {
        assert!(log().contains(&format!("Z hook up: {said}\n")), "{said}: {}", log());
    }
}

#[test]
fn a_start_that_fails_is_told_to_its_hook() {
    let mut instance = Instance::start();
    let sandbox = Sandbox::with(&instance);
    noting(&sandbox);
    instance.sshd.stop();
    sandbox.tunnel(["start"]).fails(1, ["Connection refused"]).run();
    wait_for(&sandbox, 1);
    assert!(events(&sandbox)[0].starts_with("failed ") && events(&sandbox)[0].contains("refused"));
    sandbox.assert_idle();
}

#[test]
fn a_hook_that_hangs_holds_nothing_up() {
    let instance = Instance::start();
    let sandbox = Sandbox::with(&instance);
    hook(&sandbox, "up", "echo $$ >\"$HOME/pid\"; exec sleep 25");
    sandbox.start(&instance);
    wait::until_true("the hook to run", || sandbox.home().join("pid").exists());
    process::signal(sandbox.clients()[0].pid, Signal::SIGKILL);
    assert_eq!(get(&sandbox.url(0, "id")), "sglang");
    sandbox.tunnel(["stop"]).stdout_has("Stopped").run();
    let hooks = |line: &str| sandbox.processes().iter().filter(|p| p.command.contains(line)).count();
    wait::until_true("the hook to sleep", || hooks("sleep 25") == 1);
    sandbox.kill_all();
}

#[test]
fn a_hook_that_others_can_write_is_refused() {
    let instance = Instance::start();
    let sandbox = Sandbox::with(&instance);
    noting(&sandbox);
    let file = sandbox.config_file().with_file_name("hooks").join("up");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o777)).unwrap();
    sandbox.start(&instance);
    wait::until_true("the refusal", || {
        sandbox
            .tunnel(["logs"])
            .stdout_has("")
            .run()
            .stdout
            .contains("is not used: the file is writable by everyone; fix it: chmod go-w")
    });
    assert_eq!(events(&sandbox), [""; 0]);
}
