//! Hints: a command in a hint does what it says when it is followed.

use nix::sys::signal::Signal;

use crate::support::instance::Instance;
use crate::support::ports::Holder;
use crate::support::run::{Output, Run};
use crate::support::sandbox::Sandbox;
use crate::support::tools::{system_path, tool};
use crate::support::{ports, process};

/// The commands in the hints of `output`, as they can be pasted into a shell.
fn commands(output: &Output) -> Vec<String> {
    let hints = output.stderr.lines().filter_map(|line| line.strip_prefix("hint: "));
    let commands = hints.filter_map(|hint| {
        let at = hint.find("soong ")?;
        let quoted = hint[..at].ends_with('\'');
        let command = &hint[at..];
        Some(if quoted { command.split('\'').next().unwrap() } else { command }.to_owned())
    });
    commands.collect()
}

/// Types `command` into a shell.
fn follow<'a>(sandbox: &'a Sandbox, command: &str) -> Run<'a> {
    let soong = std::path::Path::new(env!("CARGO_BIN_EXE_soong")).parent().unwrap();
    let path = format!("{}:{}", soong.display(), system_path().to_str().unwrap());
    Run::new(sandbox, &tool("sh"), ["-c", command]).env("PATH", path)
}

/// The last command in the hints of what `run` prints.
#[track_caller]
fn last_command(run: Run<'_>) -> String {
    let output = run.unchecked();
    assert_ne!(output.code, 0);
    commands(&output).pop().unwrap_or_else(|| panic!("no command: {output:?}"))
}

/// Two tunnels, to `dev` and to `my box`.
fn two(one: &Instance, other: &Instance) -> Sandbox {
    let mut sandbox = Sandbox::with(one);
    sandbox.configure(|config| {
        config.another("my box", other);
    });
    for name in ["dev", "my box"] {
        sandbox.tunnel(["start", "--auto-ports", "--instance-id", name]).stdout_has("started").run();
    }
    sandbox
}

#[test]
fn where_several_tunnels_run_the_choice_that_is_offered_is_taken() {
    let (one, other) = (Instance::start(), Instance::start());
    let sandbox = two(&one, &other);
    let ambiguous = "more than one tunnel is running";
    for words in [&["url", "sglang"][..], &["env"], &["wait"]] {
        sandbox
            .tunnel(words)
            .fails(1, [ambiguous])
            .hint("choose one with --instance-id: dev, 'my box'")
            .run();
        for name in ["dev", "my box"] {
            sandbox.tunnel(words).args(["--instance-id", name]).stdout_has("").run();
        }
    }
    sandbox
        .tunnel(["run", "--", "true"])
        .fails(1, [ambiguous])
        .hint("choose one with --instance-id: dev, 'my box'")
        .run();
    sandbox.tunnel(["run", "--instance-id", "my box", "--", "true"]).run();
    let port = ports::free();
    let forward = format!("{port}:localhost:{}", other.services[0].port);
    for words in [&["logs"][..], &["forward", &forward], &["restart"], &["stop"]] {
        sandbox
            .tunnel(words)
            .fails(1, [ambiguous])
            .hint("choose one with --instance-id: dev, 'my box'")
            .run();
        let (verb, rest) = words.split_first().unwrap();
        sandbox.tunnel([*verb, "my box"]).args(rest).stdout_has("").run();
    }
}

#[test]
fn a_name_that_nothing_has_is_told_from_an_instance_without_a_tunnel() {
    let (one, other) = (Instance::start(), Instance::start());
    let sandbox = two(&one, &other);
    for words in [
        &["status", "nope"][..],
        &["status", "--json", "nope"],
        &["stop", "nope"],
        &["forward", "nope", "1:h:1"],
        &["url", "sglang", "--instance-id", "nope"],
        &["env", "--instance-id", "nope"],
        &["wait", "--instance-id", "nope"],
    ] {
        sandbox.tunnel(words).fails(1, ["no instance 'nope'"]).hint("running: dev, my box").run();
    }
    sandbox.tunnel(["status", "de"]).fails(1, ["'de'"]).hint("did you mean 'dev'?").run();
    sandbox.tunnel(["logs", "nope"]).fails(1, ["no instance 'nope'"]).run();
    sandbox.tunnel(["status", "a1b2"]).stdout_has("Tunnel is running\n").run();
    sandbox.tunnel(["stop", "my box"]).stdout_has("Stopped").run();
    sandbox
        .tunnel(["status", "my box"])
        .code(3)
        .stdout("Tunnel is not running\n")
        .stderr("hint: running: dev\n")
        .run();
    sandbox.tunnel(["stop", "my box"]).fails(1, ["no tunnel to 'my box' is running"]).run();
    let command = last_command(sandbox.tunnel(["url", "sglang", "--instance-id", "my box"]));
    assert_eq!(command, "soong tunnel start 'my box'");
    // Its ports are taken by the other tunnel, which has the hint that leads on.
    let next = follow(&sandbox, &command).code(1).stdout_has("").stderr_has("--auto-ports").run();
    let next = commands(&next).into_iter().find(|command| command.ends_with("--auto-ports")).unwrap();
    follow(&sandbox, &next).stdout_has("SSH tunnel started").run();
}

