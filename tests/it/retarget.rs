//! A link that stays lost, and what the provider of the instance says about it.

use std::fs;

use crate::hooks::hook;
use crate::support::config::user;
use crate::support::curl::get;
use crate::support::instance::Instance;
use crate::support::run::Run;
use crate::support::sandbox::Sandbox;
use crate::support::sshd::{Options, Sshd};
use crate::support::wait;

/// A sandbox whose only instance is one of the provider `x`, which notes that it was asked.
fn sandbox(instance: &Instance) -> Sandbox {
    let mut sandbox = Sandbox::with(instance);
    sandbox.configure(|config| {
        config.remove("instances", "dev");
    });
    sandbox.provide("x", "echo >>\"$HOME/asked\"; cat \"$HOME/list\"");
    sandbox
}

/// Sets the instance's entry in the provider's list.
fn list(sandbox: &Sandbox, status: &str, host: &str, port: u16) {
    let user = user();
    let instance = format!(
        r#"{{"id":"p1","name":"gpu","status":"{status}","host":"{host}","port":{port},"user":"{user}"}}"#
    );
    sandbox.write(&sandbox.home().join("list"), format!(r#"{{"api":1,"instances":[{instance}]}}"#));
}

fn start(sandbox: &Sandbox) -> Run<'_> {
    sandbox.soong_with_bin(["tunnel", "start"]).stdout_has("SSH tunnel started")
}

fn asked(sandbox: &Sandbox) -> usize {
    fs::read_to_string(sandbox.home().join("asked")).unwrap_or_default().lines().count()
}

#[test]
fn a_tunnel_to_an_instance_that_is_gone_says_so_and_ends() {
    let mut instance = Instance::start();
    let sandbox = sandbox(&instance);
    let port = instance.sshd.port;
    list(&sandbox, "active", "127.0.0.1", port);
    for event in ["failed", "gone"] {
        hook(&sandbox, event, "echo \"$SOONG_EVENT $SOONG_INSTANCE_NAME $SOONG_REASON\" >>\"$HOME/told\"");
    }
    start(&sandbox).run();
    list(&sandbox, "preempted", "127.0.0.1", port);
    instance.sshd.stop();
    wait::until_true("the tunnel to give up", || sandbox.supervisors().is_empty());
    sandbox
        .tunnel(["status"])
        .code(3)
        .stdout("Tunnel is not running\n")
        .stderr_has("the instance gpu was preempted by its provider")
        .stderr_has("hint: start another one at your provider")
        .run();
    assert_eq!(asked(&sandbox), 2);
    sandbox.assert_idle();
    let told = fs::read_to_string(sandbox.home().join("told")).unwrap();
    let line = |event| format!("{event} gpu the instance gpu was preempted by its provider\n");
    assert_eq!(told, line("failed") + &line("gone"));
}

#[test]
fn a_tunnel_follows_an_instance_to_its_new_address() {
    let mut instance = Instance::start();
    let sandbox = sandbox(&instance);
    list(&sandbox, "active", "127.0.0.1", instance.sshd.port);
    start(&sandbox).run();
    // The same machine at another address: keys and all.
    let mut other = Options::default().start();
    other.stop();
    adopt(&instance.sshd, &other);
    other.resume();
    list(&sandbox, "active", "localhost", other.port);
    instance.sshd.stop();
    wait::until_true("the login at the new address", || other.logins() == 1);
    assert_eq!(get(&sandbox.url(0, "id")), "sglang");
    sandbox.tunnel(["status", "--json"]).stdout_has(r#""host":"localhost""#).run();
    sandbox.tunnel(["logs"]).stdout_has("the instance has moved from 127.0.0.1 to localhost\n").run();
}

/// Gives `to` the keys of `from`.
fn adopt(from: &Sshd, to: &Sshd) {
    let (from, to) = (from.key(), to.key());
    for name in ["host_key", "host_key.pub", "authorized_keys"] {
        fs::copy(from.with_file_name(name), to.with_file_name(name)).unwrap();
    }
}

#[test]
fn a_provider_that_cannot_be_asked_changes_nothing() {
    let mut instance = Instance::start();
    let sandbox = sandbox(&instance);
    list(&sandbox, "active", "127.0.0.1", instance.sshd.port);
    start(&sandbox).run();
    fs::remove_file(sandbox.home().join("list")).unwrap();
    instance.sshd.stop();
    wait::until_true("the provider to be asked", || asked(&sandbox) == 2);
    instance.sshd.resume();
    assert_eq!(get(&sandbox.url(0, "id")), "sglang");
    sandbox.tunnel(["status"]).stdout_has("Tunnel is running\n").run();
    assert_eq!(asked(&sandbox), 2, "not more than once a minute");
}
