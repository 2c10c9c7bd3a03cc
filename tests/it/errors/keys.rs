//! Keys that are missing, open to others or refused, and the one that is taken by default.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use super::reasons::Agent;
use crate::support::config::{path, user};
use crate::support::curl::get;
use crate::support::instance::Instance;
use crate::support::sandbox::Sandbox;
use crate::support::sshd::{Options, generate_key};
use crate::support::tools::tool;
use crate::support::wait;

#[test]
fn a_missing_key_is_named() {
    let instance = Instance::start();
    let mut sandbox = Sandbox::with(&instance);
    sandbox.use_key("~/.ssh/nothing");
    sandbox
        .tunnel(["start"])
        .fails(1, ["[ROOT]/home/.ssh/nothing", "No such file"])
        .hint("soong configure")
        .run();
    assert_eq!(instance.sshd.logins(), 0);
    sandbox.assert_idle();
}

#[test]
fn a_directory_is_no_key() {
    let instance = Instance::start();
    let mut sandbox = Sandbox::with(&instance);
    sandbox.use_key("~/.config");
    sandbox.tunnel(["start"]).fails(1, ["[ROOT]/home/.config"]).run();
    sandbox.assert_idle();
}

#[test]
fn a_key_that_others_can_read_is_refused_with_the_command_that_closes_it() {
    let instance = Instance::start();
    let sandbox = Sandbox::with(&instance);
    let key = instance.sshd.key();
    for mode in [0o644, 0o640, 0o604] {
        fs::set_permissions(&key, Permissions::from_mode(mode)).unwrap();
        let shown = path(&key);
        sandbox.tunnel(["start"]).fails(1, [shown, "other users"]).hint(format!("chmod 600 {shown}")).run();
    }
    assert_eq!(instance.sshd.logins(), 0);
    sandbox.assert_idle();
    fs::set_permissions(&key, Permissions::from_mode(0o600)).unwrap();
    sandbox.start(&instance);
}

/// ssh would say that it can be read by others, and chmod would not help.
#[test]
fn the_public_half_of_a_key_is_told_from_a_private_one() {
    let instance = Instance::start();
    let mut sandbox = Sandbox::with(&instance);
    let key = instance.sshd.key();
    let public = key.with_extension("pub");
    fs::set_permissions(&public, Permissions::from_mode(0o644)).unwrap();
    sandbox.use_key(path(&public));
    let hint = format!("soong configure set ssh.key {}", path(&key));
    let output = sandbox.tunnel(["start"]).fails(1, [path(&public), "is a public key"]).hint(&hint).run();
    assert!(!output.stderr.contains("chmod"), "{}", output.stderr);
    // An agent without the key is found out by ssh alone.
    let socket = sandbox.path("run/agent");
    let mut agent = std::process::Command::new(tool("ssh-agent"));
    let mut agent =
        agent.arg("-D").arg("-a").arg(&socket).stdout(std::process::Stdio::null()).spawn().unwrap();
    wait::until_true("the agent", || socket.exists());
    let start = || sandbox.tunnel(["start"]).env("SSH_AUTH_SOCK", &socket);
    start().fails(1, ["Error starting tunnel: "]).hint(&hint).run();
    let add = std::process::Command::new(tool("ssh-add"))
        .arg("-q")
        .arg(&key)
        .env("SSH_AUTH_SOCK", &socket)
        .status();
    assert!(add.unwrap().success());
    start().stdout_has("SSH tunnel started").run();
    agent.kill().unwrap();
    agent.wait().unwrap();
    // The command of the hint does what it says.
    sandbox.tunnel(["stop"]).stdout_has("Stopped").run();
    sandbox.soong(["configure", "set", "ssh.key", path(&key)]).run();
    sandbox.start(&instance);
}

#[test]
fn a_refused_key_is_told_at_once() {
    let instance = Instance::with(Options::default().refuse_key());
    let sandbox = Sandbox::with(&instance);
    let refused = ["Error starting tunnel: ", "Permission denied"];
    sandbox
        .tunnel(["start"])
        .fails(1, refused)
        .hint(path(&instance.sshd.key()))
        .hint("soong configure")
        .run();
    assert_eq!(
        instance.sshd.log().matches("Connection from").count(),
        2,
        "the readiness test's and one, no hammering"
    );
    sandbox.assert_idle();
}

