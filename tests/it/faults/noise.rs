//! Servers that have more to say than anybody wants to hear.

use std::fmt::Write as _;
use std::io::Read as _;
use std::process::{Command, Stdio};

use nix::sys::signal::Signal;

use super::wait_for;
use crate::support::config::path;
use crate::support::curl::get;
use crate::support::instance::Instance;
use crate::support::sandbox::Sandbox;
use crate::support::sshd::Options;
use crate::support::tools::tool;
use crate::support::{process, wait};

/// A server with a banner of `lines` lines that look like what ssh itself says.
fn noisy(sandbox: &Sandbox, lines: usize) -> Options {
    let mut banner = String::new();
    for number in 0..lines {
        writeln!(banner, "channel {number}: open failed: administratively prohibited: open failed").unwrap();
    }
    let file = sandbox.path("banner");
    sandbox.write(&file, banner);
    Options::default().line(&format!("Banner {}", path(&file)))
}

#[test]
fn a_long_banner_does_not_cost_the_outcome() {
    let place = Sandbox::new();
    let instance = Instance::with(noisy(&place, 2000));
    let sandbox = Sandbox::with(&instance);
    sandbox.start(&instance);
    assert_eq!(get(&sandbox.url(0, "id")), "sglang");
    sandbox.tunnel(["stop"]).stdout_has("Stopped").run();
    let said = sandbox.tunnel(["start", "-v"]).stdout(sandbox.started(&instance)).stderr_has("").run().stderr;
    assert!(said.matches("open failed").count() > 10, "{said}");
    let log = sandbox.tunnel(["logs"]).stdout_has("some are left out").run().stdout;
    assert!(log.lines().count() < 4000, "{} lines", log.lines().count());
    sandbox.tunnel(["stop"]).stdout_has("Stopped").run();
    // There is no reader before the tunnel is up.
    let mut start = sandbox
        .tunnel(["start", "-v"])
        .command()
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    wait_for(&sandbox, "up");
    let (mut told, mut said) = (String::new(), String::new());
    start.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    start.stdout.take().unwrap().read_to_string(&mut told).unwrap();
    assert!(start.wait().unwrap().success(), "{said}");
    assert_eq!(sandbox.normalise(&told), sandbox.started(&instance));
}

/// Memory that a process takes, in KiB.
fn resident(pid: i32) -> u64 {
    let output = Command::new(tool("ps")).args(["-o", "rss=", "-p", &pid.to_string()]).output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().parse().unwrap()
}

/// A proxy command may write whatever it likes, for ever.
#[test]
fn endless_lines_leave_the_supervisor_responsive() {
    let instance = Instance::start();
    let mut sandbox = Sandbox::with(&instance);
    let script = "#!/bin/sh\nyes 'debug2: channel 1: open failed: administratively prohibited' >&2\n";
    let proxy = sandbox.path("bin/proxy");
    sandbox.write(&proxy, script);
    std::fs::set_permissions(&proxy, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    sandbox.configure(|config| {
        config.set(["ssh", "options"], format!("-F none -o ProxyCommand={}", path(&proxy)));
        config.set(["ssh", "connect-timeout"], 600);
    });
    let mut start = sandbox
        .tunnel(["start", "-q"])
        .command()
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    wait::until_true("the limit", || {
        sandbox.tunnel(["logs"]).unchecked().stdout.contains("some are left out")
    });
    let supervisor = sandbox.supervisors()[0].pid;
    let before = resident(supervisor);
    for _ in 0..20 {
        let status = sandbox.tunnel(["status"]).unchecked();
        assert!(status.stdout.contains("starting"), "{status:?}");
    }
    let grown = resident(supervisor).saturating_sub(before);
    assert!(grown < 8 << 10, "{grown} KiB");
    process::signal(supervisor, Signal::SIGTERM);
    assert!(!start.wait().unwrap().success());
    wait::until_true("the supervisor to end", || !process::is_alive(supervisor));
    sandbox.assert_idle();
}
