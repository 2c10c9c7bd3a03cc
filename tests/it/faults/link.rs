//! Links that are lost, and come back.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
#[cfg(target_os = "linux")]
use std::path::Path;
use std::process::{Child, Stdio};

use nix::sys::signal::Signal;

use super::{behind, logs, told, wait_for};
use crate::support::config::{forward, path};
use crate::support::curl::{curl, get};
use crate::support::instance::Instance;
use crate::support::network::Network;
use crate::support::sandbox::Sandbox;
#[cfg(target_os = "linux")]
use crate::support::service::{Pattern, digest};
use crate::support::wait::DEADLINE;
use crate::support::{ports, process, wait};

/// A request that has been sent and not yet answered.
pub struct Pending(Child);

impl Pending {
    pub fn to(url: &str) -> Self {
        let mut command = curl();
        Self(command.arg(url).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap())
    }

    /// The same with a body of `length` bytes.
    #[cfg(target_os = "linux")]
    pub fn with_body(url: &str, file: &Path, length: u64) -> Self {
        std::io::copy(&mut Pattern::new(length), &mut fs::File::create(file).unwrap()).unwrap();
        let mut command = curl();
        command.arg("--data-binary").arg(format!("@{}", file.display())).args(["-H", "Expect:", url]);
        Self(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap())
    }

    #[track_caller]
    fn assert_unanswered(&mut self) {
        assert_eq!(self.0.try_wait().unwrap(), None, "the request was not held");
    }

    #[track_caller]
    pub fn answer(self) -> String {
        let output = self.0.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }
}

#[test]
fn a_killed_ssh_is_replaced_and_the_request_meanwhile_succeeds() {
    let instance = Instance::start();
    let sandbox = Sandbox::with(&instance);
    let pid = sandbox.start(&instance);
    for round in 1..=3 {
        let client = sandbox.clients()[0].pid;
        process::signal(client, Signal::SIGKILL);
        // Sent as soon as it is dead. What a dying ssh still takes, it takes with it.
        wait::until_true("ssh to die", || !process::is_alive(client));
        assert_eq!(get(&sandbox.url(round % 3, "id")), instance.services[round % 3].name);
        wait::until_true("another ssh", || sandbox.clients().iter().any(|process| process.pid != client));
        let told = wait_for(&sandbox, "up");
        assert_eq!((told["pid"].as_i64(), told["attempt"].as_i64()), (Some(pid.into()), Some(0)), "{told}");
    }
    assert_eq!(instance.sshd.logins(), 4);
}

/// Messages of ssh from before the link was up, and about connections since, do not explain its end and are
/// no reason to give up.
#[test]
fn what_was_said_before_is_not_the_reason_of_a_lost_link() {
    let instance = Instance::start();
    let mut sandbox = Sandbox::with(&instance);
    let garbage = sandbox.path("garbage");
    sandbox.write(&garbage, "no key");
    fs::set_permissions(&garbage, fs::Permissions::from_mode(0o600)).unwrap();
    sandbox.configure(|config| {
        config.set(["ssh", "options"], format!("-o IdentityFile={}", path(&garbage)));
        config.set(["services", "gone"], forward(ports::free(), ports::free()));
    });
    sandbox.tunnel(["start"]).stdout_has("SSH tunnel started").run();
    sandbox.tunnel(["status", "--check"]).code(1).stdout_has("refused on the instance").stderr_has("").run();
    let said = sandbox.tunnel(["logs"]).stdout_has("Load key ").run().stdout;
    assert!(said.contains(" open failed: connect failed: Connection refused\n"), "{said}");
    process::signal(sandbox.clients()[0].pid, Signal::SIGKILL);
    wait::until_true("the second login", || instance.sshd.logins() >= 2);
    wait_for(&sandbox, "up");
    assert_eq!(get(&sandbox.url(0, "id")), "sglang");
    sandbox.tunnel(["logs"]).stdout_has("link lost: ssh was killed by signal 9\n").run();
}

#[test]
fn a_server_that_is_restarted_costs_no_request() {
    let mut instance = Instance::start();
    let sandbox = Sandbox::with(&instance);
    sandbox.start(&instance);
    instance.sshd.stop();
    let mut request = Pending::to(&sandbox.url(0, "id"));
    wait_for(&sandbox, "reconnecting");
    request.assert_unanswered();
    instance.sshd.resume();
    assert_eq!(request.answer(), "sglang");
    assert_eq!(instance.sshd.logins(), 2);
}

