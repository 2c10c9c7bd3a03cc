//! Why ssh did not get in, told from its own words and not from the server's.

use std::fs;
use std::process::{Child, Command, Stdio};

use crate::support::config::{path, user};
use crate::support::instance::Instance;
use crate::support::sandbox::Sandbox;
use crate::support::sshd::{Options, generate_key};
use crate::support::tools::tool;
use crate::support::{ports, wait};

/// A banner whose lines look like reasons of ssh.
const BANNER: &str = "Upload key first\n\
    Load key \"x\": invalid format\n\
    Host key verification failed.\n\
    ssh: connect to host x port 1: Connection timed out\n";

#[test]
fn a_banner_does_not_decide_what_failed() {
    let banner = tempfile::NamedTempFile::new().unwrap();
    fs::write(banner.path(), BANNER).unwrap();
    let line = format!("Banner {}", path(banner.path()));
    let instance = Instance::with(Options::default().line(&line).refuse_key());
    let sandbox = Sandbox::with(&instance);
    let start = sandbox.tunnel(["start"]).fails(1, ["Permission denied"]);
    start.hint("does not accept the key").run();
    // A client that asks still gets the banner.
    sandbox.tunnel(["start", "-v"]).code(1).stdout_has("").stderr_has("Upload key first").run();
    sandbox.assert_idle();
}

#[test]
fn a_bad_line_of_the_users_ssh_config_is_told_with_its_place() {
    let instance = Instance::start();
    let mut sandbox = Sandbox::with(&instance);
    let file = sandbox.path("home/ssh_config");
    sandbox.write(&file, "Host *\n  Nonsense yes\n");
    sandbox.configure(|config| {
        config.set(["ssh", "options"], format!("-F {}", path(&file)));
    });
    let told = ["[ROOT]/home/ssh_config: line 2: Bad configuration option: nonsense"];
    sandbox.tunnel(["start"]).fails(1, told).hint("~/.ssh/config").run();
    sandbox.assert_idle();
}

#[test]
fn a_proxy_tells_itself_why_it_failed() {
    let instance = Instance::start();
    let mut sandbox = Sandbox::with(&instance);
    let proxy = sandbox.path("bin/proxy");
    sandbox.write(&proxy, "#!/bin/sh\necho 'no such relay: europe' >&2\nexit 1\n");
    let options = shell_words::join(["-F", "none", "-o", &format!("ProxyCommand=sh {}", path(&proxy))]);
    sandbox.configure(|config| {
        config.set(["ssh", "options"], options);
    });
    sandbox.tunnel(["start"]).fails(1, ["no such relay: europe"]).hint("ProxyCommand").run();
    sandbox.assert_idle();
}

/// Under `pin` the instance's own key is accepted, so the one that is not known is another's.
#[test]
fn an_unknown_key_of_a_jump_host_is_told_as_that() {
    let instance = Instance::start();
    let mut sandbox = Sandbox::with(&instance);
    let jump = format!("-F none -J {}@localhost:{}", user(), instance.sshd.port);
    sandbox.configure(|config| {
        config.set(["ssh", "options"], jump);
    });
    let start = sandbox.tunnel(["start"]).fails(1, ["host key is unknown"]);
    start.hint("jump host").run();
    assert_eq!(instance.sshd.logins(), 0);
    sandbox.assert_idle();
}

#[test]
fn a_server_that_gives_up_before_the_right_key_is_told_as_that() {
    let instance = Instance::with(Options::default().line("MaxAuthTries 2"));
    let mut sandbox = Sandbox::with(&instance);
    sandbox.configure(|config| {
        config.remove("ssh", "key");
    });
    for name in ["id_rsa", "id_ed25519"] {
        generate_key(&usual(&sandbox, name));
    }
    fs::copy(instance.sshd.key(), usual(&sandbox, "id_ecdsa")).unwrap();
    let start = sandbox.tunnel(["start"]).fails(1, ["Too many authentication failures"]);
    start.hint("gave up before all keys were offered").hint("set ssh.key").run();
    sandbox.assert_idle();
}

