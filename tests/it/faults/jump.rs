//! Links through a jump host. ssh has no TCP connection of its own there, so the kernel does not tell whether the far end
//! still acknowledges, and doubt arises sooner.

use std::fs;

use nix::sys::signal::Signal;

use super::false_alarms::a_stop_breaks_nothing;
use super::link::Pending;
use super::logs;
use super::{behind, wait_for};
use crate::support::config::path;
use crate::support::curl::get;
use crate::support::instance::Instance;
use crate::support::network::{Network, Shape, Shapes};
use crate::support::sandbox::Sandbox;
use crate::support::service::{Pattern, digest};
use crate::support::sshd::Sshd;
use crate::support::{process, wait};

/// Returns a tunnel that is up through `jump`, which `network` leads to.
fn start(instance: &Instance, jump: &Sshd, network: &Network, keepalive: i64) -> Sandbox {
    let mut sandbox = behind(network, instance);
    let (known, key) = (sandbox.path("home/known"), jump.key());
    let hop = format!(
        "ssh -F none -i {} -o IdentitiesOnly=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile={} -p {} -W %h:%p \
         127.0.0.1",
        path(&key),
        path(&known),
        network.port
    );
    sandbox.configure(|config| {
        config.instance("dev", "127.0.0.1", instance.sshd.port).set(["ssh", "keepalive"], keepalive);
        let options = shell_words::join(["-F", "none", "-o", &format!("ProxyCommand={hop}")]);
        config.set(["ssh", "options"], options);
    });
    sandbox.tunnel(["start"]).stdout_has("SSH tunnel started").run();
    sandbox
}

#[test]
fn a_jump_host_that_is_dead_is_reached_anew() {
    let (instance, jump) = (Instance::start(), Sshd::start());
    let network = Network::to(jump.port);
    let sandbox = start(&instance, &jump, &network, 60);
    let before: Vec<i32> = sandbox.clients().iter().map(|client| client.pid).collect();
    assert_eq!(before.len(), 2, "ssh and its hop");
    network.forget();
    assert_eq!(get(&sandbox.url(1, "id")), "n8n");
    assert!(logs(&sandbox).contains("the link is still silent; the second ssh takes over\n"));
    // Also the hop, which hears nothing of a dead network.
    wait::until_true("the former ssh and its hop to end", || {
        before.iter().all(|pid| !process::is_alive(*pid))
    });
    assert_eq!((jump.logins(), instance.sshd.logins(), sandbox.clients().len()), (2, 2, 2));
    sandbox.tunnel(["stop"]).stdout_has("Stopped").run();
    sandbox.assert_idle();
}

/// The kernel ends ssh with its supervisor, and nothing ends the hop: it hears nothing of a dead network.
#[test]
fn a_hop_whose_supervisor_was_killed_ends_with_the_next_command() {
    for command in ["status", "start", "stop"] {
        let (instance, jump) = (Instance::start(), Sshd::start());
        let network = Network::to(jump.port);
        let sandbox = start(&instance, &jump, &network, 60);
        let supervisor = sandbox.supervisors()[0].pid;
        let (ssh, hop): (Vec<_>, Vec<_>) =
            sandbox.clients().into_iter().partition(|client| client.parent == supervisor);
        assert_eq!((ssh.len(), hop.len()), (1, 1));
        network.hold();
        if command == "stop" {
            // One that hangs is killed.
            process::signal(supervisor, Signal::SIGSTOP);
            sandbox.tunnel(["stop"]).stdout("Stopped tunnel (PID: [PID])\n").run();
        } else {
            process::signal(supervisor, Signal::SIGKILL);
        }
        wait::until_true("ssh to end", || !process::is_alive(ssh[0].pid));
        if command == "status" {
            assert!(process::is_alive(hop[0].pid));
            let status = sandbox.tunnel(["status"]).code(3).stdout("Tunnel is not running\n");
            status.stderr_has("was killed or crashed").run();
        } else if command == "start" {
            sandbox.tunnel(["start"]).stdout_has("SSH tunnel started").run();
        }
        wait::until_true("the hop to end", || !process::is_alive(hop[0].pid));
        sandbox.tunnel(["stop"]).unchecked();
        sandbox.assert_idle();
    }
}

/// Nothing comes back while it goes up.
#[test]
fn an_upload_through_a_jump_host_over_a_slow_link_arrives() {
    const LENGTH: u64 = 512 << 10;
    let (instance, jump) = (Instance::start(), Sshd::start());
    let shape = Shape { rate: 64 << 10, queue: 4 << 10 };
    let network = Network::shaped(jump.port, Shapes { up: Some(shape), down: None });
    let sandbox = start(&instance, &jump, &network, 5);
    let upload = Pending::with_body(&sandbox.url(1, "digest"), &sandbox.path("body"), LENGTH);
    assert_eq!(upload.answer(), format!("{LENGTH} {}", digest(&mut Pattern::new(LENGTH)).unwrap()));
    assert_eq!(get(&sandbox.url(0, "id")), "sglang");
    wait_for(&sandbox, "up");
    assert!(!logs(&sandbox).contains("link lost"));
}

#[test]
fn a_jump_host_that_stands_still_breaks_nothing() {
    let (instance, jump) = (Instance::start(), Sshd::start());
    let network = Network::to(jump.port);
    let sandbox = start(&instance, &jump, &network, 5);
    a_stop_breaks_nothing(i32::try_from(jump.pid()).unwrap(), &sandbox);
    let known = fs::read_to_string(sandbox.path("home/known")).unwrap();
    assert_eq!(known.lines().count(), 1, "{known}");
}