#[test]
fn a_server_that_is_away_is_tried_again_and_again() {
    let mut instance = Instance::start();
    let sandbox = Sandbox::with(&instance);
    sandbox.start(&instance);
    instance.sshd.stop();
    let lost = wait_for(&sandbox, "reconnecting");
    let away = wait::until("a third attempt", || {
        let told = told(&sandbox);
        (told["attempt"].as_i64() >= Some(3)).then_some(told)
    });
    assert_eq!(away["since"], lost["since"], "the state began when the link was lost, not with the attempt");
    assert_eq!(away["state"], "reconnecting", "{away}");
    assert!(away["last_error"].as_str().unwrap().contains("Connection refused"), "{away}");
    assert!(away["next_retry"].as_u64() >= away["since"].as_u64(), "{away}");
    sandbox.tunnel(["status"]).stdout_has("Tunnel is reconnecting\n").run();
    instance.sshd.resume();
    let up = wait_for(&sandbox, "up");
    assert!(up["next_retry"].is_null(), "{up}");
    assert_eq!(get(&sandbox.url(2, "id")), "status");
}

/// Connections in progress are reset when the link is lost: clients do not wait for the rest, and do not take
/// the data for complete.
#[test]
fn what_a_lost_link_carried_is_reset() {
    let mut instance = Instance::start();
    let sandbox = Sandbox::with(&instance);
    sandbox.start(&instance);
    let mut client = TcpStream::connect(("127.0.0.1", sandbox.config.local[0])).unwrap();
    client.set_read_timeout(Some(DEADLINE)).unwrap();
    client.write_all(b"GET /id HTTP/1.1\r\n\r\n").unwrap();
    let mut buffer = [0; 4096];
    assert!(client.read(&mut buffer).unwrap() > 0);
    instance.sshd.stop();
    // The answer may arrive in pieces.
    let error = client.read_to_end(&mut Vec::new()).expect_err("the connection ends as if it were complete");
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
}

#[test]
fn packets_that_are_dropped_are_noticed() {
    let instance = Instance::start();
    let network = Network::to(instance.sshd.port);
    let sandbox = behind(&network, &instance);
    sandbox.start(&instance);
    network.fall_silent();
    wait_for(&sandbox, "reconnecting");
    wait::until_true("the reason", || logs(&sandbox).contains("not responding"));
    let mut request = Pending::to(&sandbox.url(0, "id"));
    wait::until_true("another attempt", || sandbox.clients().len() == 1);
    request.assert_unanswered();
    network.speak();
    assert_eq!(request.answer(), "sglang");
    wait_for(&sandbox, "up");
}

/// Requests sent into a dead link, before soong detects that it is dead, reach no server. soong sends them
/// again over the next link, and no client sees the loss.
#[test]
#[cfg(target_os = "linux")]
fn requests_into_a_dead_link_go_over_the_next() {
    const LENGTH: u64 = 300_000;
    let instance = Instance::start();
    let network = Network::to(instance.sshd.port);
    let sandbox = behind(&network, &instance);
    sandbox.start(&instance);
    network.forget();
    let short = Pending::to(&sandbox.url(0, "id"));
    let long = Pending::with_body(&sandbox.url(1, "digest"), &sandbox.path("body"), LENGTH);
    assert_eq!(short.answer(), "sglang");
    assert_eq!(long.answer(), format!("{LENGTH} {}", digest(&mut Pattern::new(LENGTH)).unwrap()));
}

/// The same where ssh dies of itself, so that its connections are closed before the link is known to be lost.
#[test]
#[cfg(target_os = "linux")]
fn a_request_that_a_dying_ssh_has_not_read_goes_over_the_next_link() {
    let instance = Instance::start();
    let sandbox = Sandbox::with(&instance);
    sandbox.start(&instance);
    let client = sandbox.clients()[0].pid;
    process::signal(client, Signal::SIGSTOP);
    let request = Pending::to(&sandbox.url(0, "id"));
    wait::until_true("the request to be with ssh", || {
        let told = told(&sandbox);
        let flows = told["traffic"].as_array().map_or(&[][..], Vec::as_slice);
        flows.iter().any(|flow| flow["sent"].as_u64() > Some(0))
    });
    process::signal(client, Signal::SIGKILL);
    assert_eq!(request.answer(), "sglang");
}

