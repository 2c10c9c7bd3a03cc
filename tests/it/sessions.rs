//! Sessions of one user that differ in `XDG_RUNTIME_DIR`: a login, `su -`, cron, `sudo -E`.

use std::fs::{self, Permissions};
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _, chown};
use std::path::Path;

use crate::support::curl::{curl, get};
use crate::support::instance::Instance;
use crate::support::run::Run;
use crate::support::sandbox::{Sandbox, pid_in};
use crate::support::tools::is_root;
use crate::support::wait;

/// Any user but root.
const OTHER_USER: u32 = 65_534;
const STOPPED: &str = "Stopped tunnel (PID: [PID])\n";
/// The runtime directory of a session without `XDG_RUNTIME_DIR`.
const BELOW_HOME: &str = "home/.local/state/soong/run";

/// `soong ARGS` in a session without `XDG_RUNTIME_DIR`.
fn bare<'a>(sandbox: &'a Sandbox, args: &[&str]) -> Run<'a> {
    sandbox.soong(args).env_remove("XDG_RUNTIME_DIR")
}

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn without_a_runtime_directory_there_is_one_below_the_home() {
    let instance = Instance::start();
    let sandbox = Sandbox::with(&instance);
    bare(&sandbox, &["tunnel", "start"]).stdout(sandbox.started(&instance)).run();
    assert_eq!(mode(&sandbox.path(BELOW_HOME)), 0o700);
    assert!(sandbox.path(BELOW_HOME).join("tunnels/dev/ctl").exists());
    bare(&sandbox, &["tunnel", "status"]).stdout_has("Tunnel is running\n").run();
    bare(&sandbox, &["tunnel", "stop"]).stdout(STOPPED).run();
    sandbox.assert_idle();
}

/// The directory is missing after the last logout, belongs to another user after `sudo -E`, or is open to
/// others.
#[test]
fn a_runtime_directory_that_cannot_be_used_is_named_and_replaced() {
    let instance = Instance::start();
    let sandbox = Sandbox::with(&instance);
    let [gone, open, foreign] = ["gone", "open", "foreign"].map(|name| sandbox.path(name));
    fs::DirBuilder::new().mode(0o700).create(&open).unwrap();
    fs::set_permissions(&open, Permissions::from_mode(0o777)).unwrap();
    let mut cases = vec![(&gone, "No such file"), (&open, "is writable by everyone")];
    if is_root() {
        // Only root can give a directory away.
        fs::DirBuilder::new().mode(0o700).create(&foreign).unwrap();
        chown(&foreign, Some(OTHER_USER), None).unwrap();
        cases.push((&foreign, "belongs to another user"));
    }
    for (directory, why) in cases {
        let soong = |args: &[&str]| sandbox.soong(args).env("XDG_RUNTIME_DIR", directory);
        let output = soong(&["tunnel", "start"]).stdout(sandbox.started(&instance)).stderr_has(why).run();
        assert!(output.stderr.contains("warning: XDG_RUNTIME_DIR is not used"), "{}", output.stderr);
        assert!(output.stderr.contains("\nhint: unset it"), "{}", output.stderr);
        assert_eq!(get(&sandbox.url(0, "id")), "sglang");
        assert!(!directory.join("soong").exists(), "{} is left alone", directory.display());
        soong(&["tunnel", "stop"]).stdout(STOPPED).run();
        sandbox.assert_idle();
    }
    assert!(!gone.exists());
}

/// A tunnel that one session starts, the other shows, does not start again, and stops; in either direction.
#[test]
fn a_tunnel_is_found_from_every_session() {
    let instance = Instance::start();
    let sandbox = Sandbox::with(&instance);
    // There is something in both places.
    for session in [false, true] {
        let soong = |args: &[&str]| if session { bare(&sandbox, args) } else { sandbox.soong(args) };
        soong(&["tunnel", "start"]).stdout(sandbox.started(&instance)).run();
        soong(&["tunnel", "stop"]).stdout(STOPPED).run();
    }
    for session in [false, true] {
        let here = |args: &[&str]| if session { bare(&sandbox, args) } else { sandbox.soong(args) };
        let there = |args: &[&str]| if session { sandbox.soong(args) } else { bare(&sandbox, args) };
        let place = if session { BELOW_HOME } else { "run/soong" };
        here(&["tunnel", "start"]).stdout(sandbox.started(&instance)).run();
        let pid_file = fs::read_to_string(sandbox.pid_file()).unwrap();
        let where_it_is = format!("dev is running in another session: [ROOT]/{place}/tunnels/dev");
        there(&["tunnel", "status"]).stdout_has("Tunnel is running\n").stderr_has(where_it_is).run();
        let again = there(&["tunnel", "start"]).code(1);
        let again = again.stderr_has("Tunnel already running. Stop it first.\n").run();
        assert!(again.stderr.contains("it is running in another session: "), "{}", again.stderr);
        there(&["prompt"]).stdout_has("dev").run();
        there(&["ssh", "--print"]).stdout_has(format!("{place}/tunnels/dev/ctl")).run();
        assert_eq!(fs::read_to_string(sandbox.pid_file()).unwrap(), pid_file, "a look changes nothing");
        there(&["tunnel", "stop"]).stdout(STOPPED).run();
        here(&["prompt"]).stdout("").run();
        there(&["prompt"]).stdout("").run();
        sandbox.assert_idle();
    }
}

