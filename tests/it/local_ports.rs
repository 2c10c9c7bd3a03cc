//! Local ports beyond the defaults: those that other tunnels have, the next free ones, and those an instance had
//! last time.

use serde_json::Value;

use crate::support::config::Config;
use crate::support::curl::get;
use crate::support::instance::Instance;
use crate::support::ports::{self, Holder};
use crate::support::sandbox::Sandbox;

/// A sandbox with a second instance, `staging`, whose tunnel wants the same local ports as that to `dev`.
fn two(instances: &[Instance; 2]) -> Sandbox {
    let mut sandbox = Sandbox::with(&instances[0]);
    sandbox.configure(|config| {
        config.another("staging", &instances[1]);
    });
    sandbox
}

/// The tunnels that `list --json` tells of.
fn tunnels(sandbox: &Sandbox) -> Vec<Value> {
    let output = sandbox.tunnel(["list", "--json"]).stdout_has("").run();
    let mut answer: Value = serde_json::from_str(&output.stdout).unwrap();
    let Value::Array(tunnels) = answer["tunnels"].take() else { panic!("{}", output.stdout) };
    tunnels
}

/// The local ports of a tunnel in the order of its services.
fn locals(tunnel: &Value) -> Vec<u16> {
    let forwards = tunnel["forwards"].as_array().unwrap().iter();
    forwards.map(|forward| u16::try_from(forward["local"].as_u64().unwrap()).unwrap()).collect()
}

#[test]
fn a_port_of_another_tunnel_is_told_with_its_name_and_the_ways_out() {
    let instances = [Instance::start(), Instance::start()];
    let sandbox = two(&instances);
    sandbox.tunnel(["start", "--instance-id", "dev"]).stdout_has("").run();
    let port = sandbox.config.local[0];
    sandbox
        .tunnel(["start", "--instance-id", "staging"])
        .fails(1, ["Error starting tunnel: bind: Address already in use"])
        .hint(format!("port {port} belongs to the tunnel to dev (PID "))
        .hint("soong tunnel start staging --auto-ports\n")
        .hint("soong tunnel start staging --sglang-port ")
        .run();
    sandbox.tunnel(["stop"]).stdout_has("Stopped").run();
    sandbox.assert_idle();
}

#[test]
fn auto_ports_takes_the_next_free_ones_and_list_shows_them() {
    let instances = [Instance::start(), Instance::start()];
    let sandbox = two(&instances);
    sandbox.tunnel(["start", "--instance-id", "dev"]).stdout_has("").run();
    let dry = sandbox
        .tunnel(["start", "--instance-id", "staging", "--auto-ports", "--dry-run"])
        .stdout_has("")
        .run();
    let started = sandbox.tunnel(["start", "--instance-id", "staging", "--auto-ports"]).stdout_has("").run();
    let [dev, staging] = tunnels(&sandbox).try_into().unwrap();
    assert_eq!(locals(&dev), sandbox.config.local);
    let moved = locals(&staging);
    for (default, port) in sandbox.config.local.iter().zip(&moved) {
        assert!(port > default, "{moved:?}");
        assert!(started.stdout.contains(&format!("  localhost:{port} -> ")), "{}", started.stdout);
        assert!(dry.stdout.contains(&format!("# localhost:{port} -> ")), "{}", dry.stdout);
        assert!(ports::is_taken(*port));
    }
    // Before any request: one that ends between the two commands would change a count.
    let status = sandbox.tunnel(["status", "--json"]).stdout_has("").run().stdout;
    assert_eq!(status, sandbox.tunnel(["list", "--json"]).stdout_has("").run().stdout);
    assert_eq!(get(&format!("http://localhost:{}/id", moved[1])), "n8n");
    let text = sandbox.tunnel(["list"]).stdout_has("NAME     STATE    OPEN  UP ").run().stdout;
    // The request may count as open for a moment; the other tunnel carried none.
    let line = |name: &str, ports: &[u16]| {
        (
            format!("{name:<7}  running  "),
            format!("  sglang:{} n8n:{} status:{}", ports[0], ports[1], ports[2]),
        )
    };
    let expected = [line("dev", &locals(&dev)), line("staging", &moved)];
    for (row, (begin, end)) in text.lines().skip(1).zip(expected) {
        assert!(row.starts_with(&begin) && row.ends_with(&end), "{text}");
    }
    assert_eq!(text.lines().count(), 3, "{text}");
    assert!(text.contains("running  0     0 B"), "{text}");
    sandbox.tunnel(["restart"]).code(1).stderr_has("choose one with --instance-id: dev, staging").run();
    let again = sandbox.tunnel(["restart", "staging"]).stdout_has("SSH tunnel started").run().stdout;
    assert!(again.contains(&format!("  localhost:{} -> ", moved[0])), "{again}");
    sandbox.tunnel(["stop", "--all"]).stdout_has("Stopped").run();
    sandbox.tunnel(["list"]).stderr("soong-tunnel: no tunnels\n").run();
    sandbox.assert_idle();
}