#[test]
fn a_supervisor_that_is_suspended_is_judged_alike_everywhere_and_the_hint_ends_it() {
    let (one, other) = (Instance::start(), Instance::start());
    let sandbox = two(&one, &other);
    let pid: i32 = {
        let state = std::fs::read_to_string(sandbox.path("run/soong/tunnels/dev/state.toml")).unwrap();
        let line = state.lines().find_map(|line| line.strip_prefix("pid = ")).unwrap();
        line.parse().unwrap()
    };
    process::signal(pid, Signal::SIGSTOP);
    sandbox.tunnel(["list"]).stdout_has("dev     unresponsive").stdout_has("my box  running").run();
    let overview = sandbox.soong(["status"]).stdout_has("unresponsive").run().stdout;
    assert_eq!(overview.matches("  up").count(), 1, "{overview}");
    sandbox.soong(["status", "--json"]).stdout_has(r#""tunnel":{"state":"unresponsive","pid":"#).run();
    let refused = "the supervisor (PID ";
    sandbox
        .tunnel(["wait", "--timeout", "0", "--instance-id", "dev"])
        .fails(1, [refused])
        .hint("kill -CONT")
        .run();
    let output =
        sandbox.tunnel(["status", "dev"]).code(1).stdout("Tunnel is not responding\n").stderr_has("").run();
    assert_eq!(commands(&output), ["soong tunnel stop dev"]);
    follow(&sandbox, "soong tunnel stop dev").stdout("Stopped tunnel (PID: [PID])\n").run();
    sandbox.tunnel(["status"]).stdout_has("Tunnel is running\n").run();
}

#[test]
fn a_port_that_is_taken_is_avoided_as_the_hint_says() {
    let (one, other) = (Instance::start(), Instance::start());
    let mut sandbox = Sandbox::with(&one);
    sandbox.configure(|config| {
        config.another("my box", &other);
    });
    let _holder = Holder::listen("127.0.0.1", sandbox.config.local[0]);
    let command = last_command(sandbox.tunnel(["start", "--instance-id", "my box"]));
    assert!(command.starts_with("soong tunnel start 'my box' --sglang-port "), "{command}");
    follow(&sandbox, &command).stdout_has("SSH tunnel started").run();
    sandbox.tunnel(["start", "--wait", "5"]).fails(2, ["'5'"]).hint("--wait=5").run();
    sandbox.tunnel(["start", "--instance-id", "my box", "--wait=5", "--dry-run"]).stdout_has("ssh").run();
}

#[test]
fn what_is_listened_on_already_is_removed_as_the_hint_says() {
    let instance = Instance::start();
    let sandbox = Sandbox::with(&instance);
    sandbox.start(&instance);
    let (port, service) = (ports::free(), instance.services[0].port);
    let [first, second] = ["localhost", "127.0.0.1"].map(|host| format!("{port}:{host}:{service}"));
    for option in [None, Some("--remote")] {
        sandbox.tunnel(["forward"]).args(option).arg(&first).stdout_has("Forwarding").run();
        let command = last_command(sandbox.tunnel(["forward"]).args(option).arg(&second));
        follow(&sandbox, &command).stdout_has("Removed").run();
        sandbox.tunnel(["forward"]).args(option).arg(&second).stdout_has("Forwarding").run();
        sandbox.tunnel(["forward", "--remove"]).args(option).arg(&second).stdout_has("Removed").run();
    }
}

#[test]
fn an_alias_that_leads_nowhere_is_changed_as_the_hint_says() {
    let mut sandbox = Sandbox::new();
    sandbox.configure(|config| {
        config.set(["alias", "a.b"], "nowhere").set(["alias", "c.d"], "c.d");
    });
    for name in ["a.b", "c.d"] {
        let command = last_command(sandbox.soong([name])).replace("COMMAND", "status");
        follow(&sandbox, &command).run();
        sandbox.soong([name]).stdout_has("No instances").stderr_has("").run();
    }
}
