//! `soong tunnel wait`: until the tunnel is up, and a service answers through it.

use crate::support::config::forward;
use crate::support::http::{Reply, Server};
use crate::support::instance::Instance;
use crate::support::sandbox::Sandbox;
use crate::support::{ports, wait};

#[test]
fn it_is_over_at_once_when_there_is_nothing_to_wait_for() {
    let instance = Instance::start();
    let sandbox = Sandbox::with(&instance);
    sandbox.tunnel(["wait"]).code(3).stderr_has("soong-tunnel: no tunnel is running\n").run();
    sandbox.start(&instance);
    sandbox.tunnel(["wait", "--timeout", "0"]).run();
    // After a second, which a busy machine takes, it says what it waits for.
    sandbox.tunnel(["wait", "--service", "sglang", "--instance-id", "a1b2"]).stderr_has("").run();
    sandbox
        .tunnel(["wait", "--service", "sglan"])
        .fails(1, ["no service 'sglan' in this tunnel"])
        .hint("sglang")
        .run();
    sandbox.tunnel(["wait", "--instance-id", "x"]).fails(1, ["no instance 'x'"]).hint("running: dev").run();
}

#[test]
fn it_waits_for_a_service_that_is_not_there_yet() {
    let instance = Instance::start();
    let mut sandbox = Sandbox::with(&instance);
    let port = ports::free();
    let local = sandbox.config.local[0];
    sandbox.configure(|config| {
        config.set(["services", "sglang"], forward(port, local));
    });
    sandbox.tunnel(["start"]).stdout_has("started").run();
    sandbox
        .tunnel(["wait", "--service", "sglang", "--timeout", "0"])
        .fails(1, ["sglang is not answering: refused on the instance"])
        .hint("--timeout")
        .run();
    let waiting = sandbox.tunnel(["wait", "--service", "sglang", "--timeout", "60"]).spawn();
    let _server = Server::on(port, |_| Reply::ok("{}"));
    waiting.finish();
}

#[test]
fn it_tells_what_the_tunnel_is_doing_when_the_time_is_up() {
    let (sandbox, _listener) = Sandbox::mute();
    let start = sandbox.tunnel(["start"]).code(1).stdout_has("Starting").stderr_has("stopped").spawn();
    wait::until_true("ssh to be started", || sandbox.clients().len() == 1);
    sandbox.tunnel(["wait", "--timeout", "0"]).fails(1, ["the tunnel to dev is still starting"]).run();
    let waiting = sandbox.tunnel(["wait"]).code(3).stderr_has("soong-tunnel: ").spawn();
    sandbox.tunnel(["stop"]).stdout_has("Stopped").run();
    start.finish();
    waiting.finish();
}

#[test]
fn a_tunnel_that_fails_ends_the_wait_with_its_reason() {
    let mut instance = Instance::start();
    let sandbox = Sandbox::with(&instance);
    sandbox.start(&instance);
    instance.sshd.stop();
    wait::until_true("the loss to be noticed", || {
        sandbox.tunnel(["status"]).unchecked().stdout.contains("reconnecting")
    });
    sandbox.tunnel(["wait", "--timeout", "0"]).fails(1, ["the tunnel to dev is reconnecting"]).run();
    let waiting = sandbox.tunnel(["wait"]).fails(1, ["the tunnel to dev failed: "]).spawn();
    instance.sshd.replace_host_key();
    instance.sshd.resume();
    waiting.finish();
}
