//! `soong service`: systemd user units that start tunnels at login, with a user manager and without one.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::support::curl::get;
use crate::support::instance::Instance;
use crate::support::sandbox::Sandbox;
use crate::support::tools::{system_path, tool};
use crate::support::user_manager::UserManager;
use crate::support::{process, wait};

const UNITS: &str = ".config/systemd/user";

fn unit(sandbox: &Sandbox, label: &str) -> PathBuf {
    sandbox.home().join(UNITS).join(format!("{label}.service"))
}

/// Returns the only installed service.
fn service(sandbox: &Sandbox) -> Value {
    let output = sandbox.soong(["service", "status", "--json"]).stdout_has("").run();
    serde_json::from_str::<Value>(&output.stdout).unwrap()["services"][0].clone()
}

fn wait_for(sandbox: &Sandbox, service_is: &str, tunnel: Option<&str>) {
    wait::until_true(&format!("service {service_is}, tunnel {tunnel:?}"), || {
        let service = service(sandbox);
        service["service"] == service_is && service["tunnel"].as_str() == tunnel
    });
}

#[test]
fn without_a_user_manager_the_files_are_written_for_the_next_login() {
    let mut sandbox = Sandbox::new();
    sandbox.configure(|config| {
        config.instance("dev", "192.0.2.1", 22);
    });
    sandbox.soong(["service", "status"]).code(3).stdout("No tunnel starts at login\n").run();
    sandbox.soong(["service", "uninstall"]).fails(1, ["no tunnel starts at login"]).run();
    let file = unit(&sandbox, "soong-dev");
    let place = format!("  ~/{UNITS}/soong-dev.service; no service manager is running for you now\n");
    sandbox.soong(["service", "install"]).stdout(format!("Starts at login: dev\n{place}")).run();
    let text = fs::read_to_string(&file).unwrap();
    sandbox.soong(["service", "install", "dev"]).stdout(format!("No changes: dev\n{place}")).run();
    assert_eq!(fs::read_to_string(&file).unwrap(), text);
    let link = sandbox.home().join(UNITS).join("default.target.wants/soong-dev.service");
    assert_eq!(fs::canonicalize(&link).unwrap(), file);
    verify(&file);
    sandbox.soong(["service", "install", "dev", "--on-demand=1h", "--quiet"]).run();
    let status = service(&sandbox);
    assert_eq!((&status["name"], &status["enabled"]), (&"dev".into(), &true.into()));
    assert_eq!((&status["on_demand"], &status["tunnel"]), (&"1h".into(), &Value::Null));
    sandbox
        .soong(["service", "status"])
        .stdout("dev: starts at login, no service manager is running for you now, tunnel not running\n")
        .run();
    sandbox.soong(["service", "install", "nope"]).fails(1, ["no instance 'nope'"]).run();
    sandbox
        .soong(["service", "uninstall", "nope"])
        .fails(1, ["no tunnel to 'nope' starts at login"])
        .hint("installed: dev")
        .run();
    sandbox.soong(["service", "uninstall"]).stdout("The tunnel to dev no longer starts at login\n").run();
    assert!(!file.exists() && fs::symlink_metadata(&link).is_err());
    // A file of the user's own stays.
    fs::write(&file, "[Service]\nExecStart=/bin/true\n").unwrap();
    sandbox.soong(["service", "install"]).fails(1, ["is not from 'soong service install'"]).run();
}

/// Asserts that systemd has nothing to say about a unit.
fn verify(file: &Path) {
    let mut command = Command::new(tool("systemd-analyze"));
    let output = command.args(["--user", "verify", "--man=no"]).arg(file).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let about_it: Vec<&str> = said.lines().filter(|line| line.contains("soong")).collect();
    assert!(about_it.is_empty(), "{said}");
}

