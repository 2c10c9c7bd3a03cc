//! `soong-supervisor`: the program that is a tunnel, and how it is come by.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use crate::support::instance::Instance;
use crate::support::ports::Holder;
use crate::support::process::{self, Process};
use crate::support::run::Run;
use crate::support::sandbox::Sandbox;
use crate::support::tools::tool;
use crate::support::wait;

const SUPERVISOR: &str = env!("CARGO_BIN_EXE_soong-supervisor");

#[test]
fn it_is_not_started_by_hand() {
    let sandbox = Sandbox::new();
    let by_hand: [&[&str]; 8] = [
        &[],
        &["dev"],
        &["--nonsense"],
        &["dev", "8000"],
        &["--foreground", "0", "dev"],
        &["--foreground", "99", "dev"],
        &["--foreground", "-1", "dev"],
        &["--foreground", "x", "dev"],
    ];
    for words in by_hand {
        Run::new(&sandbox, Path::new(SUPERVISOR), words)
            .fails(2, ["soong-supervisor: for 'soong tunnel start'; not meant to be typed"])
            .hint("soong tunnel start --foreground")
            .run();
    }
    // Neither is an order that is none, nor a request on what is not the line to a start.
    for script in ["exec \"$0\" --foreground 7 dev 7<<'END'\n{\"request\":{}}\nEND", "echo '{}' | \"$0\" dev"]
    {
        Run::new(&sandbox, &tool("sh"), ["-c", script, SUPERVISOR])
            .fails(2, ["soong-supervisor: for 'soong tunnel start'; not meant to be typed"])
            .run();
    }
    let version = format!("soong-supervisor {}\n", env!("CARGO_PKG_VERSION"));
    Run::new(&sandbox, Path::new(SUPERVISOR), ["--version"]).stdout(version).run();
    Run::new(&sandbox, Path::new(SUPERVISOR), ["--help"]).stdout_has("soong tunnel start").run();
    sandbox.assert_idle();
}

/// A `soong-tunnel` that was put somewhere without the rest.
fn alone(sandbox: &Sandbox) -> PathBuf {
    let program = sandbox.path("alone/soong-tunnel");
    fs::create_dir(program.parent().unwrap()).unwrap();
    fs::copy(env!("CARGO_BIN_EXE_soong-tunnel"), &program).unwrap();
    program
}

#[test]
fn without_it_the_fix_is_named() {
    let instance = Instance::start();
    let sandbox = Sandbox::with(&instance);
    let program = alone(&sandbox);
    let ways: [&[&str]; 3] = [&["start"], &["start", "--foreground"], &["run", "--", "true"]];
    for words in ways {
        Run::new(&sandbox, &program, words)
            .fails(127, ["soong-tunnel: soong-supervisor is not installed"])
            .hint("it belongs in [ROOT]/alone; reinstall soong")
            .run();
    }
    let file = program.with_file_name("soong-supervisor");
    fs::write(&file, "").unwrap();
    fs::set_permissions(&file, Permissions::from_mode(0o644)).unwrap();
    for words in ways {
        Run::new(&sandbox, &program, words)
            .fails(126, ["soong-tunnel: cannot execute [ROOT]/alone/soong-supervisor: Permission denied"])
            .hint("reinstall soong")
            .run();
    }
    sandbox.tunnel(["status"]).code(3).stdout("Tunnel is not running\n").run();
    sandbox.assert_idle();
}

/// Returns true if `process` holds a deleted file open.
fn has_deleted_file(process: &Process) -> bool {
    let files = fs::read_dir(format!("/proc/{}/fd", process.pid)).into_iter().flatten().flatten();
    let mut names = files.filter_map(|file| fs::read_link(file.path()).ok());
    names.any(|name| name.to_string_lossy().ends_with(" (deleted)"))
}

/// In the foreground it takes the place of the command, and what it was told goes no further.
#[test]
fn in_the_foreground_the_command_becomes_it() {
    let instance = Instance::start();
    let sandbox = Sandbox::with(&instance);
    let last = format!(":{}\n", instance.services[2].port);
    let start = sandbox.tunnel(["start", "--foreground"]).stdout_has(sandbox.started(&instance));
    let mut tunnel = start.spawn();
    tunnel.wait_for_stdout(&last);
    let supervisors = sandbox.supervisors();
    assert_eq!(supervisors.len(), 1);
    assert_eq!(supervisors[0].pid, tunnel.pid());
    assert!(supervisors[0].command.ends_with(" dev"), "{supervisors:?}");
    wait::until_true("its order to be gone", || {
        sandbox.processes().iter().all(|process| !has_deleted_file(process))
    });
    tunnel.interrupt();
    tunnel.finish();
    sandbox.assert_idle();
}

#[test]
fn colour_is_handed_on_to_it() {
    let instance = Instance::start();
    let sandbox = Sandbox::with(&instance);
    let _holder = Holder::listen("127.0.0.1", sandbox.config.local[1]);
    for (when, force, hint) in [("always", "0", "\u{1b}[36mhint:"), ("never", "1", "\nhint:")] {
        let program = Path::new(env!("CARGO_BIN_EXE_soong-tunnel"));
        let start = Run::new(&sandbox, program, ["--color", when, "start", "--foreground"]);
        start.env("CLICOLOR_FORCE", force).code(1).stdout_has("").stderr_has(hint).run();
    }
}

#[test]
fn a_process_listing_says_which_tunnel_it_is() {
    let instance = Instance::start();
    let sandbox = Sandbox::with(&instance);
    let pid = sandbox.start(&instance);
    let listed = process::all().into_iter().find(|process| process.pid == pid).unwrap();
    assert_eq!(listed.command.trim_end(), format!("{SUPERVISOR} dev"));
}
