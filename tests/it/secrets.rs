//! Secrets stay where they are stored: looked for everywhere else while every program that has them runs, and
//! after it.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use crate::support::config::user;
use crate::support::daemon::{self, Daemon, TOKEN};
use crate::support::http::{Gate, Reply, Server};
use crate::support::instance::Instance;
use crate::support::run::Output;
use crate::support::sandbox::Sandbox;
use crate::support::spawned::Spawned;
use crate::support::wait;

const KEY: &str = "secret_lambda-k3y_0815-abcdefghijklmnop";

/// The command lines and environments of all that runs in the sandbox.
#[track_caller]
fn assert_not_in_processes(sandbox: &Sandbox, programs: &[&str]) {
    let processes = sandbox.processes();
    for program in programs {
        assert!(processes.iter().any(|process| process.program() == *program), "{program}: {processes:#?}");
    }
    for process in processes {
        assert!(!process.mentions(KEY) && !process.mentions(TOKEN), "{process:#?}");
    }
}

/// All files of the sandbox but the one where they belong.
#[track_caller]
fn assert_not_in_files(sandbox: &Sandbox, expected: &[&str]) {
    let files = sandbox.files();
    for name in expected {
        let is_there = files.iter().any(|file| file.to_string_lossy().contains(name));
        assert!(is_there, "{name}: {files:#?}");
    }
    for file in files.iter().filter(|file| !file.ends_with("credentials.toml")) {
        // Sockets cannot be read and hold nothing.
        let text = String::from_utf8_lossy(&fs::read(file).unwrap_or_default()).into_owned();
        assert!(!text.contains(KEY) && !text.contains(TOKEN), "{}:\n{text}", file.display());
    }
}

#[track_caller]
fn assert_not_in(output: &Output) {
    for text in [&output.stdout, &output.stderr] {
        assert!(!text.contains(KEY) && !text.contains(TOKEN), "{text}");
    }
}

/// The provider's API, no sooner than `gate` is open, listing the instance `dev` and what else is secret.
fn api(gate: Gate) -> Server {
    Server::start(move |request| {
        gate.pass();
        if request.authorization != format!("Bearer {KEY}") {
            let error = r#"{"error":{"code":"global/invalid-api-key","message":"API key was invalid."}}"#;
            return Reply::error("401 Unauthorized", error);
        }
        Reply::ok(
            r#"{"data":[{"id":"a1b2c3d4","name":"dev","ip":"127.0.0.1","status":"active",
            "region":{"name":"here"},"instance_type":{"name":"gpu","price_cents_per_hour":1},
            "jupyter_token":"jupyter-s3cret","jupyter_url":"http://127.0.0.1/?token=jupyter-s3cret"}]}"#,
        )
    })
}

/// A sandbox with both secrets, which gets its instance from `api` alone.
fn sandbox(instance: &Instance, daemon: &Daemon, api: &Server) -> Sandbox {
    let mut sandbox = daemon.sandbox(instance);
    sandbox
        .store_secrets(&format!("[lambda]\napi-key = \"{KEY}\"\n[daemon.tokens]\na1b2c3d4 = \"{TOKEN}\"\n"));
    sandbox.configure(|config| {
        config.remove("instances", "dev");
        config.set(["providers", "lambda"], true).set(["lambda", "base-url"], api.url());
        config.set(["ssh", "port"], i64::from(instance.sshd.port)).set(["ssh", "user"], user());
    });
    sandbox
}

#[test]
fn no_secret_is_found_where_it_does_not_belong() {
    let (instance, at_api, at_daemon) = (Instance::start(), Gate::default(), Gate::default());
    let api = api(at_api.clone());
    let daemon = Daemon::behind(5, Some(at_daemon.clone()));
    let sandbox = sandbox(&instance, &daemon, &api);

    // All that asks the provider, while it is asked.
    let started = sandbox.tunnel(["start", "-v"]).stdout_has("").stderr_has("").spawn();
    let asking: Vec<Spawned> = [&["status"][..], &["status", "--json"]]
        .map(|args| sandbox.soong(args).stdout_has("").spawn())
        .into();
    wait::until_true("three questions", || api.requests().len() >= 3);
    assert_not_in_processes(&sandbox, &["soong-tunnel", "soong-status", "soong-provider-lambda"]);
    assert_not_in_files(&sandbox, &[]);
    at_api.open();
    assert_not_in(&started.finish());
    for command in asking {
        assert_not_in(&command.finish());
    }

    // The tunnel, and extend while the daemon takes its time; once through the tunnel, once not.
    wait::until_true("the supervisor's question", || daemon.server.count("GET /status") == 1);
    let extending = sandbox.soong(["extend", "1"]).stdout_has("extended").spawn();
    wait::until_true("the wish", || daemon.server.count("POST /extend") == 1);
    assert_not_in_processes(&sandbox, &["soong-supervisor", "ssh", "soong-extend"]);
    assert_not_in_files(&sandbox, &["state.toml", "instances.json", ".log", "tunnel.pid"]);
    at_daemon.open();
    assert_not_in(&extending.finish());
    for args in [&["tunnel", "status", "--json"][..], &["status", "--json"], &["status"], &["ssh", "--print"]]
    {
        assert_not_in(&sandbox.soong(args).stdout_has("").run());
    }
    assert_not_in(&sandbox.tunnel(["stop"]).stdout_has("").run());
    assert_not_in(&sandbox.soong(["extend", "1"]).stdout_has("extended").run());
    assert_not_in_files(&sandbox, &["instances.json", ".log"]);
    let stored = fs::read_to_string(sandbox.path("home/.local/state/soong/instances.json")).unwrap();
    assert!(stored.contains("a1b2c3d4") && !stored.contains("jupyter"), "{stored}");
}