#[test]
fn a_service_starts_its_tunnel_at_login_and_again_after_a_crash() {
    let mut instance = Instance::start();
    let sandbox = Sandbox::with(&instance);
    let Some(manager) = UserManager::start(&sandbox) else { return };
    sandbox
        .soong(["service", "install", "dev", "--on-demand"])
        .stdout(format!(
            "Starts at login: dev\n  ~/{UNITS}/soong-dev.service; see it: soong tunnel status dev\n"
        ))
        .run();
    wait_for(&sandbox, "active", Some("idle"));
    assert_eq!(get(&sandbox.url(0, "id")), "sglang");
    sandbox.soong(["service", "status"]).stdout("dev: starts at login, service active, tunnel up\n").run();
    sandbox.soong(["service", "install", "dev", "--on-demand"]).stdout_has("No changes: dev\n").run();

    // After a crash it is there again.
    let supervisor = sandbox.supervisors()[0].pid;
    process::signal(supervisor, Signal::SIGKILL);
    wait::until_true("another supervisor", || {
        sandbox.supervisors().iter().any(|process| process.pid != supervisor)
    });
    wait_for(&sandbox, "active", Some("idle"));
    assert_eq!(get(&sandbox.url(0, "id")), "sglang");

    // After a stop it is not, until the next login, also before the network is there.
    sandbox.tunnel(["stop"]).stdout_has("Stopped").run();
    wait_for(&sandbox, "inactive", None);
    sandbox.soong(["service", "install", "dev"]).stdout_has("Starts at login: dev\n").run();
    wait_for(&sandbox, "active", Some("up"));
    drop(manager);
    assert!(sandbox.supervisors().is_empty());
    instance.sshd.stop();
    let manager = UserManager::start(&sandbox).unwrap();
    wait_for(&sandbox, "active", Some("reconnecting"));
    instance.sshd.resume();
    wait_for(&sandbox, "active", Some("up"));
    assert_eq!(get(&sandbox.url(0, "id")), "sglang");

    // A failure that the user must mend is not tried again and again.
    let keys = instance.sshd.revoke_key();
    sandbox.tunnel(["stop"]).stdout_has("Stopped").run();
    manager.systemctl(&["start", "soong-dev"]);
    wait_for(&sandbox, "failed", None);
    assert!(manager.systemctl(&["show", "--property=NRestarts", "soong-dev"]).contains("NRestarts=0"));
    instance.sshd.restore_keys(&keys);

    sandbox.soong(["service", "uninstall", "dev"]).stdout_has("no longer starts at login").run();
    assert!(manager.systemctl(&["status", "soong-dev"]).contains("could not be found"));
    // A tunnel that runs already is left alone.
    let pid = sandbox.start(&instance);
    sandbox.soong(["service", "install"]).stdout_has("; its tunnel is running already\n").run();
    assert_eq!(sandbox.supervisors()[0].pid, pid);
    sandbox.tunnel(["stop"]).stdout_has("Stopped").run();
}

#[test]
fn hostile_names_and_paths_reach_the_program_as_they_are() {
    let instance = Instance::start();
    let mut sandbox = Sandbox::with(&instance);
    let name = "my \"box\" 50% $HOME 'a' \\";
    let id = "--x $y %n `id` \"";
    sandbox.configure(|config| {
        config.another(name, &instance);
        config.set(["instances", name, "id"], id);
        config.remove("instances", "dev");
    });
    // Where links lead, another version may be after an upgrade.
    let programs = sandbox.path("my 50% $programs");
    fs::create_dir(&programs).unwrap();
    let soong = Path::new(env!("CARGO_BIN_EXE_soong"));
    std::os::unix::fs::symlink(soong, programs.join("soong")).unwrap();
    let path = format!("{}:{}", programs.display(), system_path().to_str().unwrap());
    let Some(manager) = UserManager::start(&sandbox) else { return };
    sandbox
        .soong(["service", "install", name, "--on-demand"])
        .env("PATH", &path)
        .stdout_has("Starts at login: ")
        .run();
    wait_for(&sandbox, "active", Some("idle"));
    let status = service(&sandbox);
    assert_eq!((&status["name"], &status["id"]), (&name.into(), &id.into()));
    verify(Path::new(status["file"].as_str().unwrap()));
    let text = fs::read_to_string(status["file"].as_str().unwrap()).unwrap();
    assert!(text.contains("/my 50%% $programs/soong\""), "{text}");
    assert_eq!(get(&sandbox.url(0, "id")), "sglang");
    let label = Path::new(status["file"].as_str().unwrap()).file_name().unwrap().to_str().unwrap().to_owned();
    let shown = manager.systemctl(&["show", "--property=Environment,Description", &label]);
    // It quotes as a shell does.
    assert!(shown.replace('\\', "").contains("/my 50% $programs:"), "{shown}");
    sandbox.soong(["service", "uninstall", "--all"]).stdout_has("no longer starts at login").run();
    wait::until_true("the tunnel to stop", || sandbox.supervisors().is_empty());
}
