//! `PerSourcePenalties`: since OpenSSH 9.8, `sshd` by default drops connections from an address whose connections end
//! without a login. Older servers run the same tests; there, their log shows what a newer one would have counted.

use std::io::{BufRead as _, BufReader};
use std::net::TcpStream;

use super::link::Pending;
use super::{behind, told, wait_for};
use crate::support::curl::get;
use crate::support::instance::Instance;
use crate::support::network::Network;
use crate::support::sandbox::Sandbox;
use crate::support::sshd::{self, Options};
use crate::support::wait;

/// Sum of penalties, in seconds, from which a server drops connections: `min` of the default.
const MIN: usize = 15;

/// Returns the sum of penalties, in seconds, that the default gives for the connections in `log`, if none of them expire.
fn penalties(log: &str) -> usize {
    let ports = log.lines().filter_map(|line| line.strip_prefix("Connection from 127.0.0.1 port "));
    let penalty = |rest: &str| {
        let port = format!(" port {} ", rest.split(' ').next().unwrap());
        let has =
            |text: &str| log.lines().any(|line| line.contains(text) && format!("{line} ").contains(&port));
        if has("Accepted publickey for ") {
            0
        } else if has(" authenticating user ") {
            5
        } else {
            1
        }
    };
    ports.map(penalty).sum()
}

/// Makes a connection without a login, for the server to count.
fn knock(port: u16) {
    let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    // A server that drops the connection sends no banner, or resets it.
    let _ = BufReader::new(stream).read_line(&mut String::new());
}

/// Lets a second ssh start, and then the first one answer before the second has logged in.
fn interrupt_second_ssh(network: &Network, sandbox: &Sandbox) {
    network.fall_silent();
    let waiting = Pending::to(&sandbox.url(1, "id"));
    wait::until_true("the second ssh", || sandbox.clients().len() == 2);
    network.speak();
    assert_eq!(waiting.answer(), "n8n");
    wait::until_true("one ssh to be left", || sandbox.clients().len() == 1);
}

#[test]
fn a_second_ssh_and_a_refused_login_earn_too_little_for_a_penalty() {
    let instance = Instance::with(Options::default().penalties());
    let network = Network::to(instance.sshd.port);
    let mut sandbox = behind(&network, &instance);
    sandbox.configure(|config| {
        config.set(["ssh", "keepalive"], 60);
    });
    sandbox.start(&instance);
    interrupt_second_ssh(&network, &sandbox);
    let keys = instance.sshd.revoke_key();
    network.reset();
    wait::until_true("a refused login", || {
        told(&sandbox)["last_error"].as_str().is_some_and(|error| error.contains("Permission denied"))
    });
    instance.sshd.restore_keys(&keys);
    wait_for(&sandbox, "up");
    let log = instance.sshd.log();
    assert!((5..MIN).contains(&penalties(&log)), "{} s", penalties(&log));
    assert!(!log.contains("drop connection"));
    // The server would have dropped more of them.
    for _ in 0..2 * MIN {
        knock(instance.sshd.port);
    }
    if sshd::has_penalties() {
        wait::until_true("a penalty", || instance.sshd.log().contains("drop connection"));
    } else {
        assert!(penalties(&instance.sshd.log()) >= 2 * MIN);
    }
    assert_eq!(get(&sandbox.url(0, "id")), "sglang");
}
