//! `soong doctor` on set-ups that are broken in one place: the first failed line names it.

use std::fs;
use std::io::Write as _;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::thread;

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::support::config::{forward, path};
use crate::support::instance::Instance;
use crate::support::sandbox::Sandbox;
use crate::support::sshd::{Options, generate_key};
use crate::support::{ports, process, tools, wait};

/// Returns the output of `soong doctor ARGS`.
fn doctor(sandbox: &Sandbox, args: &[&str]) -> String {
    sandbox.soong_with_bin(["doctor"]).args(args).unchecked().stdout
}

/// Asserts that the first failed line of `soong doctor dev` has `cause`, and that a line below it has `fix`, if any.
#[track_caller]
fn assert_cause(sandbox: &Sandbox, cause: &str, fix: &str) {
    let output = sandbox.soong_with_bin(["doctor", "dev"]).unchecked();
    let told = &output.stdout;
    assert_eq!(output.code, 1, "{told}{}", output.stderr);
    let mut lines = told.lines().skip_while(|line| !line.starts_with("failed"));
    let first = lines.next().unwrap_or_else(|| panic!("nothing failed:\n{told}"));
    assert!(first.contains(cause), "expected '{cause}' in '{first}' of\n{told}");
    let fixes: Vec<&str> = lines.take_while(|line| line.contains("fix: ")).collect();
    let is_fixed = fix.is_empty() || fixes.iter().any(|line| line.contains(fix));
    assert!(is_fixed, "expected '{fix}' in {fixes:?} of\n{told}");
}

/// Moves the instance of the config to another address.
fn move_to(sandbox: &mut Sandbox, host: &str, port: u16) {
    sandbox.configure(|config| {
        config.instance("dev", host, port);
    });
}

/// Enables the provider `cloud`, which is not installed.
fn enable(sandbox: &mut Sandbox) {
    sandbox.configure(|config| {
        config.set(["providers", "cloud"], true);
    });
}

#[test]
fn nothing_is_wrong_with_what_works() {
    let instance = Instance::start();
    let sandbox = Sandbox::with(&instance);
    let told = doctor(&sandbox, &[]);
    for line in [
        "ok       instance: dev",
        "ok       greeting: SSH-2.0-",
        "ok       login: ",
        "are free",
        "not running",
    ] {
        assert!(told.contains(line), "{line}\n{told}");
    }
    assert!(!told.contains("failed "), "{told}");
    sandbox.start(&instance);
    let output = sandbox.soong_with_bin(["doctor", "dev"]).code(0).stdout_has("ok       tunnel: up").run();
    for service in ["sglang", "n8n", "status"] {
        assert!(
            output.stdout.contains(&format!("ok       service: {service} is answering")),
            "{}",
            output.stdout
        );
    }
}

#[test]
fn what_applies_of_the_users_ssh_config_is_listed() {
    let instance = Instance::start();
    let mut sandbox = Sandbox::with(&instance);
    let (users, port) = (sandbox.path("home/users"), ports::free());
    sandbox.write(
        &users,
        format!("Host *\n Ciphers aes128-ctr\n LocalForward {port} localhost:1\n ServerAliveInterval 7\n SendEnv X\n"),
    );
    sandbox.configure(|config| {
        config.set(["ssh", "options"], format!("-F {}", users.display()));
    });
    let told = doctor(&sandbox, &["dev"]);
    let line = "ok       ssh_config: obeyed: ciphers; replaced by config.toml: serveraliveinterval; \
                ignored: localforward, sendenv\n";
    assert!(told.contains(line), "{told}");
    sandbox.write(&users, "");
    assert!(!doctor(&sandbox, &["dev"]).contains("ssh_config:"));
}

