//! Local ports that are taken, and ports that are none.

use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::process::{Child, Command};

use crate::support::curl::get;
use crate::support::instance::Instance;
use crate::support::ports::{self, Holder};
use crate::support::sandbox::Sandbox;

const IN_USE: [&str; 1] = ["Error starting tunnel: bind: Address already in use"];

#[test]
fn a_taken_port_is_told_with_its_holder_and_the_flag_that_moves_it() {
    let instance = Instance::start();
    let sandbox = Sandbox::with(&instance);
    for (port, flag) in sandbox.config.local.into_iter().zip(["--sglang-port", "--n8n-port", "--status-port"])
    {
        let mut holder = hold_in_process(port);
        sandbox
            .tunnel(["start"])
            .fails(1, IN_USE)
            .hint(format!("port {port} is held by sleep (PID {})", holder.id()))
            .hint(flag)
            .run();
        holder.kill().unwrap();
        holder.wait().unwrap();
    }
    assert_eq!(instance.sshd.logins(), 0);
    sandbox.assert_idle();
}

#[test]
fn all_taken_ports_are_told_at_once_with_one_command() {
    let instance = Instance::start();
    let sandbox = Sandbox::with(&instance);
    let [sglang, _, status] = sandbox.config.local;
    let [moved, socks, extra] = [(); 3].map(|()| ports::free());
    let mut holders = [sglang, status, socks].map(hold_in_process);
    let (n8n, socks_text) = (moved.to_string(), socks.to_string());
    let forward = format!("{extra}:localhost:{}", instance.services[0].port);
    let output = sandbox
        .tunnel(["start", "--n8n-port", &n8n, "--socks", &socks_text, "--forward", &forward])
        .fails(1, IN_USE)
        .hint(format!("port {sglang} is held by sleep (PID {})\n", holders[0].id()))
        .hint(format!("port {status} is held by sleep (PID {})\n", holders[1].id()))
        .hint(format!("port {socks} is held by sleep (PID {})\n", holders[2].id()))
        .hint("stop them, or use other local ports: soong tunnel start --sglang-port ")
        .run();
    // The command repeats what was asked for, and works.
    let (_, command) = output.stderr.split_once("soong tunnel ").unwrap();
    let words = shell_words::split(command).unwrap();
    let started = sandbox.tunnel(words).stdout_has("SSH tunnel started").run().stdout;
    for port in [moved, extra] {
        assert!(started.contains(&format!("localhost:{port} -> ")), "{started}");
    }
    for holder in &mut holders {
        holder.kill().unwrap();
        holder.wait().unwrap();
    }
}

/// Starts a process that holds `port`. The tests' own process would not do: what another test forks at that moment
/// has its listeners, too, until it executes.
fn hold_in_process(port: u16) -> Child {
    let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
    Command::new("sleep").arg("600").stdin(OwnedFd::from(listener)).spawn().unwrap()
}

#[test]
fn a_port_that_is_taken_on_any_address_is_taken() {
    let instance = Instance::start();
    let sandbox = Sandbox::with(&instance);
    let port = sandbox.config.local[0];
    let mut addresses = vec!["0.0.0.0"];
    if ports::addresses(port).len() > 1 {
        addresses.extend(["[::1]", "[::]"]);
    }
    for address in addresses {
        let _holder = Holder::listen(address, port);
        sandbox.tunnel(["start"]).fails(1, IN_USE).hint("--sglang-port").run();
    }
    sandbox.assert_idle();
}

#[test]
fn a_taken_port_of_another_service_is_moved_with_port() {
    let instance = Instance::start();
    let mut sandbox = Sandbox::with(&instance);
    let port = ports::free();
    let remote = instance.services[0].port;
    sandbox.configure(|config| {
        config.set(["services", "comfyui"], crate::support::config::forward(remote, port));
    });
    let holder = Holder::listen("127.0.0.1", port);
    sandbox.tunnel(["start"]).fails(1, IN_USE).hint("--port comfyui=").run();
    let other = ports::free();
    let moved = format!("comfyui={other}");
    sandbox.tunnel(["start", "--port", &moved]).stdout_has(format!("localhost:{other} -> ")).run();
    assert_eq!(get(&format!("http://localhost:{other}/id")), "sglang");
    drop(holder);
}

#[test]
fn flags_move_ports() {
    let instance = Instance::start();
    let sandbox = Sandbox::with(&instance);
    let moved: [u16; 3] = [ports::free(), ports::free(), ports::free()];
    let holders = sandbox.config.local.map(|port| Holder::listen("127.0.0.1", port));
    let [sglang, n8n, status] = moved.map(|port| port.to_string());
    let mut expected = sandbox.started(&instance);
    for (old, new) in sandbox.config.local.iter().zip(&moved) {
        expected = expected.replace(&format!("localhost:{old} "), &format!("localhost:{new} "));
    }
    sandbox
        .tunnel(["start", "--sglang-port", &sglang, "--n8n-port", &n8n, "--status-port", &status])
        .stdout(expected)
        .run();
    for (service, port) in instance.services.iter().zip(moved) {
        assert_eq!(get(&format!("http://localhost:{port}/id")), service.name);
    }
    drop(holders);
}

#[test]
fn what_is_no_port_is_refused() {
    let instance = Instance::start();
    let sandbox = Sandbox::with(&instance);
    for value in ["0", "70000", "65536", "-1", "abc", "", "8000x", " 8000", "80.5"] {
        for flag in ["--sglang-port", "--n8n-port", "--status-port"] {
            let argument = format!("{flag}={value}");
            sandbox.tunnel(["start", &argument]).fails(2, [flag, value]).run();
        }
        let argument = format!("--port=sglang={value}");
        sandbox.tunnel(["start", &argument]).fails(2, ["--port", value]).run();
    }
    for value in ["sglang", "=8000", "sglang=", "8000"] {
        sandbox.tunnel(["start", "--port", value]).fails(2, [""]).run();
    }
    sandbox.assert_idle();
}

#[test]
fn a_service_that_does_not_exist_can_not_be_moved() {
    let instance = Instance::start();
    let sandbox = Sandbox::with(&instance);
    sandbox.tunnel(["start", "--port", "sglagn=8001"]).fails(2, ["sglagn"]).hint("sglang").run();
    sandbox.assert_idle();
}

#[test]
fn one_port_can_not_be_two_services() {
    let instance = Instance::start();
    let mut sandbox = Sandbox::with(&instance);
    let port = ports::free();
    let text = port.to_string();
    sandbox
        .tunnel(["start", "--sglang-port", &text, "--n8n-port", &text])
        .fails(2, [&text, "sglang", "n8n"])
        .run();
    let taken = sandbox.config.local[2].to_string();
    sandbox.tunnel(["start", "--n8n-port", &taken]).fails(2, [&taken, "n8n", "status"]).run();
    sandbox.assert_idle();
    let remote = instance.services[0].port;
    sandbox.configure(|config| {
        config.set(["services", "comfyui"], crate::support::config::forward(remote, config.local[0]));
    });
    let taken = sandbox.config.local[0].to_string();
    sandbox.tunnel(["start"]).fails(2, [&taken, "sglang", "comfyui"]).run();
    sandbox.assert_idle();
}
