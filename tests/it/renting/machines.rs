//! The whole way, with nothing prepared: the provider itself starts the machine, a network and PID namespace with an SSH
//! server, and ends it. Needs root, or the right to make user namespaces.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::time::Instant;

use super::pretended::Renter;
use crate::support::config::{forward, path, user};
use crate::support::curl::curl;
use crate::support::namespaces::{self, HERE, THERE};
use crate::support::sandbox::Sandbox;
use crate::support::sshd::{self, Options};
use crate::support::{process, wait};

const PROVIDER: &str = include_str!("machines.sh");

/// Script of the machine's first boot.
const RECIPE: &str = "#!/bin/sh
mkdir \"$MACHINE/www\"
cd \"$MACHINE/www\"
echo '@soong:name@ with @soong:count@x @soong:gpu@' >id
exec python3 -m http.server --bind 127.0.0.1 8000
";

/// Returns a renter whose provider starts a machine for a launch. Its services have their usual ports.
fn renter() -> Renter {
    let mut sandbox = Sandbox::new();
    let machine = sandbox.path("machine");
    fs::create_dir(&machine).unwrap();
    sshd::prepare();
    Options::default().line(&format!("ListenAddress {THERE}")).write(&machine, 22);
    sandbox.use_key(path(&machine.join("key")));
    sandbox.configure(|config| {
        for (service, (remote, local)) in
            ["sglang", "n8n", "status"].into_iter().zip([8000, 5678, 8080].into_iter().zip(config.local))
        {
            config.set(["services", service], forward(remote, local));
        }
    });
    sandbox.write(&sandbox.path("recipe"), RECIPE);
    let renter = Renter::from(sandbox, 22, user()).with("HOST", THERE).with("BOOT", "2");
    let program = renter.sandbox.path("bin/soong-provider-static");
    fs::rename(&program, program.with_file_name("sample")).unwrap();
    renter.sandbox.write(&program, PROVIDER);
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    renter
}

#[test]
fn from_nothing_to_an_answered_request_of_a_machine_that_the_provider_starts() {
    const TEST: &str =
        "renting::machines::from_nothing_to_an_answered_request_of_a_machine_that_the_provider_starts";
    namespaces::alone(TEST, || {
        let renter = renter();
        let machine = renter.sandbox.path("machine");
        let soong = |words: &[&str]| {
            let run = renter.soong(words).env("MACHINE", &machine);
            run.env("HERE", HERE).env("THERE", THERE)
        };
        let begun = Instant::now();
        let recipe = renter.sandbox.path("recipe");
        let launched = soong(&["launch", "-y", "--gpu", "H100", "--recipe", path(&recipe)])
            .stdout_has("SSH tunnel started")
            .stderr_has("End it: soong terminate dev\n")
            .run();
        // The service may start after the SSH server.
        let answer = wait::until("an answer of the machine", || {
            let output = curl().arg(renter.sandbox.url(0, "id")).output().unwrap();
            output.status.success().then(|| String::from_utf8(output.stdout).unwrap())
        });
        eprintln!("{}answered after {:.1?}", launched.stderr, begun.elapsed());
        assert_eq!(answer, "dev with 1x H100\n");
        let steps: Vec<&str> = launched.stderr.lines().filter_map(step).collect();
        let active = format!("dev is active at {THERE}");
        let expected = [
            "launched dev (static-1): gpu_1x_h100 in us-west-1, $2.49/h",
            &active,
            "its SSH server answers",
            "the tunnel is up",
        ];
        assert_eq!(steps, expected, "{}", launched.stderr);
        let log = fs::read_to_string(machine.join("log")).unwrap();
        assert_eq!((renter.calls("launch"), log.matches("Accepted publickey").count()), (1, 1), "{log}");

        let pid = fs::read_to_string(machine.join("pid")).unwrap().trim().parse().unwrap();
        assert!(process::is_alive(pid));
        soong(&["terminate", "dev", "-y"]).stdout_has("Terminated dev\n").stderr_has("").run();
        assert!(!process::is_alive(pid));
        assert_eq!((renter.calls("launch"), renter.calls("terminate")), (1, 1));
        renter.sandbox.assert_idle();
    });
}

/// Returns what a step did, for a line that begins with a time such as `0.3 s` or `1 min 2 s`.
fn step(line: &str) -> Option<&str> {
    let (time, done) = line.trim_start().split_once("  ")?;
    let is_part = |word: &str| ["s", "min"].contains(&word) || word.parse::<f64>().is_ok();
    (line.starts_with("   ") && time.ends_with(" s") && time.split(' ').all(is_part)).then_some(done)
}
