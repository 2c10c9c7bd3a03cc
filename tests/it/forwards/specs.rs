//! Forwards as they are typed and configured, well and badly.

use toml::Value;

use super::told;
use crate::support::curl::get;
use crate::support::instance::Instance;
use crate::support::ports;
use crate::support::sandbox::Sandbox;

fn array(texts: &[String]) -> Value {
    Value::Array(texts.iter().map(|text| text.clone().into()).collect())
}

#[test]
fn the_config_has_them_for_each_instance() {
    let instance = Instance::start();
    let mut sandbox = Sandbox::with(&instance);
    let [port, remote, socks] = [(); 3].map(|()| ports::free());
    let service = instance.services[1].port;
    sandbox.configure(|config| {
        config.set(["instances", "dev", "forward"], array(&[format!("{port}:localhost:{service}")]));
        config.set(["instances", "dev", "remote"], array(&[format!("{remote}:localhost:{service}")]));
        config.set(["instances", "dev", "socks"], i64::from(socks));
        config.instance("other", "127.0.0.1", 1);
        config.set(["instances", "other", "socks"], i64::from(socks));
    });
    sandbox.tunnel(["start", "--instance-id", "dev"]).stdout_has("").run();
    assert_eq!(get(&format!("http://localhost:{port}/id")), "n8n");
    assert_eq!(get(&format!("http://127.0.0.1:{remote}/id")), "n8n");
    assert_eq!(told(&sandbox).len(), 3);
    // The message names the tunnel that uses a port when another tunnel wants it.
    sandbox
        .tunnel(["start", "--instance-id", "other", "--auto-ports"])
        .fails(1, ["Error starting tunnel: bind: Address already in use"])
        .hint(format!("port {socks} belongs to the tunnel to dev"))
        .run();
    // Taken out of the config, it is gone with the next start.
    sandbox.configure(|config| {
        config.set(["instances", "dev", "forward"], array(&[]));
    });
    sandbox.tunnel(["restart", "--instance-id", "dev"]).stdout_has("").run();
    assert_eq!(told(&sandbox).len(), 2);
}

#[test]
fn an_instance_of_a_provider_is_meant_by_its_name_or_id() {
    let instance = Instance::start();
    let mut sandbox = Sandbox::with(&instance);
    let [by_name, by_id] = [(); 2].map(|()| ports::free());
    let user = crate::support::config::user();
    let answer = format!(
        r#"{{"api":1,"instances":[{{"id":"i-77","name":"rented","status":"active","host":"127.0.0.1","user":"{user}","port":{}}}]}}"#,
        instance.sshd.port
    );
    sandbox.provide("mine", &format!("echo '{answer}'"));
    sandbox.configure(|config| {
        config.remove("instances", "dev");
        config.set(["instances", "rented", "socks"], i64::from(by_name));
        config.set(["instances", "anything", "id"], "i-77");
        config.set(["instances", "anything", "forward"], array(&[format!("{by_id}:localhost:1")]));
    });
    sandbox.soong_with_bin(["tunnel", "start"]).stdout_has("SSH tunnel started").run();
    let told = told(&sandbox);
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(ports::is_taken(by_name) && ports::is_taken(by_id));
}

#[test]
fn a_table_without_a_host_has_to_say_what_to_forward() {
    let mut sandbox = Sandbox::new();
    sandbox.configure(|config| {
        config.set(["instances", "dev", "user"], "root");
        config.set(["instances", "dev", "socks"], 1080);
    });
    sandbox.tunnel(["start"]).fails(1, ["instances.dev has no host"]).run();
}

#[test]
fn what_is_no_forward_is_refused_before_anything_happens() {
    let instance = Instance::start();
    let mut sandbox = Sandbox::with(&instance);
    for spec in [
        "",
        "x",
        "1:h",
        "1:h:0",
        "1:h:70000",
        "0:h:1",
        "70000:h:1",
        "1::1",
        "1:-oProxyCommand=touch x:1",
        "-oProxyCommand=touch x:h:1",
        "1:h h:1",
        "1:h\n:1",
        "1:$(touch x):1",
        "1:`id`:1",
        "1:::1:1",
        "1:[::1]",
        "0.0.0.0:1:h:1",
        "*:1:h:1",
        "relative.sock:h:1",
        "/a/${HOME}/b:h:1",
    ] {
        for option in ["--forward", "--remote"] {
            sandbox.tunnel(["start".to_owned(), format!("{option}={spec}")]).fails(2, [option]).run();
        }
        sandbox.configure(|config| {
            config.set(["instances", "dev", "forward"], array(&[spec.to_owned()]));
        });
        sandbox.tunnel(["start"]).fails(1, ["instances.dev.forward", "line "]).run();
        sandbox.configure(|config| {
            config.set(["instances", "dev", "forward"], array(&[]));
        });
    }
    for port in ["0", "70000", "-1", "x", ""] {
        sandbox.tunnel(["start".to_owned(), format!("--socks={port}")]).fails(2, ["--socks"]).run();
    }
    let local = sandbox.config.local[0];
    sandbox.tunnel(["start", "--socks", &local.to_string()]).fails(2, ["sglang", "both want"]).run();
    sandbox.tunnel(["start", "--socks", "1", "--forward", "1:h:1"]).fails(2, ["both want 1"]).run();
    assert_eq!(instance.sshd.logins(), 0);
    sandbox.assert_idle();
}
