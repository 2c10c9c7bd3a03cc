//! Tunnels on demand: the ports are open and no ssh runs; the first connection starts it, and idleness ends it.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use nix::sys::signal::Signal;

use crate::support::config::path;
use crate::support::curl::{curl, get};
use crate::support::instance::Instance;
use crate::support::sandbox::{Sandbox, pid_in};
use crate::support::sshd::{Options, generate_key};
use crate::support::tools::tool;
use crate::support::{process, wait};

/// Returns the output of a successful start on demand.
fn started(sandbox: &Sandbox, instance: &Instance, idle: &str) -> String {
    let line = format!("  on demand: ssh starts with the first connection and ends {idle} after the last\n");
    sandbox.started(instance) + &line
}

/// Starts the tunnel on demand; ssh ends after a second without a connection.
fn start_for_a_second(sandbox: &Sandbox, instance: &Instance) -> i32 {
    let output = sandbox.tunnel(["start", "--on-demand=1s"]).stdout(started(sandbox, instance, "1 s")).run();
    pid_in(&output.stdout)
}

fn wait_until_idle(sandbox: &Sandbox) {
    wait::until_true("the tunnel to be idle", || sandbox.clients().is_empty() && state(sandbox) == "idle");
}

/// Returns the state of the tunnel to `dev`, as `status --json` has it.
fn state(sandbox: &Sandbox) -> String {
    tunnel(sandbox)["state"].as_str().unwrap().to_owned()
}

fn tunnel(sandbox: &Sandbox) -> serde_json::Value {
    let output = sandbox.tunnel(["status", "--json"]).unchecked();
    let answer: serde_json::Value = serde_json::from_str(&output.stdout).unwrap();
    answer["tunnels"][0].clone()
}

fn prompt_line(sandbox: &Sandbox) -> String {
    fs::read_to_string(sandbox.runtime().join("soong/prompt")).unwrap()
}

fn log(sandbox: &Sandbox) -> String {
    fs::read_to_string(sandbox.home().join(".local/state/soong/logs/dev.log")).unwrap()
}

