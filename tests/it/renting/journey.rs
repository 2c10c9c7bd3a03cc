//! The whole way: from nothing, over one command, to an answered request, and back to nothing.

use super::pretended::Renter;
use crate::support::curl::get;
use crate::support::instance::Instance;
use crate::support::namespaces::{self, THERE};
use crate::support::sshd::Options;

#[test]
fn from_launch_to_an_answered_request_and_back() {
    let instance = Instance::start();
    let renter = Renter::of(&instance).with("BOOT", "2");
    let output = renter
        .soong(&["launch", "--gpu", "H100", "--hours", "2", "--yes"])
        .stdout(renter.sandbox.started(&instance))
        .stderr_has(
            "Launch dev at static\n  1  gpu_1x_h100 in us-west-1, 1x H100 80 GiB, $2.49/h\n  2 h: $4.98\n",
        )
        .stderr_has("  launched dev (static-1): gpu_1x_h100 in us-west-1, $2.49/h\n")
        .stderr_has("  dev is active at 127.0.0.1\n")
        .stderr_has("  its SSH server answers\n")
        .stderr_has("  the tunnel is up\n")
        .stderr_has("End it: soong terminate dev\n")
        .run();
    // Each step has its time.
    let steps = output.stderr.lines().filter(|line| line.starts_with("   ") && line.contains(" s  "));
    assert_eq!(steps.count(), 4, "{}", output.stderr);
    for (service, local) in instance.services.iter().zip(renter.sandbox.config.local) {
        assert_eq!(get(&format!("http://localhost:{local}/id")), service.name);
    }
    assert_eq!(renter.ledger(), ["launch-asked dev", "launched dev", "ready dev"]);
    let table = renter.soong(&["status"]).stdout_has("  2.49  $0.0").run().stdout;
    assert!(!table.contains('+'), "soong launched it, so the amount is exact: {table}");
    let output = renter
        .soong(&["terminate", "dev", "--yes"])
        .stdout_has("Terminated dev\n")
        .stderr_has("up for ")
        .run();
    assert!(!output.stderr.contains("at least"), "{}", output.stderr);
    assert_eq!((renter.calls("launch"), renter.calls("terminate")), (1, 1));
    let json = renter.soong(&["cost", "--json"]).stdout_has(r#""running":false"#).run().stdout;
    assert!(json.contains(r#""at_least":false,"#) || json.contains(r#""at_least":false}"#), "{json}");
    renter.sandbox.assert_idle();
}

/// The rented machine is a network namespace, reached over a cable.
#[test]
fn from_launch_to_an_answered_request_of_another_machine() {
    const TEST: &str = "renting::journey::from_launch_to_an_answered_request_of_another_machine";
    let instance = || Instance::with(Options::default().line(&format!("ListenAddress {THERE}")));
    namespaces::across(TEST, instance, |instance| {
        let renter = Renter::of(instance).with("HOST", THERE).with("BOOT", "2");
        let launched = renter.soong(&["launch", "-y"]).stdout_has("SSH tunnel started");
        let launched = launched.stderr_has(format!("  dev is active at {THERE}\n"));
        launched.stderr_has("  its SSH server answers\n").stderr_has("  the tunnel is up\n").run();
        assert_eq!(get(&renter.sandbox.url(0, "id")), instance.services[0].name);
        assert_eq!((renter.calls("launch"), instance.sshd.logins()), (1, 1));
        renter.soong(&["terminate", "dev", "-y"]).stdout_has("Terminated dev\n").stderr_has("").run();
        renter.sandbox.assert_idle();
    });
}

#[test]
fn a_server_that_answers_after_the_instance_is_active_is_waited_for() {
    let mut instance = Instance::start();
    let renter = Renter::of(&instance);
    instance.sshd.stop();
    let launch = renter.soong(&["launch", "-y"]).stdout(renter.sandbox.started(&instance));
    let mut launch = launch.stderr_has("  its SSH server answers\n").spawn();
    launch.wait_for_stderr("Waiting for the SSH server of dev");
    instance.sshd.resume();
    launch.finish();
    renter.soong(&["terminate", "dev", "--yes"]).stdout_has("Terminated dev\n").stderr_has("dev").run();
    renter.sandbox.assert_idle();
}