/// The path of a key in `~/.ssh`, whose directory is made.
fn usual(sandbox: &Sandbox, name: &str) -> std::path::PathBuf {
    let directory = sandbox.path("home/.ssh");
    fs::create_dir_all(&directory).unwrap();
    directory.join(name)
}

/// A key and a one-time code, of which only the key is there.
#[test]
fn a_key_that_is_not_enough_is_not_told_as_refused() {
    let methods = "AuthenticationMethods publickey,keyboard-interactive";
    let instance = Instance::with(Options::default().line(methods).line("KbdInteractiveAuthentication yes"));
    let sandbox = Sandbox::with(&instance);
    let output = sandbox.tunnel(["start"]).code(1).unchecked();
    assert!(output.stderr.contains("accepts the key and asks for more"), "{}", output.stderr);
    assert!(!output.stderr.contains("does not accept"), "{}", output.stderr);
    sandbox.assert_idle();
}

/// An agent with one key.
pub struct Agent {
    child: Child,
    pub socket: std::path::PathBuf,
}

impl Agent {
    /// Starts one and adds `key` with these options of `ssh-add`.
    pub fn with(sandbox: &Sandbox, key: &std::path::Path, options: &[&str]) -> Self {
        let socket = sandbox.path("tmp/agent");
        let mut command = Command::new(tool("ssh-agent"));
        let child =
            command.args(["-D", "-a"]).arg(&socket).env_clear().stdout(Stdio::null()).spawn().unwrap();
        let agent = Self { child, socket };
        wait::until_true("the agent to listen", || agent.socket.exists());
        let mut add = Command::new(tool("ssh-add"));
        let added =
            add.arg("-q").args(options).arg(key).env("SSH_AUTH_SOCK", &agent.socket).status().unwrap();
        assert!(added.success());
        agent
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn an_agent_that_does_not_sign_is_told_as_that() {
    let instance = Instance::start();
    let mut sandbox = Sandbox::with(&instance);
    let public = sandbox.path("home/key.pub");
    sandbox.write(&public, fs::read(instance.sshd.key().with_extension("pub")).unwrap());
    sandbox.use_key(path(&public));
    // It asks its user before it signs, and its user cannot be asked.
    let agent = Agent::with(&sandbox, &instance.sshd.key(), &["-c"]);
    let start = sandbox.tunnel(["start"]).env("SSH_AUTH_SOCK", &agent.socket);
    start.fails(1, ["signing failed"]).hint("refused to sign").hint("ssh-add").run();
    drop(agent);
    sandbox.assert_idle();
}

/// A server that penalises failed logins hangs up like one that is not ready yet.
#[test]
fn a_server_that_hangs_up_after_refused_logins_is_not_said_to_boot() {
    let instance = Instance::with(Options::default().refuse_key());
    let mut sandbox = Sandbox::with(&instance);
    sandbox.tunnel(["start"]).fails(1, ["Permission denied"]).run();
    let port = ports::free();
    let listener = std::net::TcpListener::bind(("127.0.0.1", port)).unwrap();
    let thread = std::thread::spawn(move || drop(listener.accept()));
    sandbox.configure(|config| {
        config.instance("dev", "127.0.0.1", port);
    });
    let output = sandbox.tunnel(["start"]).code(1).unchecked();
    thread.join().unwrap();
    assert!(output.stderr.contains("logins in the last 10 minutes: 1"), "{}", output.stderr);
    assert!(!output.stderr.contains("booting"), "{}", output.stderr);
    sandbox.assert_idle();
}

#[test]
fn a_port_that_takes_connections_and_hangs_up() {
    let port = ports::free();
    let listener = std::net::TcpListener::bind(("127.0.0.1", port)).unwrap();
    let thread = std::thread::spawn(move || drop(listener.accept()));
    let mut sandbox = Sandbox::new();
    let key = sandbox.path("key");
    generate_key(&key);
    sandbox.configure(|config| {
        config.set(["ssh", "key"], path(&key));
        config.instance("dev", "127.0.0.1", port);
    });
    sandbox.tunnel(["start"]).fails(1, ["onnection"]).hint("blocking your address").run();
    thread.join().unwrap();
    sandbox.assert_idle();
}
