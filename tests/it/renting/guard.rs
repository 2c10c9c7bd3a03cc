//! `soong launch` with `launch.guard`: the real status daemon on a machine that systemd has booted.

use std::time::{SystemTime, UNIX_EPOCH};

use super::pretended::Renter;
use crate::support::booted::{Booted, Sudo, USER};
use crate::support::{statusd, wait};

#[test]
fn a_launched_machine_has_its_guard_and_its_tunnel() {
    let Some(machine) = Booted::start(Sudo::NoPassword) else { return };
    statusd::program();
    let mut sandbox = machine.sandbox();
    sandbox.configure(|config| {
        config.remove("instances", "dev");
    });
    let renter = Renter::from(sandbox, machine.port(), USER.to_owned()).launch_key("guard", true);
    let launched =
        renter.soong(&["launch", "-y", "--hours", "2"]).stdout_has("now guards dev\nThe lease ends at ");
    let launched = launched.stdout_has("SSH tunnel started").stderr_has("  the status daemon guards it\n");
    let output = launched.stderr_has("  the tunnel is up\n").run();
    eprintln!("{}", output.stderr);
    assert_eq!(machine.root("systemctl is-active soong-statusd"), "active\n");
    let status = wait::until("the daemon to answer", || machine.status());
    let end = humantime::parse_rfc3339(status["lease_end"].as_str().unwrap()).unwrap();
    let left = end
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs()
        .saturating_sub(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs());
    assert!((6600..=7200).contains(&left), "{left} s of the lease are left: {status}");
    // Through the tunnel, with the token of this machine.
    renter.soong(&["extend", "30m"]).stdout_has("Lease extended by 30 min, until ").run();
    assert_eq!(renter.ledger(), ["launch-asked dev", "launched dev", "ready dev"]);
    renter.soong(&["terminate", "dev", "-y"]).stdout_has("Terminated dev\n").stderr_has("").run();
    renter.sandbox.assert_idle();
}