#[test]
fn what_is_wrong_with_files_is_named() {
    let instance = Instance::start();
    let broken = |spoil: &dyn Fn(&mut Sandbox), cause: &str, fix: &str| {
        let mut sandbox = Sandbox::with(&instance);
        spoil(&mut sandbox);
        assert_cause(&sandbox, cause, fix);
    };
    broken(&|s| fs::remove_file(s.config_file()).unwrap(), "config.toml does not exist", "soong configure");
    broken(&|s| s.write(&s.config_file(), "[ssh\n"), "config.toml: line 1", "");
    broken(&|s| s.write(&s.config_file(), "[ssh]\nkeey = \"x\"\n"), "keey", "key");
    broken(&|s| s.use_key("/nowhere/key"), "key: cannot use the SSH key /nowhere/key", "ssh.key");
    broken(
        &|s| {
            let key = s.path("open");
            fs::copy(instance.sshd.key(), &key).unwrap();
            fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
            s.use_key(path(&key));
        },
        "can be read by other users",
        "chmod 600 ",
    );
    broken(
        &|s| {
            let key = s.path("public");
            fs::copy(instance.sshd.key().with_extension("pub"), &key).unwrap();
            s.use_key(path(&key));
        },
        "is a public key",
        "private key",
    );
}

#[test]
fn what_is_wrong_with_providers_is_named() {
    let broken = |script: &str, cause: &str, fix: &str| {
        let mut sandbox = Sandbox::new();
        let key = sandbox.path("key");
        generate_key(&key);
        sandbox.use_key(path(&key));
        match script {
            "" => enable(&mut sandbox),
            script => sandbox.provide("cloud", script),
        }
        assert_cause(&sandbox, cause, fix);
    };
    broken("", "soong-provider-cloud", "");
    broken("echo 'no network' >&2; exit 1", "the provider cloud failed: no network", "");
    broken("echo nonsense", "cloud", "");
    broken(
        r#"echo '{"api":1,"instances":[{"id":"a","name":"other","host":"192.0.2.1"}]}'"#,
        "no instance 'dev'",
        "other",
    );
    broken(
        r#"echo '{"api":1,"instances":[{"id":"a","name":"dev","status":"booting"}]}'"#,
        "has no address yet",
        "--wait",
    );
}

#[test]
fn what_is_wrong_on_the_way_is_named() {
    let instance = Instance::start();
    let broken = |spoil: &dyn Fn(&mut Sandbox), cause: &str, fix: &str| {
        let mut sandbox = Sandbox::with(&instance);
        spoil(&mut sandbox);
        assert_cause(&sandbox, cause, fix);
    };
    let at = |host: &'static str, port: u16| move |sandbox: &mut Sandbox| move_to(sandbox, host, port);
    broken(&at("no-such-host.invalid", 22), "name: cannot look up no-such-host.invalid", "online");
    broken(&at("127.0.0.1", ports::free()), "Connection refused", "booting");
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    broken(&at("127.0.0.1", silent.local_addr().unwrap().port()), "no SSH greeting", "booting");
    let web = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = web.local_addr().unwrap().port();
    thread::spawn(move || {
        web.incoming().flatten().for_each(|mut stream| drop(stream.write_all(b"HTTP/1.1 400 Bad\r\n\r\n")));
    });
    broken(&at("127.0.0.1", port), "not an SSH server", "another service");
}

#[test]
fn what_is_wrong_with_the_login_is_named() {
    let refusing = Instance::with(Options::default().refuse_key());
    assert_cause(&Sandbox::with(&refusing), "login: ", "does not accept the key");
    let mut changed = Instance::start();
    let sandbox = Sandbox::with(&changed);
    sandbox.start(&changed);
    sandbox.tunnel(["stop"]).stdout_has("Stopped").run();
    changed.sshd.stop();
    changed.sshd.replace_host_key();
    changed.sshd.resume();
    assert_cause(&sandbox, "the host key has changed", "ssh-keygen -R");
}

