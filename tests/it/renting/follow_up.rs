//! The steps after a launch: the status daemon and the tunnel, by soong's own programs. Scripts stand in for these.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use super::pretended::Renter;
use crate::support::sshd::Sshd;

/// A directory with soong-launch, and scripts as soong-daemon and soong-tunnel that note their arguments.
fn directory(renter: &Renter, daemon: &str) -> PathBuf {
    let sandbox = &renter.sandbox;
    let original = Path::new(env!("CARGO_BIN_EXE_soong-launch"));
    let program = sandbox.path("own/soong-launch");
    fs::create_dir_all(program.parent().unwrap()).unwrap();
    fs::copy(original, &program).unwrap();
    for (name, end) in [("soong-daemon", daemon), ("soong-tunnel", "")] {
        let file = program.with_file_name(name);
        sandbox.write(&file, format!("#!/bin/sh\necho \"{name} $*\" >>\"$HOME/ran\"\n{end}\n"));
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
    }
    program
}

fn ran(renter: &Renter) -> String {
    fs::read_to_string(renter.sandbox.home().join("ran")).unwrap_or_default()
}

#[test]
fn the_guard_comes_before_the_tunnel_and_has_the_lease_of_the_plan() {
    let sshd = Sshd::start();
    let renter = Renter::at(&sshd).launch_key("guard", true).launch_key("hours", 12);
    let program = directory(&renter, "");
    let launch = |words: &[&str]| renter.program(&program, words);
    launch(&["-y"]).fails(1, ["launch.guard is set, but soong-statusd is not installed with soong"]).run();
    assert_eq!(renter.calls("launch"), 0, "found before money is spent");
    fs::write(program.with_file_name("soong-statusd"), "").unwrap();
    launch(&["-y"])
        .stderr_has("  the status daemon ends it after that time, or when nothing uses it\n")
        .stderr_has("  the status daemon guards it\n")
        .stderr_has("  the tunnel is up\n")
        .run();
    let expected = [
        "soong-daemon install --lease 12h --limit 12h -- static-1\n",
        "soong-tunnel start --instance-id static-1\n",
        "soong-tunnel wait --instance-id static-1\n",
    ];
    assert_eq!(ran(&renter), expected.concat());
    launch(&["-y", "--hours", "90m", "--no-tunnel"]).stderr_has("guards it").run();
    assert!(
        ran(&renter).ends_with("soong-daemon install --lease 1h 30m --limit 8h -- static-2\n"),
        "{}",
        ran(&renter)
    );
}

#[test]
fn without_its_guard_an_instance_has_a_tunnel_and_the_user_is_told() {
    let sshd = Sshd::start();
    let renter = Renter::at(&sshd).launch_key("guard", true);
    let program = directory(&renter, "echo 'soong-daemon: no sudo' >&2; exit 1");
    fs::write(program.with_file_name("soong-statusd"), "").unwrap();
    renter
        .program(&program, &["-y"])
        .code(1)
        .stderr_has("soong-daemon: no sudo\n")
        .stderr_has("soong-launch: soong-daemon failed: nothing ends dev by itself; dev (static-1, gpu_1x_a10 in us-west-1) exists")
        .stderr_has("hint: install the status daemon: soong daemon install dev\n")
        .run();
    assert!(ran(&renter).contains("soong-tunnel start --instance-id static-1\n"), "{}", ran(&renter));
    assert_eq!(renter.ledger(), ["launch-asked dev", "launched dev", "ready dev"]);
}

#[test]
fn a_tunnel_that_does_not_start_leaves_an_instance_that_the_next_command_mentions() {
    let sshd = Sshd::start();
    let renter = Renter::at(&sshd);
    sshd.revoke_key();
    renter
        .soong(&["launch", "-y"])
        .code(1)
        .stdout_has("")
        .stderr_has("soong-tunnel failed; dev (static-1")
        .run();
    renter.soong(&["status"]).stdout_has("dev").stderr_has("and has no tunnel").run();
}

#[test]
fn a_tunnel_on_demand_is_tried_once() {
    let sshd = Sshd::start();
    let mut renter = Renter::at(&sshd);
    renter.sandbox.configure(|config| {
        config.set(["tunnel", "on-demand"], true);
    });
    renter.soong(&["launch", "-y"]).stdout_has("  on demand: ").stderr_has("  the tunnel is up\n").run();
    assert_eq!(sshd.logins(), 1);
}
