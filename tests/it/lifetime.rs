//! Tunnels over time: `restart`, a connection that is lost and comes back, and two tunnels beside each other.

use std::collections::BTreeSet;
use std::net::TcpStream;

use nix::sys::signal::Signal;

use crate::support::curl::get;
use crate::support::instance::Instance;
use crate::support::sandbox::{Sandbox, pid_in};
use crate::support::{ports, process, wait};

#[test]
fn restart_keeps_the_instance_and_the_ports() {
    let instance = Instance::start();
    let mut sandbox = Sandbox::with(&instance);
    sandbox.configure(|config| {
        config.instance("staging", "127.0.0.1", 1);
    });
    let port = ports::free();
    let flag = port.to_string();
    let started =
        sandbox.tunnel(["start", "--instance-id", "dev", "--sglang-port", &flag]).stdout_has("").run();
    let old = pid_in(&started.stdout);
    let restarted = sandbox.tunnel(["restart"]).stdout_has(format!("localhost:{port} -> ")).run();
    let new = pid_in(&restarted.stdout[restarted.stdout.rfind("(PID: ").unwrap()..]);
    assert_ne!(old, new);
    assert!(!process::is_alive(old));
    assert_eq!(get(&format!("http://localhost:{port}/id")), "sglang");
    assert_eq!(get(&sandbox.url(1, "id")), "n8n");
    assert_eq!(std::fs::read_to_string(sandbox.pid_file()).unwrap(), format!("{new}\n"));
    assert_eq!(sandbox.processes().len(), 2);
}

#[test]
fn the_local_ports_outlive_the_connection() {
    let instance = Instance::start();
    let sandbox = Sandbox::with(&instance);
    let pid = sandbox.start(&instance);
    let client = sandbox.clients()[0].pid;
    process::signal(client, Signal::SIGKILL);
    wait::until_true("ssh to die", || !process::is_alive(client));
    // Bound all the time: clients that connect meanwhile wait, and no other process can take the port.
    for port in sandbox.config.local {
        TcpStream::connect(("127.0.0.1", port)).unwrap();
    }
    assert_eq!(get(&sandbox.url(0, "id")), "sglang");
    wait::until_true("the second login", || instance.sshd.logins() == 2);
    let supervisors: Vec<i32> = sandbox.supervisors().iter().map(|process| process.pid).collect();
    assert_eq!(supervisors, [pid], "the tunnel is the same");
    assert_eq!(sandbox.clients().len(), 1);
    sandbox.tunnel(["stop"]).stdout("Stopped tunnel (PID: [PID])\n").run();
    sandbox.assert_idle();
}

#[test]
fn two_instances_have_a_tunnel_each() {
    let instances = [Instance::start(), Instance::start()];
    let mut sandbox = Sandbox::with(&instances[0]);
    sandbox.configure(|config| {
        config.another("staging", &instances[1]);
    });
    let first = pid_in(&sandbox.tunnel(["start", "--instance-id", "dev"]).stdout_has("").run().stdout);
    let local = [ports::free(), ports::free(), ports::free()];
    let [sglang, n8n, status] = local.map(|port| port.to_string());
    let flags = ["--sglang-port", &sglang, "--n8n-port", &n8n, "--status-port", &status];
    let start = sandbox.tunnel(["start", "--instance-id", "staging"]).args(flags).stdout_has("");
    let second = pid_in(&start.run().stdout);
    let lines = |text: &str| text.lines().map(|line| line.parse().unwrap()).collect::<BTreeSet<i32>>();
    let pids = || lines(&std::fs::read_to_string(sandbox.pid_file()).unwrap());
    assert_eq!(pids(), BTreeSet::from([first, second]));
    assert_eq!(instances.each_ref().map(|instance| instance.sshd.logins()), [1, 1]);
    sandbox.tunnel(["stop"]).fails(1, ["more than one"]).hint("dev").hint("staging").run();
    sandbox.tunnel(["stop", "dev"]).stdout("Stopped tunnel (PID: [PID])\n").run();
    assert_eq!(pids(), BTreeSet::from([second]));
    sandbox.tunnel(["stop"]).stdout("Stopped tunnel (PID: [PID])\n").run();
    sandbox.assert_idle();
}