/// Returns curl's error of a request that gets no answer.
fn refused(url: &str) -> String {
    let output = curl().arg(url).output().unwrap();
    assert!(!output.status.success(), "{output:?}");
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn the_first_connection_starts_ssh() {
    let instance = Instance::start();
    let sandbox = Sandbox::with(&instance);
    let start = sandbox.tunnel(["start", "--on-demand"]).stdout(started(&sandbox, &instance, "10 min"));
    let pid = pid_in(&start.run().stdout);
    assert_eq!(sandbox.clients().len(), 0);
    assert_eq!(fs::read_to_string(sandbox.pid_file()).unwrap(), format!("{pid}\n"));
    sandbox
        .tunnel(["status"])
        .stdout_has("Tunnel is idle\n  dev, for ")
        .stdout_has("\n  on demand: ssh starts with the next connection\n")
        .stdout_has(format!("  localhost:{} -> 127.0.0.1:", sandbox.config.local[0]))
        .run();
    sandbox.tunnel(["list"]).stdout_has("dev   idle ").run();
    sandbox.soong(["status"]).stdout_has(" idle ").run();
    assert_eq!((state(&sandbox).as_str(), tunnel(&sandbox)["on_demand"].as_u64()), ("idle", Some(600)));
    // None of these is use.
    sandbox.tunnel(["start", "--if-needed"]).stdout_has("Tunnel is idle (PID: [PID])\n  localhost:").run();
    sandbox.tunnel(["start", "--if-needed", "--json"]).stdout_has(r#""state":"idle""#).run();
    sandbox.tunnel(["start"]).fails(1, ["Tunnel already running."]).hint("dev is idle").run();
    sandbox.tunnel(["url", "sglang"]).stdout(format!("http://localhost:{}\n", sandbox.config.local[0])).run();
    assert_eq!(instance.sshd.logins(), 0);
    assert_eq!(get(&sandbox.url(0, "id")), "sglang");
    assert_eq!(get(&sandbox.url(1, "id")), "n8n");
    assert_eq!(instance.sshd.logins(), 1);
    sandbox
        .tunnel(["status"])
        .stdout_has("Tunnel is running\n")
        .stdout_has("  on demand: ssh ends 10 min after the last connection\n")
        .run();
    sandbox.tunnel(["stop"]).stdout("Stopped tunnel (PID: [PID])\n").run();
    sandbox.assert_idle();
}

#[test]
fn an_unused_link_ends_and_comes_again() {
    let instance = Instance::start();
    let sandbox = Sandbox::with(&instance);
    let pid = start_for_a_second(&sandbox, &instance);
    for logins in 1..=2 {
        assert_eq!(get(&sandbox.url(0, "id")), "sglang");
        assert_eq!(instance.sshd.logins(), logins);
        wait_until_idle(&sandbox);
        assert_eq!(fs::read_to_string(sandbox.pid_file()).unwrap(), format!("{pid}\n"));
        assert!(!sandbox.tunnel_directory().join("ctl").exists(), "ssh has ended cleanly");
    }
    assert_eq!(tunnel(&sandbox)["last_error"], serde_json::Value::Null);
    sandbox.tunnel(["stop"]).stdout("Stopped tunnel (PID: [PID])\n").run();
    sandbox.assert_idle();
}

/// Open connections and sessions count as use. The tunnel of another instance, which is used later and becomes idle,
/// shows that the time is over.
#[test]
fn a_silent_connection_or_session_keeps_the_link() {
    let instances = [Instance::start(), Instance::start()];
    let sandboxes = [Sandbox::with(&instances[0]), Sandbox::with(&instances[1])];
    let [used, witness] = &sandboxes;
    start_for_a_second(used, &instances[0]);
    start_for_a_second(witness, &instances[1]);
    let let_time_pass = || {
        for _ in 0..2 {
            assert_eq!(get(&witness.url(0, "id")), "sglang");
            wait_until_idle(witness);
        }
    };
    let mut open = TcpStream::connect(("127.0.0.1", used.config.local[0])).unwrap();
    wait::until_true("the link", || state(used) == "up");
    let ssh = used.clients()[0].pid;
    let_time_pass();
    assert!(process::is_alive(ssh));
    let mut session =
        used.soong(["ssh", "--", "echo ready; exec sleep 600"]).stdout_has("").code(143).spawn();
    session.wait_for_stdout("ready");
    open.write_all(b"GET /id HTTP/1.1\r\n\r\n").unwrap();
    let mut answer = [0; 4096];
    let length = open.read(&mut answer).unwrap();
    assert!(answer.starts_with(b"HTTP/1.1 200"), "{}", answer[..length].escape_ascii());
    drop(open);
    let_time_pass();
    assert!(process::is_alive(ssh), "the session goes over it");
    assert_eq!(instances[0].sshd.logins(), 1);
    session.signal(Signal::SIGTERM);
    session.unchecked();
    wait_until_idle(used);
}

#[test]
fn a_connection_waits_for_a_server_that_is_away_and_gives_up_in_time() {
    let mut instance = Instance::start();
    let mut sandbox = Sandbox::with(&instance);
    instance.sshd.stop();
    start_for_a_second(&sandbox, &instance);
    let url = sandbox.url(0, "id");
    let waiting = std::thread::spawn(move || get(&url));
    wait::until_true("a failed attempt", || log(&sandbox).contains("Connection refused"));
    instance.sshd.resume();
    assert_eq!(waiting.join().unwrap(), "sglang");
    wait_until_idle(&sandbox);

    instance.sshd.stop();
    sandbox.configure(|config| {
        config.set(["tunnel", "hold"], 1);
    });
    // A restart keeps the mode.
    sandbox.tunnel(["restart"]).stdout_has(started(&sandbox, &instance, "1 s")).run();
    refused(&sandbox.url(0, "id"));
    wait_until_idle(&sandbox);
    sandbox
        .tunnel(["status"])
        .stdout_has("Tunnel is idle\n")
        .stdout_has("  last attempt failed: ")
        .stdout_has("Connection refused")
        .run();
    let line = prompt_line(&sandbox);
    assert!(line.contains(" idle dev "), "{line}");
    instance.sshd.resume();
    wait::until_true("a connection to succeed", || {
        curl().arg(sandbox.url(0, "id")).output().unwrap().status.success()
    });
}

#[test]
fn a_question_of_ssh_blocks_the_tunnel_and_never_hangs() {
    const PASSPHRASE: &str = "0pen-se5ame";
    let instance = Instance::start();
    let mut sandbox = Sandbox::with(&instance);
    let key = sandbox.path("home/locked");
    fs::copy(instance.sshd.key(), &key).unwrap();
    let change = |old: &str, new: &str| {
        let mut command = Command::new(tool("ssh-keygen"));
        let status = command.args(["-q", "-p", "-P", old, "-N", new, "-f"]).arg(&key).status().unwrap();
        assert!(status.success());
    };
    change("", PASSPHRASE);
    sandbox.use_key(path(&key));
    start_for_a_second(&sandbox, &instance);
    let error = refused(&sandbox.url(0, "id"));
    assert!(error.contains("reset"), "{error}");
    wait_until_idle(&sandbox);
    let reason = "no answer to ssh's question: Enter passphrase for key";
    assert!(log(&sandbox).contains(&format!("failed: {reason}")), "{}", log(&sandbox));
    sandbox
        .tunnel(["status"])
        .stdout_has("Tunnel is idle\n")
        .stdout_has(format!("  last attempt failed: {reason}"))
        .stderr_has("hint: ")
        .stderr_has("ssh-add")
        .stderr_has("hint: then connect: soong tunnel wait dev\n")
        .run();
    let line = prompt_line(&sandbox);
    assert!(line.contains(" needs-passphrase dev "), "{line}");
    sandbox.soong(["prompt"]).stdout("! dev needs passphrase\n").run();
    sandbox.tunnel(["wait"]).code(1).stderr_has(reason).stderr_has("ssh-add").run();
    // Refused without an attempt: the pauses grow.
    let attempts = log(&sandbox).matches("starting").count();
    // A reset can come before curl knows that it is connected, so its words differ.
    refused(&sandbox.url(0, "id"));
    assert_eq!(log(&sandbox).matches("starting").count(), attempts);
    assert_eq!(instance.sshd.logins(), 0);
    change(PASSPHRASE, "");
    sandbox.tunnel(["wait"]).stderr_has("").run();
    assert_eq!(get(&sandbox.url(0, "id")), "sglang");
    sandbox.tunnel(["status"]).stdout_has("Tunnel is running\n").run();
}

#[test]
fn a_start_that_checks_the_login_fails_with_it() {
    let instance = Instance::with(Options::default().refuse_key());
    let sandbox = Sandbox::with(&instance);
    sandbox.tunnel(["start", "--on-demand", "--check"]).fails(1, ["Permission denied"]).run();
    sandbox.assert_idle();
    sandbox.tunnel(["start", "--check"]).fails(2, ["--check is for --on-demand"]).run();
    let instance = Instance::start();
    let sandbox = Sandbox::with(&instance);
    let start = sandbox.tunnel(["start", "--on-demand=1s", "--check"]);
    start.stdout(started(&sandbox, &instance, "1 s")).run();
    assert_eq!(instance.sshd.logins(), 1);
    wait_until_idle(&sandbox);
    assert_eq!(get(&sandbox.url(0, "id")), "sglang");
}

#[test]
fn a_refused_login_does_not_end_the_tunnel() {
    let instance = Instance::start();
    let sandbox = Sandbox::with(&instance);
    let keys = instance.sshd.revoke_key();
    start_for_a_second(&sandbox, &instance);
    assert!(refused(&sandbox.url(0, "id")).contains("reset"));
    wait_until_idle(&sandbox);
    assert!(prompt_line(&sandbox).contains(" login-refused dev "));
    instance.sshd.restore_keys(&keys);
    // After the pause, a connection tries again.
    wait::until_true("a connection to succeed", || {
        curl().arg(sandbox.url(0, "id")).output().unwrap().status.success()
    });
    assert_eq!(instance.sshd.logins(), 1);
}

#[test]
fn a_link_that_is_lost_unused_is_not_made_anew() {
    let instance = Instance::start();
    let sandbox = Sandbox::with(&instance);
    sandbox.tunnel(["start", "--on-demand"]).stdout_has("").run();
    assert_eq!(get(&sandbox.url(0, "id")), "sglang");
    process::signal(sandbox.clients()[0].pid, Signal::SIGKILL);
    wait_until_idle(&sandbox);
    assert_eq!(instance.sshd.logins(), 1);
    assert_eq!(get(&sandbox.url(0, "id")), "sglang");
    // A client is connected, so it is wanted again.
    let _open = TcpStream::connect(("127.0.0.1", sandbox.config.local[0])).unwrap();
    wait::until_true("the connection", || {
        sandbox.tunnel(["status", "-v"]).stdout_has("").run().stdout.contains("    1 open")
    });
    process::signal(sandbox.clients()[0].pid, Signal::SIGKILL);
    wait::until_true("the third login", || instance.sshd.logins() == 3);
}

#[test]
fn commands_that_need_a_link_start_it() {
    let instance = Instance::start();
    let sandbox = Sandbox::with(&instance);
    start_for_a_second(&sandbox, &instance);
    sandbox.tunnel(["wait", "--timeout", "0"]).fails(1, ["the tunnel to dev is idle"]).run();
    assert_eq!(instance.sshd.logins(), 0);
    sandbox.tunnel(["status", "--check"]).stdout_has("Tunnel is running\n").stdout_has(": answering").run();
    assert_eq!(instance.sshd.logins(), 1);
    // A check is not use.
    wait_until_idle(&sandbox);
    sandbox.tunnel(["wait", "--service", "sglang"]).stderr_has("").run();
    assert!(instance.sshd.logins() > 1);
    wait_until_idle(&sandbox);
    let run = sandbox.tunnel(["run", "--", "sh", "-c", "curl -qs --noproxy '*' $SOONG_SGLANG_URL/id"]);
    run.stdout("sglang").run();
    wait_until_idle(&sandbox);
    // soong ssh opens a separate connection, which can ask questions.
    let logins = instance.sshd.logins();
    sandbox.soong(["ssh", "--", "echo", "hello"]).stdout("hello\n").stderr_has("").run();
    assert_eq!((instance.sshd.logins(), state(&sandbox).as_str()), (logins + 1, "idle"));
}

#[test]
fn forwards_can_be_added_to_an_idle_tunnel() {
    let instance = Instance::start();
    let sandbox = Sandbox::with(&instance);
    start_for_a_second(&sandbox, &instance);
    let port = crate::support::ports::free();
    let spec = format!("{port}:localhost:{}", instance.services[1].port);
    sandbox.tunnel(["forward", &spec]).stdout_has(format!("Forwarding localhost:{port}")).run();
    assert_eq!(instance.sshd.logins(), 0);
    assert_eq!(get(&format!("http://localhost:{port}/id")), "n8n");
    sandbox
        .tunnel(["forward", "--remote", "9000:localhost:3000"])
        .fails(1, ["an on-demand tunnel cannot have remote forwards"])
        .hint("soong tunnel restart --on-demand=off")
        .run();
    sandbox.tunnel(["restart", "--on-demand=off"]).stdout_has(sandbox.started(&instance)).run();
    assert_eq!((state(&sandbox).as_str(), tunnel(&sandbox)["on_demand"].as_u64()), ("up", None));
}

#[test]
fn the_config_can_choose_it_for_one_instance() {
    let instance = Instance::start();
    let mut sandbox = Sandbox::with(&instance);
    sandbox.configure(|config| {
        config.set(["tunnel", "on-demand"], true);
        config.set(["instances", "dev", "on-demand"], "2m");
    });
    sandbox.tunnel(["start"]).stdout(started(&sandbox, &instance, "2 min")).run();
    sandbox.tunnel(["restart", "--on-demand"]).stdout_has(started(&sandbox, &instance, "2 min")).run();
    sandbox.tunnel(["stop"]).stdout_has("Stopped").run();
    sandbox
        .tunnel(["start", "--remote", "9000:localhost:3000"])
        .fails(2, ["an on-demand tunnel cannot have remote forwards: "])
        .hint("--on-demand=off")
        .hint("soong configure set instances.dev.on-demand false")
        .run();
    // The tunnel of a command lasts as long as the command.
    let shown = "soong tunnel status | head -1";
    let run = sandbox.soong_with_bin(["tunnel", "run", "--", "sh", "-c", shown]);
    let programs = std::path::Path::new(env!("CARGO_BIN_EXE_soong")).parent().unwrap().to_owned();
    let search = format!("{}:{}", programs.display(), crate::support::tools::system_path().to_str().unwrap());
    run.env("PATH", search).stdout("Tunnel is running\n").run();
    sandbox.configure(|config| {
        config.set(["tunnel", "hold"], 0);
    });
    sandbox.tunnel(["start"]).fails(1, ["tunnel.hold = 0"]).hint("soong configure set tunnel.hold 30").run();
    sandbox.configure(|config| {
        config.set(["instances", "dev", "on-demand"], "2 weeks ago");
    });
    sandbox
        .tunnel(["start"])
        .fails(1, ["instances.dev.on-demand: expected true, false, or a duration"])
        .run();
    sandbox.tunnel(["start", "--on-demand=0s"]).fails(2, ["--on-demand", "from 1s to 30d"]).run();
}

#[test]
fn hooks_tell_idleness_from_a_loss() {
    let instance = Instance::start();
    let sandbox = Sandbox::with(&instance);
    let told = sandbox.path("told");
    for event in ["up", "down", "idle", "failed"] {
        let hook = sandbox.config_file().with_file_name("hooks").join(event);
        sandbox.write(&hook, format!("#!/bin/sh\necho \"$SOONG_EVENT\" >>{}\n", told.display()));
        fs::set_permissions(&hook, fs::Permissions::from_mode(0o755)).unwrap();
    }
    start_for_a_second(&sandbox, &instance);
    assert_eq!(get(&sandbox.url(0, "id")), "sglang");
    let told = || fs::read_to_string(&told).unwrap_or_default();
    wait::until_true("two hooks", || told() == "up\nidle\n");
    sandbox.tunnel(["stop"]).stdout_has("Stopped").run();
    assert_eq!(told(), "up\nidle\n");
}

/// As a service manager starts it: before the network is there.
#[test]
fn in_the_foreground_it_keeps_trying_until_the_host_is_there() {
    let mut instance = Instance::start();
    let sandbox = Sandbox::with(&instance);
    instance.sshd.stop();
    let mut tunnel = sandbox
        .tunnel(["start", "--foreground", "--keep-trying"])
        .stdout(sandbox.started(&instance))
        .stderr_has("link lost: ")
        .spawn();
    tunnel.wait_for_stderr("Connection refused");
    instance.sshd.resume();
    tunnel.wait_for_stdout("SSH tunnel started");
    assert_eq!(get(&sandbox.url(0, "id")), "sglang");
    tunnel.interrupt();
    tunnel.finish();
    sandbox.assert_idle();

    let key = sandbox.path("home/stranger");
    generate_key(&key);
    let mut sandbox = sandbox;
    sandbox.use_key(path(&key));
    sandbox.tunnel(["start", "--foreground", "--keep-trying"]).fails(1, ["Permission denied"]).run();
    sandbox.tunnel(["start", "--keep-trying"]).fails(2, ["--foreground"]).run();
}

#[test]
fn the_foreground_tells_what_happens() {
    let instance = Instance::start();
    let sandbox = Sandbox::with(&instance);
    let mut tunnel = sandbox
        .tunnel(["start", "--foreground", "--on-demand=1s"])
        .stdout(started(&sandbox, &instance, "1 s"))
        .stderr("soong-tunnel: link up\nsoong-tunnel: idle until the next connection\n")
        .spawn();
    tunnel.wait_for_stdout("on demand");
    assert_eq!(get(&sandbox.url(0, "id")), "sglang");
    tunnel.wait_for_stderr("idle until");
    tunnel.interrupt();
    tunnel.finish();
    sandbox.assert_idle();
}

/// No command could find or stop it any more.
#[test]
fn an_idle_tunnel_whose_directory_is_deleted_ends() {
    let instance = Instance::start();
    let sandbox = Sandbox::with(&instance);
    start_for_a_second(&sandbox, &instance);
    assert_eq!(get(&sandbox.url(0, "id")), "sglang");
    wait_until_idle(&sandbox);
    fs::remove_dir_all(sandbox.tunnel_directory()).unwrap();
    wait::until_true("the supervisor to end", || sandbox.supervisors().is_empty());
    sandbox.assert_idle();
    assert_eq!(instance.sshd.logins(), 1);
}

#[test]
fn a_provider_that_is_away_at_first_is_asked_again() {
    let instance = Instance::start();
    let mut sandbox = Sandbox::with(&instance);
    let ready = sandbox.path("ready");
    let listing = format!(
        r#"{{"api":1,"instances":[{{"id":"x1","name":"gpu","status":"active","host":"127.0.0.1","user":"{}","port":{}}}]}}"#,
        crate::support::config::user(),
        instance.sshd.port
    );
    let script =
        format!("[ -e {} ] || {{ echo 'no network yet' >&2; exit 1; }}\necho '{listing}'", ready.display());
    sandbox.provide("away", &script);
    sandbox.configure(|config| {
        config.remove("instances", "dev");
    });
    let start = ["tunnel", "start", "--foreground", "--keep-trying", "--instance-id", "x1"];
    let mut tunnel =
        sandbox.soong_with_bin(start).stdout_has("SSH tunnel started").stderr_has("no network yet").spawn();
    tunnel.wait_for_stderr("no network yet");
    fs::write(&ready, "").unwrap();
    tunnel.wait_for_stdout("SSH tunnel started");
    assert_eq!(get(&sandbox.url(0, "id")), "sglang");
    tunnel.interrupt();
    tunnel.finish();
}

/// A start needs several times as much memory as a tunnel at rest.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[test]
fn an_idle_supervisor_keeps_little_memory() {
    const HEAP_MAX: u64 = 256;
    let instance = Instance::start();
    let sandbox = Sandbox::with(&instance);
    let pid = start_for_a_second(&sandbox, &instance);
    wait::until_true("the heap to shrink", || heap_kilobytes(pid) <= HEAP_MAX);
    // A link does not make it grow for good.
    assert_eq!(get(&sandbox.url(0, "id")), "sglang");
    wait_until_idle(&sandbox);
    wait::until_true("the heap to shrink again", || heap_kilobytes(pid) <= HEAP_MAX);
}

/// Returns the resident part of a process's heap.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn heap_kilobytes(pid: i32) -> u64 {
    let maps = fs::read_to_string(format!("/proc/{pid}/smaps")).unwrap();
    let mut heap = maps.lines().skip_while(|line| !line.ends_with("[heap]"));
    let resident = heap.find_map(|line| line.strip_prefix("Rss:")).unwrap();
    resident.trim().strip_suffix(" kB").unwrap().parse().unwrap()
}