#[test]
fn a_secret_that_is_refused_is_not_shown_either() {
    let instance = Instance::start();
    let open = Gate::default();
    open.open();
    let (api, daemon) = (api(open), Daemon::start(1));
    let sandbox = sandbox(&instance, &daemon, &api);
    for (key, token) in [("wrong-4711", "wrong-4711"), (KEY, "wrong-4711"), ("wr\\u001bong-4711", "x")] {
        sandbox.store_secrets(&format!("[lambda]\napi-key = \"{key}\"\n[daemon]\ntoken = \"{token}\"\n"));
        for args in
            [&["status"][..], &["status", "--json"], &["extend", "1"], &["tunnel", "status", "--json"]]
        {
            let output = sandbox.soong(args).unchecked();
            assert!(!(output.stdout + &output.stderr).contains("4711"), "{args:?}");
        }
    }
}

#[test]
fn secrets_that_others_can_read_are_refused() {
    let instance = Instance::start();
    let open = Gate::default();
    open.open();
    let (api, daemon) = (api(open), Daemon::start(1));
    let mut sandbox = sandbox(&instance, &daemon, &api);
    sandbox.configure(|config| {
        config.instance("here", "127.0.0.1", instance.sshd.port);
    });
    let file = sandbox.config_file().with_file_name("credentials.toml");
    let chmod = "chmod 600 [ROOT]/home/.config/soong/credentials.toml";
    for mode in [0o640, 0o604, 0o660, 0o602] {
        fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
        let extend = sandbox.soong(["extend", "1", "--instance-id", "here"]);
        extend.fails(1, ["credentials.toml can be read by other users"]).hint(chmod).run();
        let status = sandbox.soong(["status"]).code(1).stdout_has("unreachable");
        status.stderr_has("soong-status: the provider lambda failed: ").stderr_has(chmod).run();
    }
    // A tunnel needs none, and says nothing of what it cannot ask.
    daemon::start(&sandbox).args(["--instance-id", "here"]).run();
    sandbox.soong(["status", "--cached"]).stdout_has("up").run();
    assert!(api.requests().is_empty() && daemon.server.requests().is_empty());
    // The way out works.
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    sandbox.soong(["status"]).stdout_has("a1b2c3d4").run();
}

/// The supervisor lives for weeks. It reads the token for each question to the daemon and needs no API key.
#[test]
#[cfg(target_os = "linux")]
fn the_api_key_does_not_stay_in_the_supervisor() {
    let instance = Instance::start();
    let daemon = Daemon::start(1);
    let sandbox = daemon.sandbox(&instance);
    sandbox.store_secrets(&format!("[lambda]\napi-key = \"{KEY}\"\n[daemon]\ntoken = \"{TOKEN}\"\n"));
    daemon::start(&sandbox).run();
    wait::until_true("the supervisor's question", || daemon.server.count("GET /status") == 1);
    let supervisor = sandbox.supervisors()[0].pid;
    // Where the system keeps even a process's own user from this, there is nothing to look at.
    let Some(memory) = memory(supervisor) else { return };
    let has = |text: &str| memory.windows(text.len()).any(|window| window == text.as_bytes());
    assert!(has("a1b2c3d4"), "the supervisor knows the id of its instance, so this memory is not its own");
    assert!(!has(KEY));
}

/// All that the process `pid` may write to in its memory.
#[cfg(target_os = "linux")]
fn memory(pid: i32) -> Option<Vec<u8>> {
    use std::os::unix::fs::FileExt as _;
    let file = fs::File::open(format!("/proc/{pid}/mem")).ok()?;
    let maps = fs::read_to_string(format!("/proc/{pid}/maps")).ok()?;
    let mut memory = Vec::new();
    for line in maps.lines().filter(|line| line.contains(" rw")) {
        let (range, _) = line.split_once(' ')?;
        let (from, to) = range.split_once('-')?;
        let (from, to) = (u64::from_str_radix(from, 16).ok()?, u64::from_str_radix(to, 16).ok()?);
        let mut part = vec![0; usize::try_from(to - from).ok()?];
        if file.read_exact_at(&mut part, from).is_ok() {
            memory.extend(part);
        }
    }
    (!memory.is_empty()).then_some(memory)
}