#[test]
fn what_is_wrong_on_this_machine_is_named() {
    let instance = Instance::start();
    let mut sandbox = Sandbox::with(&instance);
    let port = ports::free();
    sandbox.configure(|config| {
        config.set(["services", "sglang"], forward(instance.services[0].port, port));
    });
    let _taken = ports::occupy(port);
    assert_cause(&sandbox, &format!("{port} for sglang is held by "), "--auto-ports");
    let mut sandbox = Sandbox::with(&instance);
    sandbox.configure(|config| {
        config.set(["instances", "dev", "socks"], i64::from(port));
    });
    assert_cause(&sandbox, &format!("{port} for socks {port} is held by "), "soong configure edit");
    let no_ssh = sandbox.soong(["doctor", "dev"]).env("PATH", sandbox.path("bin")).unchecked();
    assert!(no_ssh.stdout.contains("failed   ssh: not found on PATH"), "{}", no_ssh.stdout);
    // A copy of the dispatcher that is found first.
    let other = sandbox.path("bin/soong");
    sandbox.write(&other, "#!/bin/sh\n");
    fs::set_permissions(&other, fs::Permissions::from_mode(0o755)).unwrap();
    let own = std::path::Path::new(env!("CARGO_BIN_EXE_soong")).parent().unwrap();
    let mut both = sandbox.path("bin").into_os_string();
    both.push(":");
    both.push(own);
    both.push(":");
    both.push(tools::system_path());
    let several = sandbox.soong(["doctor"]).env("PATH", both).unchecked();
    assert!(several.stdout.contains("warning  soong: several on PATH"), "{}", several.stdout);
    let startup = sandbox.soong(["doctor"]).env("SHELL", "/bin/zsh").unchecked();
    assert!(startup.stdout.contains("~/.zshrc does not load completion and prompt"), "{}", startup.stdout);
}

#[test]
fn what_is_wrong_with_a_running_tunnel_is_named() {
    let mut instance = Instance::start();
    let mut sandbox = Sandbox::with(&instance);
    let unserved = ports::free();
    sandbox.configure(|config| {
        config.set(["services", "n8n"], forward(unserved, ports::free()));
    });
    let pid = crate::support::sandbox::pid_in(&sandbox.tunnel(["start"]).stdout_has("started").run().stdout);
    assert_cause(&sandbox, "service: n8n is not answering: refused on the instance", "soong ssh dev");
    process::signal(pid, Signal::SIGSTOP);
    assert_cause(&sandbox, &format!("its supervisor (PID {pid}) does not respond"), "kill -CONT");
    process::signal(pid, Signal::SIGCONT);
    instance.sshd.stop();
    wait::until_true("the tunnel to notice", || {
        sandbox.tunnel(["status"]).unchecked().stdout.contains("reconnecting")
    });
    assert_cause(&sandbox, "connection: 127.0.0.1:", "");
    let told = doctor(&sandbox, &["dev"]);
    assert!(told.contains("failed   tunnel: reconnecting"), "{told}");
}

#[test]
fn json_and_the_report_say_the_same() {
    let instance = Instance::start();
    let mut sandbox = Sandbox::with(&instance);
    sandbox.configure(|config| {
        config.instance("dev", "127.0.0.1", ports::free());
    });
    let json: Value = serde_json::from_str(&doctor(&sandbox, &["--json"])).unwrap();
    assert_eq!((json["api"].as_u64(), json["ok"].as_bool()), (Some(1), Some(false)));
    let failed: Vec<&Value> =
        json["checks"].as_array().unwrap().iter().filter(|check| check["state"] == "failed").collect();
    assert_eq!(failed[0]["check"], "connection");
    assert!(failed[0]["milliseconds"].is_u64() && failed[0]["fixes"].is_array());
    let report = doctor(&sandbox, &["--report"]);
    assert!(report.contains("failed   connection: "), "{report}");
    assert!(report.contains("Connection refused"), "{report}");
    for private in ["127.0.0.1", path(&sandbox.home()), "dev"] {
        assert!(!report.contains(private), "{private} in\n{report}");
    }
    sandbox.soong(["doctor", "--fix"]).fails(1, ["not a terminal"]).hint("without --fix").run();
}
