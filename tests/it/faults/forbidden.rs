//! Servers that let the key in and forbid what a tunnel is for. A start finds that out before it says that the
//! tunnel is up.

use std::fs;

use super::{behind, wait_for};
use crate::support::curl::get;
use crate::support::instance::Instance;
use crate::support::network::Network;
use crate::support::ports;
use crate::support::sandbox::Sandbox;
use crate::support::sshd::Options;

#[test]
fn a_server_that_forbids_forwarding_ends_the_start() {
    for line in
        ["AllowTcpForwarding no", "AllowTcpForwarding remote", "DisableForwarding yes", "PermitOpen none"]
    {
        let instance = Instance::with(Options::default().line(line));
        let sandbox = Sandbox::with(&instance);
        let first = format!(
            "Error starting tunnel: the server forbids forwarding to localhost:{}, localhost:{}, localhost:{}: \
             administratively prohibited",
            instance.services[0].port, instance.services[1].port, instance.services[2].port
        );
        let start = sandbox.tunnel(["start"]).fails(1, [first.as_str()]);
        start.hint("AllowTcpForwarding yes").hint("PermitOpen").hint("'restrict'").hint("login limit").run();
        sandbox.assert_idle();
    }
}

#[test]
fn a_key_that_may_not_forward_ends_the_start() {
    for options in ["restrict", "no-port-forwarding", "permitopen=\"localhost:1\""] {
        let instance = Instance::start();
        let file = instance.sshd.key().with_file_name("authorized_keys");
        let keys = fs::read_to_string(&file).unwrap();
        fs::write(&file, format!("{options} {keys}")).unwrap();
        let sandbox = Sandbox::with(&instance);
        sandbox
            .tunnel(["start"])
            .fails(1, ["the server forbids forwarding to "])
            .hint("authorized_keys")
            .run();
        sandbox.assert_idle();
    }
}

#[test]
fn only_what_is_forbidden_is_named() {
    let port = ports::free();
    let instance = Instance::with(Options::default().line(&format!("PermitOpen localhost:{port}")));
    let mut sandbox = Sandbox::with(&instance);
    // Nothing listens there, which is no obstacle.
    sandbox.configure(|config| {
        config.set(["services", "sglang"], i64::from(port));
    });
    let [_, n8n, status] = &instance.services;
    let forbidden =
        format!("forwarding to localhost:{}, localhost:{}: administratively", n8n.port, status.port);
    sandbox.tunnel(["start"]).fails(1, [forbidden.as_str()]).run();
    sandbox.configure(|config| {
        config.set(["services", "n8n"], false).set(["services", "status"], false);
    });
    sandbox.tunnel(["start"]).stdout_has("SSH tunnel started").run();
    let spec = format!("{}:localhost:{}", ports::free(), n8n.port);
    sandbox
        .tunnel(["forward", &spec])
        .fails(1, ["the server forbids forwarding to"])
        .hint("PermitOpen")
        .run();
    sandbox
        .tunnel(["forward", &format!("{}:localhost:{port}", ports::free())])
        .stdout_has("Forwarding")
        .run();
    sandbox.tunnel(["status"]).stdout_has("Tunnel is running\n").run();
}

/// The probe leads to a socket; that the server refuses it is as good an answer as any.
#[test]
fn a_server_that_forbids_sockets_carries_services() {
    let instance = Instance::with(Options::default().line("AllowStreamLocalForwarding no"));
    let sandbox = Sandbox::with(&instance);
    sandbox.start(&instance);
    assert_eq!(get(&sandbox.url(0, "id")), "sglang");
    sandbox.tunnel(["status", "--check"]).stdout_has("sglang: answering").run();
}

#[test]
fn a_server_that_does_not_listen_ends_the_start_and_says_so() {
    let instance = Instance::with(Options::default().line("PermitListen none"));
    let sandbox = Sandbox::with(&instance);
    let port = ports::free();
    let refused = format!("the server refuses to listen on {port}: remote port forwarding failed");
    let spec = format!("--remote={port}:localhost:1");
    sandbox.tunnel(["start", &spec]).fails(1, [refused.as_str()]).hint("PermitListen").hint("ss -ltnp").run();
    sandbox.assert_idle();
}

/// Sessions go on under the rules that they began under; the next link is asked anew.
#[test]
fn a_server_that_begins_to_forbid_is_not_up_with_the_next_link() {
    let mut instance = Instance::start();
    let network = Network::to(instance.sshd.port);
    let sandbox = behind(&network, &instance);
    sandbox.start(&instance);
    instance.sshd.stop();
    let file = instance.sshd.key().with_file_name("sshd_config");
    let config = fs::read_to_string(&file).unwrap();
    fs::write(&file, format!("AllowTcpForwarding no\n{config}")).unwrap();
    instance.sshd.resume();
    let forbids =
        |told: &serde_json::Value| told["last_error"].as_str().is_some_and(|error| error.contains("forbids"));
    let told = crate::support::wait::until("the prohibition to be told", || {
        Some(super::told(&sandbox)).filter(forbids)
    });
    assert_eq!(told["state"], "reconnecting", "{told}");
    sandbox
        .tunnel(["status", "--check"])
        .code(1)
        .stdout_has("link down: reconnecting: the server forbids")
        .stderr_has("")
        .run();
    instance.sshd.stop();
    fs::write(&file, config).unwrap();
    instance.sshd.resume();
    wait_for(&sandbox, "up");
    assert_eq!(get(&sandbox.url(0, "id")), "sglang");
}