#[test]
fn a_port_that_was_asked_for_does_not_move() {
    let instance = Instance::start();
    let sandbox = Sandbox::with(&instance);
    let port = ports::free();
    let _holder = Holder::listen("127.0.0.1", port);
    sandbox
        .tunnel(["start", "--auto-ports", "--n8n-port", &port.to_string()])
        .fails(1, ["Address already in use"])
        .hint("--n8n-port")
        .run();
    sandbox.assert_idle();
}

/// Services that name no local port: theirs is that of the instance, and taken here by the service itself.
fn leave_ports_open(config: &mut Config, instance: &Instance) {
    for service in &instance.services {
        config.set(["services", service.name], i64::from(service.port));
    }
}

#[test]
fn an_instance_has_the_ports_it_had_last_time() {
    let instance = Instance::start();
    let mut sandbox = Sandbox::with(&instance);
    sandbox.configure(|config| leave_ports_open(config, &instance));
    let had = || locals(&tunnels(&sandbox)[0]);
    sandbox.tunnel(["start"]).fails(1, ["Address already in use"]).run();
    sandbox.tunnel(["start", "--auto-ports"]).stdout_has("").run();
    let first = had();
    sandbox.tunnel(["stop"]).stdout_has("").run();
    sandbox.tunnel(["start"]).stdout_has("").run();
    assert_eq!(had(), first, "without being asked for");
    sandbox.tunnel(["stop"]).stdout_has("").run();
    let other = ports::free();
    sandbox.tunnel(["start", "--sglang-port", &other.to_string()]).stdout_has("").run();
    assert_eq!(had(), [other, first[1], first[2]], "flags go first");
    sandbox.tunnel(["stop"]).stdout_has("").run();
    // soong ignores a file of remembered ports that it did not write.
    let memory = sandbox.path("home/.local/state/soong/ports.toml");
    assert!(std::fs::read_to_string(&memory).unwrap().contains(&other.to_string()));
    for garbage in ["\0\u{1}[[", "[[instances]]\ninstance = 3", &"x".repeat(2 << 20)] {
        sandbox.write(&memory, garbage);
        sandbox.tunnel(["start"]).fails(1, ["Address already in use"]).run();
    }
    sandbox.tunnel(["start", "--auto-ports"]).stdout_has("").run();
    assert_eq!(had(), first, "and it is replaced");
    sandbox.tunnel(["stop"]).stdout_has("").run();
    assert!(std::fs::metadata(&memory).unwrap().len() < 1000);
    sandbox.assert_idle();
}

#[test]
fn a_port_of_last_time_that_is_taken_is_called_so() {
    let instance = Instance::start();
    let mut sandbox = Sandbox::with(&instance);
    sandbox.configure(|config| leave_ports_open(config, &instance));
    let ports = [(); 3].map(|()| ports::free());
    let [sglang, n8n, status] = ports.map(|port| port.to_string());
    sandbox
        .tunnel(["start", "--sglang-port", &sglang, "--n8n-port", &n8n, "--status-port", &status])
        .stdout_has("SSH tunnel started")
        .run();
    sandbox.tunnel(["stop"]).stdout_has("Stopped").run();
    let _holders = ports.map(|port| Holder::listen("127.0.0.1", port));
    sandbox
        .tunnel(["start"])
        .fails(1, ["Address already in use"])
        .hint(format!("the port of sglang ({sglang}, as last time) is "))
        .hint(format!("the port of status ({status}, as last time) is "))
        .hint("soong tunnel start --sglang-port ")
        .run();
    sandbox
        .tunnel(["start", "--sglang-port", &sglang])
        .fails(1, [""])
        .hint(format!("port {sglang} is held by "))
        .run();
    sandbox.assert_idle();
}

#[test]
fn the_config_goes_before_what_is_remembered() {
    let instance = Instance::start();
    let sandbox = Sandbox::with(&instance);
    let other = ports::free().to_string();
    sandbox.tunnel(["start", "--sglang-port", &other]).stdout_has("").run();
    sandbox.tunnel(["stop"]).stdout_has("").run();
    sandbox.start(&instance);
    assert_eq!(locals(&tunnels(&sandbox)[0]), sandbox.config.local);
}