#[test]
fn a_certificate_that_has_expired_is_named_with_its_date() {
    let authority = tempfile::tempdir().unwrap();
    let authority = authority.path().join("ca");
    generate_key(&authority);
    let trusted = format!("TrustedUserCAKeys {}", path(&authority.with_extension("pub")));
    let instance = Instance::with(Options::default().refuse_key().line(&trusted));
    let sandbox = Sandbox::with(&instance);
    let certify = |validity: &str| {
        let mut command = std::process::Command::new(tool("ssh-keygen"));
        command
            .env_remove("TZ")
            .args(["-q", "-I", "me", "-n", &user(), "-V", validity, "-s"])
            .arg(&authority);
        assert!(command.arg(instance.sshd.key().with_extension("pub")).status().unwrap().success());
    };
    let certificate = format!("{}-cert.pub", path(&instance.sshd.key()));
    let start = || sandbox.tunnel(["start"]).fails(1, ["Error starting tunnel: ", "Permission denied"]);
    certify("20200101:20200201");
    let expired = format!("the certificate {certificate} expired on 2020-02-01 00:00");
    start().hint(expired).hint(format!("ssh-keygen -L -f {certificate}")).run();
    certify("+1d:+2d");
    start().hint(format!("the certificate {certificate} is not valid before 20")).run();
    certify("-1d:+1d");
    sandbox.start(&instance);
    assert_eq!(get(&sandbox.url(0, "id")), "sglang");
}

#[test]
fn the_wrong_user_is_a_refused_key() {
    let instance = Instance::start();
    let mut sandbox = Sandbox::with(&instance);
    sandbox.configure(|config| {
        config.set(["instances", "dev", "user"], "no-such-user");
    });
    let refused = ["Error starting tunnel: ", "Permission denied"];
    sandbox.tunnel(["start"]).fails(1, refused).hint("no-such-user").run();
    sandbox.assert_idle();
}

#[test]
fn a_file_that_is_no_key_is_told() {
    let instance = Instance::start();
    let mut sandbox = Sandbox::with(&instance);
    let file = sandbox.path("home/key");
    sandbox.write(&file, "not a key\n");
    fs::set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
    sandbox.use_key(path(&file));
    sandbox.tunnel(["start"]).fails(1, ["Error starting tunnel: "]).hint("[ROOT]/home/key").run();
    sandbox.assert_idle();
}

#[test]
fn a_key_with_a_passphrase_does_not_hang() {
    let instance = Instance::start();
    let mut sandbox = Sandbox::with(&instance);
    let file = sandbox.path("home/locked");
    fs::copy(instance.sshd.key(), &file).unwrap();
    let mut command = std::process::Command::new(tool("ssh-keygen"));
    let status = command.args(["-q", "-p", "-P", "", "-N", "secret", "-f"]).arg(&file).status().unwrap();
    assert!(status.success());
    sandbox.use_key(path(&file));
    sandbox.tunnel(["start"]).fails(1, ["Error starting tunnel: "]).hint("ssh-add").run();
    sandbox.assert_idle();
}

/// ssh says of both no more than "invalid format".
#[test]
fn a_key_that_was_made_on_windows_is_told_as_that() {
    let instance = Instance::start();
    let mut sandbox = Sandbox::with(&instance);
    let file = sandbox.path("home/key");
    sandbox.use_key(path(&file));
    let key = fs::read_to_string(instance.sshd.key()).unwrap();
    for (text, told, hint) in [
        (key.replace('\n', "\r\n"), "Windows line endings", "sed -i.bak"),
        ("PuTTY-User-Key-File-3: ssh-ed25519\n".to_owned(), "PuTTY's format", "puttygen"),
    ] {
        sandbox.write(&file, text);
        fs::set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
        sandbox.tunnel(["start"]).fails(1, ["[ROOT]/home/key", told]).hint(hint).run();
    }
    sandbox.assert_idle();
}

/// A sandbox without a configured key, and its `~/.ssh` with an `id_rsa` that the server of `instance` does not know.
fn with_usual_key(instance: &Instance) -> (Sandbox, PathBuf) {
    let mut sandbox = Sandbox::with(instance);
    sandbox.configure(|config| {
        config.remove("ssh", "key");
    });
    let directory = sandbox.path("home/.ssh");
    fs::create_dir(&directory).unwrap();
    generate_key(&directory.join("id_rsa"));
    (sandbox, directory)
}

