//! Output of the programs with options for more, for less, or for a format that programs read.

use serde_json::Value;

use crate::support::config::forward;
use crate::support::instance::Instance;
use crate::support::sandbox::Sandbox;

const STOPPED: &str = "Stopped tunnel (PID: [PID])\n";

/// The words of the ssh command line that `--dry-run` prints, and the forwards below it.
fn dry_run(sandbox: &Sandbox) -> (Vec<String>, String) {
    let output = sandbox.tunnel(["start", "--dry-run"]).stdout_has("ssh ").run();
    let (command, forwards) = output.stdout.split_once('\n').unwrap();
    (shell_words::split(command).unwrap(), forwards.to_owned())
}

#[test]
fn a_dry_run_prints_the_command_that_start_runs() {
    let instance = Instance::start();
    let sandbox = Sandbox::with(&instance);
    let before = sandbox.files();
    let (words, forwards) = dry_run(&sandbox);
    assert_eq!(sandbox.files(), before, "a dry run writes nothing");
    assert_eq!(instance.sshd.logins(), 0);
    sandbox.assert_idle();
    let lines = instance.services.iter().zip(sandbox.config.local);
    let lines = lines.map(|(service, local)| format!("# localhost:{local} -> localhost:{}\n", service.port));
    assert_eq!(forwards, lines.collect::<String>());
    sandbox.start(&instance);
    assert_eq!(words.join(" "), sandbox.clients()[0].command);
    let running: Vec<i32> = sandbox.processes().iter().map(|process| process.pid).collect();
    dry_run(&sandbox);
    let after: Vec<i32> = sandbox.processes().iter().map(|process| process.pid).collect();
    assert_eq!(running, after, "a dry run does not touch a tunnel that runs");
}

#[test]
fn a_dry_run_quotes_for_the_shell() {
    let instance = Instance::start();
    let mut sandbox = Sandbox::with(&instance);
    let key = sandbox.path("home/it's $(touch pwned)");
    std::fs::copy(instance.sshd.key(), &key).unwrap();
    sandbox.use_key(key.to_str().unwrap());
    assert!(dry_run(&sandbox).0.contains(&key.to_str().unwrap().to_owned()));
}

#[test]
fn a_dry_run_fails_where_start_would() {
    let instance = Instance::start();
    let sandbox = Sandbox::with(&instance);
    sandbox.tunnel(["start", "--dry-run", "--instance-id", "zzz"]).fails(1, ["zzz"]).hint("dev").run();
    sandbox.assert_idle();
}

#[test]
fn start_can_be_quiet() {
    let instance = Instance::start();
    let sandbox = Sandbox::with(&instance);
    sandbox.tunnel(["start", "-q"]).run();
    sandbox.tunnel(["status"]).stdout_has("Tunnel is running\n").run();
    sandbox.tunnel(["start", "-q"]).code(1).stderr_has("Tunnel already running. Stop it first.\n").run();
}

#[test]
fn start_can_be_talkative() {
    let instance = Instance::start();
    let sandbox = Sandbox::with(&instance);
    // All of it goes to stderr, so that stdout stays what scripts read: the command, and what ssh says.
    let start = sandbox.tunnel(["start", "-v"]).stdout(sandbox.started(&instance));
    start.stderr_has("/ssh -N ").stderr_has("ssh: Warning: Permanently added 'soong.a1b2c3d4'").run();
}

#[test]
fn everything_can_be_read_by_a_program() {
    let instance = Instance::start();
    let sandbox = Sandbox::with(&instance);
    let down = parse(&sandbox.tunnel(["status", "--json"]).code(3).stdout_has("").run().stdout);
    assert_eq!(down["running"], Value::Bool(false), "{down}");
    let started = parse(&sandbox.tunnel(["start", "--json"]).stdout_has("").run().stdout);
    let supervisor = sandbox.supervisors()[0].pid;
    let status = parse(&sandbox.tunnel(["status", "--json"]).stdout_has("").run().stdout);
    for text in [status.to_string(), started.to_string()] {
        for number in
            sandbox.config.local.into_iter().chain(instance.services.iter().map(|service| service.port))
        {
            assert!(text.contains(&number.to_string()), "{number} in {text}");
        }
        assert!(text.contains(&format!(":{supervisor}")), "{supervisor} in {text}");
        assert!(text.contains("\"dev\"") && text.contains("\"a1b2c3d4\""), "{text}");
    }
    assert_eq!(status["running"], Value::Bool(true), "{status}");
    let key = instance.sshd.key();
    assert!(!status.to_string().contains(key.to_str().unwrap()), "no more is told than is asked for");
}

#[track_caller]
fn parse(text: &str) -> Value {
    assert!(text.ends_with('\n'), "{text:?}");
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[test]
fn a_service_can_be_switched_off_and_another_added() {
    let instance = Instance::start();
    let mut sandbox = Sandbox::with(&instance);
    let port = crate::support::ports::free();
    sandbox.configure(|config| {
        config
            .set(["services", "n8n"], false)
            .set(["services", "comfyui"], forward(instance.services[1].port, port));
    });
    let [sglang, _, status] = sandbox.config.local;
    let [remote_sglang, remote_comfyui, remote_status] =
        [0, 1, 2].map(|index: usize| instance.services[index].port);
    let expected = format!(
        "Starting SSH tunnel to 127.0.0.1...\nSSH tunnel started (PID: [PID])\n  \
         localhost:{sglang} -> 127.0.0.1:{remote_sglang}\n  \
         localhost:{status} -> 127.0.0.1:{remote_status}\n  \
         localhost:{port} -> 127.0.0.1:{remote_comfyui}\n"
    );
    sandbox.tunnel(["start"]).stdout(expected).run();
    sandbox.tunnel(["stop"]).stdout(STOPPED).run();
    sandbox.tunnel(["start", "--n8n-port", "1"]).fails(2, ["n8n"]).run();
    sandbox.assert_idle();
}

#[test]
fn what_is_no_command_is_a_usage_error() {
    let sandbox = Sandbox::new();
    for args in [
        ["strat"].as_slice(),
        &["start", "dev", "extra"],
        &["start", "--nothing"],
        &["status", "dev", "x", "y"],
        &["stop", "-z"],
    ] {
        sandbox.tunnel(args).code(2).stderr_has("soong").run();
    }
    sandbox.assert_idle();
}

#[test]
fn help_names_every_flag() {
    let sandbox = Sandbox::new();
    let flags = [
        "--instance-id",
        "--sglang-port",
        "--n8n-port",
        "--status-port",
        "--port",
        "--dry-run",
        "--foreground",
        "--json",
    ];
    let mut run = sandbox.tunnel(["start", "--help"]);
    for flag in flags {
        run = run.stdout_has(flag);
    }
    run.run();
    let mut run = sandbox.tunnel(["--help"]);
    for command in ["start", "stop", "restart", "status"] {
        run = run.stdout_has(command);
    }
    let output = run.run();
    assert!(!output.stdout.contains("supervise"), "what only soong itself runs is not advertised");
}

/// `soong tunnel start | head -0` closes the pipe before anything is written: no message, no tunnel lost for it.
#[test]
fn a_closed_stdout_is_no_error() {
    let instance = Instance::start();
    let sandbox = Sandbox::with(&instance);
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = sandbox.tunnel(["start"]).command().stdout(writer).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert_eq!(output.status.code(), Some(0));
    sandbox.tunnel(["status"]).stdout_has("Tunnel is running\n").run();
}
