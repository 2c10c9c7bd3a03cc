//! Forwards that come and go while the tunnel runs.

use std::io::Read as _;

use super::{taken_everywhere, told};
use crate::support::curl::{curl, get, output};
use crate::support::instance::Instance;
use crate::support::sandbox::Sandbox;
use crate::support::service::{Pattern, digest};
use crate::support::{download, ports, wait};

#[test]
fn what_is_under_way_survives_what_comes_and_goes() {
    const LENGTH: u64 = 24 << 20;
    let instance = Instance::start();
    let sandbox = Sandbox::with(&instance);
    let [port, remote, socks] = [(); 3].map(|()| ports::free());
    sandbox.start(&instance);
    let service = instance.services[0].port;
    sandbox
        .tunnel(["forward", "dev", &format!("{port}:localhost:{service}")])
        .stdout(format!("Forwarding localhost:{port} -> localhost:{service}\n"))
        .run();
    assert_eq!(get(&format!("http://localhost:{port}/id")), "sglang");
    // More than fits into all buffers on the way, so that most of it is still to come.
    let mut under_way = [sandbox.config.local[0], port].map(|port| download::begin(port, LENGTH));
    sandbox.tunnel(["forward", "--socks", &socks.to_string()]).stdout_has("as a SOCKS proxy").run();
    let spec = format!("{remote}:127.0.0.1:{}", instance.services[2].port);
    sandbox.tunnel(["forward", "--quiet", "--remote", &spec]).run();
    assert_eq!(get(&format!("http://127.0.0.1:{remote}/id")), "status");
    let url = format!("http://localhost:{service}/id");
    assert_eq!(output(curl().args(["--socks5-hostname", &format!("localhost:{socks}"), &url])), "sglang");
    assert_eq!(told(&sandbox).len(), 3);
    // Each by what it listens on; one connection goes over the first of them.
    sandbox.tunnel(["forward", "--remove", &port.to_string()]).stdout_has("Removed localhost:").run();
    assert!(ports::is_free(port), "free at once");
    sandbox.tunnel(["forward", "--remove", "--remote", &remote.to_string()]).stdout_has("Removed").run();
    wait::until_true("the remote port to be free", || ports::is_free(remote));
    sandbox.tunnel(["forward", "--remove", "--socks", &socks.to_string()]).stdout_has("Removed").run();
    assert!(ports::is_free(socks));
    assert_eq!(told(&sandbox), [""; 0]);
    for stream in &mut under_way {
        assert_eq!(digest(&mut stream.take(LENGTH)).unwrap(), digest(&mut Pattern::new(LENGTH)).unwrap());
    }
    assert_eq!(instance.sshd.logins(), 1);
    // A removed forward can be added again.
    sandbox.tunnel(["forward", &format!("{port}:localhost:{service}")]).stdout_has("Forwarding").run();
    assert_eq!(get(&format!("http://localhost:{port}/id")), "sglang");
}

#[test]
fn what_is_added_without_a_link_is_there_when_the_link_is() {
    let mut instance = Instance::start();
    let sandbox = Sandbox::with(&instance);
    let [port, remote, gone] = [(); 3].map(|()| ports::free());
    let service = instance.services[0].port;
    let unwanted = format!("{gone}:localhost:{service}");
    sandbox.tunnel(["start", "--forward", &unwanted]).stdout_has("").run();
    instance.sshd.stop();
    wait::until_true("the link to be missed", || {
        sandbox.tunnel(["status"]).unchecked().stdout.contains("reconnecting")
    });
    sandbox.tunnel(["forward", "-q", &format!("{port}:localhost:{service}")]).run();
    sandbox.tunnel(["forward", "-q", "--remote", &format!("{remote}:localhost:{service}")]).run();
    sandbox.tunnel(["forward", "-q", "--remove", &unwanted]).run();
    instance.sshd.resume();
    assert_eq!(get(&format!("http://localhost:{port}/id")), "sglang");
    let url = format!("http://127.0.0.1:{remote}/id");
    wait::until_true("the remote forward", || curl().arg(&url).output().unwrap().stdout == b"sglang");
    assert!(ports::is_free(gone));
    assert_eq!(told(&sandbox).len(), 2);
}