/// Without a configured key every usual one is tried; one that ssh would not use keeps no other from it.
#[test]
fn the_usual_keys_are_all_tried() {
    let instance = Instance::start();
    let (sandbox, directory) = with_usual_key(&instance);
    sandbox.write(&directory.join("id_ecdsa"), "open to others");
    fs::set_permissions(directory.join("id_ecdsa"), Permissions::from_mode(0o644)).unwrap();
    fs::copy(instance.sshd.key(), directory.join("id_ed25519")).unwrap();
    sandbox.start(&instance);
    sandbox.tunnel(["stop"]).stdout("Stopped tunnel (PID: [PID])\n").run();
    fs::remove_file(directory.join("id_ed25519")).unwrap();
    let start = sandbox.tunnel(["start"]).fails(1, ["Permission denied"]);
    start.hint("[ROOT]/home/.ssh/id_rsa for user").run();
}

/// As with ssh: the key that the server knows may be in the agent alone.
#[test]
fn without_a_configured_key_the_agents_are_tried_too() {
    let instance = Instance::start();
    let (sandbox, directory) = with_usual_key(&instance);
    let agent = Agent::with(&sandbox, &instance.sshd.key(), &[]);
    let start = || sandbox.tunnel(["start"]).env("SSH_AUTH_SOCK", &agent.socket);
    start().stdout_has("SSH tunnel started").run();
    sandbox.tunnel(["stop"]).stdout_has("Stopped").run();
    // A key that was named is the only one.
    let named = path(&directory.join("id_rsa")).to_owned();
    sandbox.soong(["configure", "set", "ssh.key", &named]).run();
    start().fails(1, ["Permission denied"]).run();
}

/// Without a configured key those of the usual names are taken that exist in `~/.ssh`.
#[test]
fn the_usual_keys_are_found() {
    let instance = Instance::start();
    let mut sandbox = Sandbox::with(&instance);
    sandbox.configure(|config| {
        config.remove("ssh", "key");
    });
    let directory = sandbox.path("home/.ssh");
    fs::create_dir(&directory).unwrap();
    fs::copy(instance.sshd.key(), directory.join("id_ed25519")).unwrap();
    sandbox.start(&instance);
    sandbox.tunnel(["stop"]).stdout("Stopped tunnel (PID: [PID])\n").run();
    fs::rename(directory.join("id_ed25519"), directory.join("id_rsa")).unwrap();
    generate_key(&directory.join("id_ed25519"));
    sandbox.start(&instance);
    assert_eq!(get(&sandbox.url(0, "id")), "sglang");
}

/// ssh replaces `%h` in some of its arguments, and splits others at spaces; a path is to stay a path.
#[test]
fn a_key_may_be_anywhere() {
    let instance = Instance::start();
    for name in ["a key", "100%h", "it's", "\"quoted\"", "$(touch pwned)", "-i", "~", "back\\slash", "a:b,c"]
    {
        let mut sandbox = Sandbox::with(&instance);
        let file = sandbox.path("home").join(name).join("key");
        sandbox.write(&file, "");
        fs::copy(instance.sshd.key(), &file).unwrap();
        sandbox.use_key(format!("~/{name}/key"));
        sandbox.start(&instance);
        super::instances::assert_nothing_was_executed(&sandbox);
    }
}

/// There is no way to keep ssh from replacing it.
#[test]
fn a_key_that_ssh_can_not_be_told_of_is_refused() {
    let instance = Instance::start();
    let mut sandbox = Sandbox::with(&instance);
    let file = sandbox.path("home/${HOME}/key");
    sandbox.write(&file, "");
    fs::copy(instance.sshd.key(), &file).unwrap();
    sandbox.use_key(path(&file));
    sandbox.tunnel(["start"]).fails(1, ["[ROOT]/home/${HOME}/key"]).hint("${").run();
    sandbox.assert_idle();
}

/// The supervisor works elsewhere; what is relative to the user's directory has to stay so.
#[test]
fn a_key_may_be_relative() {
    let instance = Instance::start();
    let mut sandbox = Sandbox::with(&instance);
    fs::copy(instance.sshd.key(), sandbox.path("tmp/key")).unwrap();
    sandbox.use_key("key");
    sandbox.start(&instance);
    sandbox.tunnel(["stop"]).stdout("Stopped tunnel (PID: [PID])\n").run();
    let start = sandbox.tunnel(["start"]).current_dir(&sandbox.home());
    start.fails(1, ["[ROOT]/home/key", "No such file"]).run();
}