/// The last logout takes `XDG_RUNTIME_DIR` away; a tunnel that goes on without its user is wanted.
#[test]
fn a_tunnel_outlives_the_login_that_started_it() {
    let instance = Instance::start();
    let mut sandbox = Sandbox::with(&instance);
    sandbox.configure(|config| {
        config.set(["ssh", "keepalive"], 1);
    });
    let login = sandbox.path("login");
    fs::DirBuilder::new().mode(0o700).create(&login).unwrap();
    let start = sandbox.tunnel(["start"]).env("XDG_RUNTIME_DIR", &login);
    let pid = pid_in(&start.stdout(sandbox.started(&instance)).run().stdout);
    fs::remove_dir_all(&login).unwrap();
    // Its socket is gone, so it takes a second look at everything.
    let _ = curl().arg(sandbox.url(0, "id")).output().unwrap();
    wait::until_true("the tunnel to go on below the home", || {
        bare(&sandbox, &["tunnel", "status"]).unchecked().code == 0
    });
    wait::until_true("an answer", || curl().arg(sandbox.url(0, "id")).output().unwrap().stdout == b"sglang");
    assert_eq!(fs::read_to_string(sandbox.pid_file()).unwrap(), format!("{pid}\n"), "the same process");
    assert!(!login.exists());
    bare(&sandbox, &["tunnel", "stop"]).stdout(format!("Stopped tunnel (PID: {pid})\n")).unchecked();
    sandbox.assert_idle();
}

/// A session that has another state directory too does not know of the tunnel, and takes nothing from it.
#[test]
#[cfg(target_os = "linux")]
fn the_pid_of_a_tunnel_that_cannot_be_seen_stays_in_the_file() {
    let instance = Instance::start();
    let sandbox = Sandbox::with(&instance);
    let pid = sandbox.start(&instance);
    let blind = bare(&sandbox, &["tunnel", "status"]).env("XDG_STATE_HOME", sandbox.path("tmp"));
    blind.code(3).stdout("Tunnel is not running\n").run();
    assert_eq!(fs::read_to_string(sandbox.pid_file()).unwrap(), format!("{pid}\n"));
    sandbox.tunnel(["stop"]).stdout(STOPPED).run();
    sandbox.assert_idle();
}

/// Root with the environment of a user leaves nothing behind that the user could not use.
#[test]
fn nothing_is_made_in_the_home_of_another_user() {
    if !is_root() {
        // Only root could write there.
        return;
    }
    let instance = Instance::start();
    let sandbox = Sandbox::with(&instance);
    let home = sandbox.path("alice");
    fs::DirBuilder::new().mode(0o700).create(&home).unwrap();
    chown(&home, Some(OTHER_USER), None).unwrap();
    let start = bare(&sandbox, &["tunnel", "start"]).env("HOME", &home);
    let start = start.env("SOONG_CONFIG", sandbox.config_file());
    start.fails(1, ["[ROOT]/alice", "belongs to another user"]).hint("sudo -H").run();
    assert_eq!(fs::read_dir(&home).unwrap().count(), 0);
}

/// A user who can create the directory of a control socket, for example after a reboot, gets the sessions of
/// its owner.
#[test]
fn ssh_is_not_told_of_sockets_where_others_could_be() {
    let instance = Instance::start();
    let sandbox = Sandbox::with(&instance);
    let print = ["ssh", "config", "--print"];
    sandbox.soong(print).stdout_has("ControlPath [ROOT]/run/soong/tunnels/dev/ctl").run();
    bare(&sandbox, &print).stdout_has(format!("ControlPath [ROOT]/{BELOW_HOME}/tunnels/dev/ctl")).run();
    let shared = sandbox.path("shared");
    fs::create_dir(&shared).unwrap();
    fs::set_permissions(&shared, Permissions::from_mode(0o1777)).unwrap();
    let own = shared.join("runtime-me");
    fs::DirBuilder::new().mode(0o700).create(&own).unwrap();
    let output =
        sandbox.soong(print).env("XDG_RUNTIME_DIR", &own).stderr_has("have no ControlPath").unchecked();
    assert!(output.stdout.contains("Host soong-dev") && !output.stdout.contains("Control"), "{output:?}");
    assert!(output.stderr.contains("have no ControlPath"), "{output:?}");
}
