//! The prompt file, as supervisors write it.

use std::fs;

use nix::sys::signal::Signal;

use super::hooks::now;
use crate::support::daemon;
use crate::support::http::{Reply, Server};
use crate::support::instance::Instance;
use crate::support::sandbox::{Sandbox, pid_in};
use crate::support::{ports, process, wait};

/// The fields of every line.
fn lines(sandbox: &Sandbox) -> Vec<Vec<String>> {
    let text = fs::read_to_string(sandbox.path("run/soong/prompt")).unwrap();
    text.lines().map(|line| line.split(' ').map(str::to_owned).collect()).collect()
}

/// Name and state of every tunnel.
fn states(sandbox: &Sandbox) -> Vec<(String, String)> {
    lines(sandbox).into_iter().map(|fields| (fields[5].clone(), fields[4].clone())).collect()
}

#[test]
fn a_tunnel_has_a_line_from_its_start_to_its_end() {
    let instance = Instance::start();
    let sandbox = Sandbox::with(&instance);
    let pid = sandbox.start(&instance);
    let [line] = &lines(&sandbox)[..] else { panic!("{:?}", lines(&sandbox)) };
    let ports: Vec<String> = sandbox.config.local.iter().map(u16::to_string).collect();
    let (pid, ports) = (pid.to_string(), ports.join(","));
    assert_eq!([&line[0], &line[1], &line[4], &line[5]], ["soong2", &pid, "up", "dev"]);
    assert_eq!([&line[6], &line[7], &line[8]], ["-", &ports, "dev"]);
    let (not_after, ttl): (u64, u64) = (line[2].parse().unwrap(), line[3].parse().unwrap());
    assert!(ttl <= 120 && not_after > now() && not_after <= now() + ttl, "{line:?}");
    sandbox.tunnel(["stop"]).stdout("Stopped tunnel (PID: [PID])\n").run();
    assert!(lines(&sandbox).is_empty());
    sandbox.assert_idle();
}

/// Readers refuse a line with a lease end that is no moment after the epoch.
#[test]
fn a_lease_end_that_is_none_does_not_take_the_tunnel_out_of_the_prompt() {
    let instance = Instance::start();
    for end in
        ["1970-01-01T00:00:00Z", "0000-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "10000-01-01T00:00:00Z"]
    {
        let answer = format!(r#"{{"shutdown_at":"{end}","model_loaded":"qwen"}}"#);
        let server = Server::start(move |_| Reply::ok(answer.clone()));
        let sandbox = daemon::on_port(&instance, server.port);
        sandbox.store_secrets(&format!("[daemon]\ntoken = \"{}\"\n", daemon::TOKEN));
        daemon::start(&sandbox).run();
        wait::until_true("the daemon's answer", || {
            sandbox.soong(["status"]).unchecked().stdout.contains("qwen")
        });
        assert_eq!(states(&sandbox), dev("up"), "{end}");
        sandbox.soong(["prompt"]).stdout_has("dev").run();
    }
}

fn dev(state: &str) -> Vec<(String, String)> {
    vec![("dev".to_owned(), state.to_owned())]
}

#[test]
fn a_link_that_is_lost_is_told_and_so_is_its_return() {
    let instance = Instance::start();
    let sandbox = Sandbox::with(&instance);
    sandbox.start(&instance);
    process::signal(sandbox.clients()[0].pid, Signal::SIGKILL);
    wait::until_true("the return to be told", || {
        instance.sshd.logins() == 2 && states(&sandbox) == dev("up")
    });
    drop(instance);
    wait::until_true("the loss to be told", || states(&sandbox) == dev("reconnecting"));
}

#[test]
fn a_tunnel_that_gave_up_is_told_of_until_it_is_tidied_away() {
    let instance = Instance::start();
    let sandbox = Sandbox::with(&instance);
    sandbox.start(&instance);
    fs::write(instance.sshd.key().with_file_name("authorized_keys"), "").unwrap();
    process::signal(sandbox.clients()[0].pid, Signal::SIGKILL);
    wait::until_true("the end of the tunnel", || sandbox.processes().is_empty());
    assert_eq!(states(&sandbox), dev("failed"));
    sandbox.tunnel(["status"]).code(3).stdout_has("").stderr_has("failed").run();
    assert_eq!(states(&sandbox), dev("failed"));
    sandbox.tunnel(["stop"]).stdout_has("").run();
    assert!(states(&sandbox).is_empty());
}

#[test]
fn the_line_of_a_dead_supervisor_says_that_it_failed_when_somebody_looks() {
    let instances = [Instance::start(), Instance::start()];
    let mut sandbox = Sandbox::with(&instances[0]);
    sandbox.configure(|config| {
        config.another("staging", &instances[1]);
    });
    let dead = pid_in(&sandbox.tunnel(["start", "--instance-id", "dev"]).stdout_has("").run().stdout);
    let local = [ports::free(), ports::free(), ports::free()].map(|port| port.to_string());
    let flags = ["--sglang-port", &local[0], "--n8n-port", &local[1], "--status-port", &local[2]];
    sandbox.tunnel(["start", "--instance-id", "staging"]).args(flags).stdout_has("").run();
    let [dev, staging] = ["dev", "staging"].map(|name| (name.to_owned(), "up".to_owned()));
    assert_eq!(states(&sandbox), [dev.clone(), staging.clone()]);
    process::signal(dead, Signal::SIGKILL);
    wait::until_true("the supervisor to die", || !process::is_alive(dead));
    // No process could remove it on exit; readers check the process.
    assert_eq!(states(&sandbox), [dev, staging.clone()]);
    sandbox.tunnel(["status"]).stdout_has("Tunnel is running\n").stderr_has("was killed or crashed").run();
    assert_eq!(states(&sandbox), [("dev".to_owned(), "failed".to_owned()), staging]);
    sandbox.tunnel(["stop", "--all"]).stdout("Stopped tunnel (PID: [PID])\n").run();
    assert!(states(&sandbox).is_empty());
}
