//! Links that are slow or stand still, and must not be taken for dead ones. `cargo test --test endurance -- doubt` has longer
//! runs, and those over a line that delays and loses packets, which need root.

use nix::sys::signal::Signal;

use super::link::Pending;
use super::logs;
use super::takeover::{self, start};
use super::wait_for;
use crate::support::instance::Instance;
use crate::support::sandbox::Sandbox;
use crate::support::{download, process, wait};

/// Returns the number of checks of the link that have reached the server.
fn checks(instance: &Instance) -> usize {
    instance.sshd.log().matches("connect to /nonexistent/soong").count()
}

/// Suspends `sshd` and its sessions during a download until a second ssh starts: the link is kept and everything arrives.
pub fn a_stop_breaks_nothing(sshd: i32, sandbox: &Sandbox) {
    const LENGTH: u64 = 20_000_000;
    let mut stream = takeover::download(sandbox, LENGTH);
    process::signal_tree(sshd, Signal::SIGSTOP);
    let waiting = Pending::to(&sandbox.url(1, "id"));
    wait::until_true("the doubt", || logs(sandbox).contains("starting a second ssh"));
    process::signal_tree(sshd, Signal::SIGCONT);
    assert_eq!(waiting.answer(), "n8n");
    download::finish(&mut stream, LENGTH);
    assert!(!logs(sandbox).contains("link lost"));
}

/// A model that thinks, and a service that has been stopped, look the same from here.
#[test]
fn a_service_that_does_not_answer_costs_few_checks() {
    let (instance, network, sandbox) = start(5);
    let before = checks(&instance);
    let first = Pending::to(&sandbox.url(0, "meet/2"));
    // The second one comes 4.5 s after the first.
    wait::until_true("the second check", || checks(&instance) >= before + 2);
    let second = Pending::to(&sandbox.url(0, "meet/2"));
    assert_eq!([first.answer(), second.answer()], ["met", "met"]);
    assert!(checks(&instance) <= before + 3);
    let logs = logs(&sandbox);
    assert!(!logs.contains("doubt") && !logs.contains("link lost"), "{logs}");
    assert_eq!(network.connections(), 1);
}

#[test]
fn a_server_that_is_suspended_for_a_moment_keeps_its_link() {
    let (instance, _network, sandbox) = start(5);
    let before = checks(&instance);
    a_stop_breaks_nothing(i32::try_from(instance.sshd.pid()).unwrap(), &sandbox);
    wait_for(&sandbox, "up");
    assert!(checks(&instance) <= before + 5);
}