/// A silence that ends before the link counts as lost costs a request time, and nothing else.
#[test]
fn a_short_silence_is_sat_out() {
    let instance = Instance::start();
    let network = Network::to(instance.sshd.port);
    let mut sandbox = behind(&network, &instance);
    sandbox.configure(|config| {
        config.set(["ssh", "keepalive"], 5);
    });
    sandbox.start(&instance);
    network.fall_silent();
    let mut request = Pending::to(&sandbox.url(1, "id"));
    std::thread::sleep(std::time::Duration::from_millis(1200));
    request.assert_unanswered();
    network.speak();
    assert_eq!(request.answer(), "n8n");
    assert_eq!(network.connections(), 1);
}

#[test]
fn a_router_that_forgot_the_connection_is_found_out() {
    let instance = Instance::start();
    let network = Network::to(instance.sshd.port);
    let sandbox = behind(&network, &instance);
    sandbox.start(&instance);
    network.forget();
    wait::until_true("another connection", || network.connections() == 2);
    assert_eq!(get(&sandbox.url(0, "id")), "sglang");
}

#[test]
fn a_connection_that_is_reset_is_made_anew() {
    let instance = Instance::start();
    let network = Network::to(instance.sshd.port);
    let sandbox = behind(&network, &instance);
    sandbox.start(&instance);
    network.reset();
    wait::until_true("another connection", || network.connections() == 2);
    assert_eq!(get(&sandbox.url(0, "id")), "sglang");
    wait_for(&sandbox, "up");
}

/// A machine that hangs takes connections and says nothing: an attempt ends after its time, and is made again.
#[test]
fn an_attempt_that_gets_no_answer_is_given_up_and_made_again() {
    let instance = Instance::start();
    let network = Network::to(instance.sshd.port);
    let mut sandbox = behind(&network, &instance);
    sandbox.configure(|config| {
        config.set(["ssh", "connect-timeout"], 1);
    });
    sandbox.start(&instance);
    network.fall_silent();
    network.reset();
    let told = wait::until("a second attempt", || {
        let told = told(&sandbox);
        (told["attempt"].as_i64() >= Some(2)).then_some(told)
    });
    assert!(told["last_error"].as_str().unwrap().contains("timed out"), "{told}");
    network.speak();
    wait_for(&sandbox, "up");
    assert_eq!(get(&sandbox.url(0, "id")), "sglang");
    assert_eq!(sandbox.clients().len(), 1);
}

/// The address that an instance has now counts, from `restart` on; its key stays pinned to it.
#[test]
fn a_new_address_counts_from_the_next_restart_on() {
    let instance = Instance::start();
    let (old, new) = (Network::to(instance.sshd.port), Network::to(instance.sshd.port));
    let mut sandbox = behind(&old, &instance);
    sandbox.start(&instance);
    sandbox.configure(|config| {
        config.instance("dev", "127.0.0.1", new.port);
    });
    sandbox.tunnel(["restart"]).stdout_has("SSH tunnel started").run();
    assert_eq!(get(&sandbox.url(0, "id")), "sglang");
    assert_eq!((old.connections(), new.connections()), (1, 1));
}

/// Likewise where `ssh_config` is what knows the address.
#[test]
fn an_alias_that_leads_elsewhere_counts_from_the_next_attempt_on() {
    let instance = Instance::start();
    let (old, new) = (Network::to(instance.sshd.port), Network::to(instance.sshd.port));
    let mut sandbox = behind(&old, &instance);
    let aliases = sandbox.path("home/aliases");
    let lead_to = |sandbox: &Sandbox, port| {
        sandbox.write(&aliases, format!("Host gpu\n  HostName 127.0.0.1\n  Port {port}\n"));
    };
    lead_to(&sandbox, old.port);
    sandbox.configure(|config| {
        config.set(["instances", "dev", "host"], "gpu").remove("instances.dev", "port");
        config.set(["ssh", "options"], format!("-F {}", path(&aliases)));
    });
    sandbox.tunnel(["start"]).stdout_has("SSH tunnel started").run();
    lead_to(&sandbox, new.port);
    old.reset();
    wait::until_true("a connection to the new address", || new.connections() == 1);
    assert_eq!(get(&sandbox.url(0, "id")), "sglang");
}

/// A suspended laptop's clock jumps; here the programs are held, all of them, and then go on.
#[test]
fn a_supervisor_that_was_suspended_goes_on() {
    let instance = Instance::start();
    let sandbox = Sandbox::with(&instance);
    let pid = sandbox.start(&instance);
    let client = sandbox.clients()[0].pid;
    process::signal(pid, Signal::SIGSTOP);
    process::signal(client, Signal::SIGKILL);
    let mut request = Pending::to(&sandbox.url(0, "id"));
    request.assert_unanswered();
    process::signal(pid, Signal::SIGCONT);
    assert_eq!(request.answer(), "sglang");
}