#[test]
fn ports_alone_mean_the_instance_itself() {
    let instance = Instance::start();
    let sandbox = Sandbox::with(&instance);
    let port = ports::free();
    let service = instance.services[1].port;
    sandbox.tunnel(["start", "--forward", &format!("{port}:{service}")]).stdout_has("started").run();
    assert_eq!(get(&format!("http://localhost:{port}/id")), "n8n");
    let other = ports::free();
    sandbox
        .tunnel(["forward", "dev", &format!("{other}:{service}")])
        .stdout(format!("Forwarding localhost:{other} -> localhost:{service}\n"))
        .run();
    assert_eq!(get(&format!("http://localhost:{other}/id")), "n8n");
    sandbox.tunnel(["forward", "--remove", &format!("{other}:{service}")]).stdout_has("Removed").run();
    let same = ports::free().to_string();
    sandbox
        .tunnel(["forward", &same])
        .stdout(format!("Forwarding localhost:{same} -> localhost:{same}\n"))
        .run();
    sandbox.tunnel(["forward", "--remove", &same]).stdout_has("Removed").run();
    sandbox.tunnel(["forward", "--remote", &same]).fails(2, [&same, "PORT:HOST:PORT"]).run();
}

#[test]
fn restart_keeps_what_was_added() {
    let instance = Instance::start();
    let sandbox = Sandbox::with(&instance);
    let port = ports::free();
    sandbox.start(&instance);
    sandbox.tunnel(["forward", "-q", &format!("{port}:localhost:{}", instance.services[1].port)]).run();
    sandbox.tunnel(["restart"]).stdout_has(format!("  localhost:{port} -> ")).run();
    assert_eq!(get(&format!("http://localhost:{port}/id")), "n8n");
}

#[test]
fn what_cannot_be_had_is_refused_and_changes_nothing() {
    let instance = Instance::start();
    let sandbox = Sandbox::with(&instance);
    sandbox.tunnel(["forward", "1:h:1"]).fails(1, ["no tunnel is running"]).hint("soong tunnel start").run();
    sandbox.start(&instance);
    let forward = |words: &[&str]| sandbox.tunnel(["forward"]).args(words);
    let [taken, free] = [(); 2].map(|()| ports::free());
    let _holder = ports::Holder::listen("127.0.0.1", taken);
    forward(&[&format!("{taken}:h:1")]).fails(1, ["Address already in use"]).hint("is held by").run();
    let sglang = sandbox.config.local[0];
    forward(&["--socks", &sglang.to_string()]).fails(1, ["is used by sglang"]).run();
    // The server has this one already.
    let (remote, _holders) = taken_everywhere();
    forward(&["--remote", &format!("{remote}:h:1")]).fails(1, ["remote port forwarding failed"]).run();
    forward(&["--remove", &sglang.to_string()]).fails(1, ["no such forward"]).hint("[services]").run();
    forward(&["--remove", &free.to_string()]).fails(1, ["no such forward"]).run();
    forward(&["staging", "1:h:1"]).fails(1, ["staging"]).run();
    forward(&[]).fails(2, ["no forward given"]).run();
    forward(&["1:-oProxyCommand=x:1"]).fails(2, ["-oProxyCommand"]).run();
    forward(&["1:h\n:1"]).fails(2, ["h\\n"]).run();
    let spec = format!("{free}:h:1");
    forward(&["-q", &spec]).run();
    forward(&[&spec]).fails(1, ["already exists"]).run();
    forward(&[&format!("{free}:other:1")]).fails(1, ["is used by"]).hint("--remove").run();
    assert_eq!(told(&sandbox), [format!("local {free} h:1")]);
    assert_eq!(get(&sandbox.url(0, "id")), "sglang");
}
