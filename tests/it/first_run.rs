//! The first hour with soong, at a terminal: from an empty home to a tunnel, a session and more time.

use std::fs;

use crate::support::config::user;
use crate::support::daemon::{Daemon, GPU_LOAD, MODEL, TOKEN};
use crate::support::http::{Reply, Server};
use crate::support::instance::Instance;
use crate::support::run::Run;
use crate::support::sandbox::Sandbox;
use crate::support::terminal::Terminal;
use crate::support::tools::{system_path, tool};
use crate::support::{ports, wait};

const KEY: &str = "secret_lambda-k3y_0815-abcdefghijklmnop";

/// User who types at a shell and reads the output.
struct Person {
    terminal: Terminal,
    /// How much of the screen has been read.
    read: usize,
}

impl Person {
    /// Opens a terminal with a shell in it that finds soong, and the provider at `api`.
    fn sit_down(sandbox: &Sandbox, api: &Server) -> Self {
        let soong = std::path::Path::new(env!("CARGO_BIN_EXE_soong"));
        let mut path = soong.parent().unwrap().as_os_str().to_owned();
        path.push(":");
        path.push(system_path());
        // Without line editing what is typed is shown once, as the terminal does it.
        let shell = Run::new(sandbox, &tool("bash"), ["--norc", "--noprofile", "--noediting", "-i"])
            .env("PATH", path)
            .env("PS1", "$ ")
            .env("HISTFILE", "")
            .env("SOONG_LAMBDA_ENDPOINT", api.url());
        Self { terminal: Terminal::run(&shell, 40, 80), read: 0 }
    }

    /// Waits for `text`, below all that was read before.
    #[track_caller]
    fn reads(&mut self, text: &str) {
        self.read = wait::until(&format!("{text:?} in\n{}", self.terminal.screen()), || {
            let screen = self.terminal.screen();
            screen[self.read..].find(text).map(|at| self.read + at + text.len())
        });
    }

    /// Types `line` and Enter, and reads past it.
    #[track_caller]
    fn types(&mut self, line: &str) {
        self.terminal.type_text(&format!("{line}\n"));
        self.reads(line);
    }

    /// Reads `question`, types `answer` and Enter.
    #[track_caller]
    fn answers(&mut self, question: &str, answer: &str) {
        self.reads(question);
        self.terminal.type_text(&format!("{answer}\r"));
    }

    /// Types a command that is to succeed and print each of `texts` in turn.
    #[track_caller]
    fn runs<const N: usize>(&mut self, command: &str, texts: [&str; N]) {
        self.types(&format!("{command}; echo \"[$?]\""));
        for text in texts {
            self.reads(text);
        }
        self.reads("[0]");
    }
}

/// The provider's API: lists an instance on this machine to any client with the key.
fn api() -> Server {
    Server::start(|request| match (request.line.as_str(), request.authorization.as_str()) {
        ("GET /instances", authorization) if authorization == format!("Bearer {KEY}") => Reply::ok(
            r#"{"data":[{"id":"0920582c7ff041399e34823a0be62549","name":"train","ip":"127.0.0.1",
            "status":"active","region":{"name":"us-west-1","description":"California, USA"},
            "instance_type":{"name":"gpu_1x_a100","price_cents_per_hour":129},
            "jupyter_token":"jupyter-s3cret"}]}"#,
        ),
        ("GET /instances", _) => Reply::error(
            "401 Unauthorized",
            r#"{"error":{"code":"global/invalid-api-key","message":"API key was invalid."}}"#,
        ),
        _ => Reply::error("404 Not Found", ""),
    })
}

#[test]
fn from_an_empty_home_to_more_time() {
    let (instance, daemon, api) = (Instance::start(), Daemon::start(100), api());
    let sandbox = Sandbox::new();
    fs::remove_dir_all(sandbox.home()).unwrap();
    fs::create_dir_all(sandbox.home().join(".ssh")).unwrap();
    let (key, public) = (instance.sshd.key(), instance.sshd.key().with_extension("pub"));
    fs::copy(key, sandbox.home().join(".ssh/id_ed25519")).unwrap();
    fs::copy(public, sandbox.home().join(".ssh/id_ed25519.pub")).unwrap();
    let mut person = Person::sit_down(&sandbox, &api);

    person.reads("$ ");
    person.types("soong configure");
    person.answers("Where do your instances come from?", "");
    person.answers("API key of Lambda Cloud", "wr0ng");
    person.reads("rejects the API key");
    person.answers("What now?", "");
    person.answers("API key of Lambda Cloud", KEY);
    person.reads("Key accepted; instances: 1");
    person.answers("Private key", "");
    person.answers("User name on the instances", "");
    // Its SSH server is not on port 22 here.
    person.reads("cannot log in to train: ");
    person.answers("What now?", "\x1b[B");
    person.answers("run there? [y/N] ", "y");
    person.answers("Its token", TOKEN);
    person.reads("Next: soong tunnel start");

    // An instance has its SSH server and its services on the usual ports. Here they are where there was room.
    let local = [ports::free(), ports::free(), ports::free()];
    let remote = [instance.services[0].port, instance.services[1].port, daemon.server.port];
    for (service, (remote, local)) in ["sglang", "n8n", "status"].iter().zip(remote.iter().zip(local)) {
        let forward = format!("'{{ remote = {remote}, local = {local} }}'");
        person.runs(&format!("soong configure set services.{service} {forward}"), []);
    }
    person.runs(&format!("soong configure set ssh.user {}", user()), []);
    person.runs(&format!("soong configure set ssh.port {}", instance.sshd.port), []);
    // ssh finds the developer's own configuration without HOME.
    person.runs("soong configure set ssh.options -- '-F none'", []);

    // As `soong daemon install train` stores it: a token is for one instance.
    let credentials = sandbox.home().join(".config/soong/credentials.toml");
    let text = fs::read_to_string(&credentials).unwrap();
    fs::write(
        &credentials,
        format!("{text}\n[daemon.tokens]\n0920582c7ff041399e34823a0be62549 = \"{TOKEN}\"\n"),
    )
    .unwrap();

    let listed = ["train", "0920582c", "active", "127.0.0.1", "1.29", "gpu_1x_a100 in us-west-1"];
    person.runs("soong status", listed);
    let arrow = format!("localhost:{} -> 127.0.0.1:{}", local[0], remote[0]);
    person.runs(
        "soong tunnel start",
        ["Starting SSH tunnel to 127.0.0.1...", "SSH tunnel started (PID: ", &arrow],
    );
    wait::until_true("the lease to be known", || {
        let output = sandbox.soong(["status", "--cached", "--json"]).stdout_has("").run();
        output.stdout.contains(&daemon.lease_end().to_string())
    });
    let facts = format!("GPU {GPU_LOAD} %, {MODEL}");
    person.runs("soong status", ["train", "up", "5 h", &facts]);

    person.types("soong ssh");
    person.types("echo \"$((40 + 2)) $SSH_CONNECTION\"");
    person.reads("42 127.0.0.1 ");
    person.types("exit 5");
    // Until ssh has said so, what is typed is for the other side.
    person.reads("closed.");
    person.reads("$ ");
    person.types("echo \"[$?]\"");
    person.reads("[5]");
    person.runs("soong ssh -- echo out of there", ["\r\nout of there\r\n"]);
    assert_eq!(instance.sshd.logins(), 1, "all over one connection");

    person.runs("soong extend 1", ["Lease extended by 1 hour, until ", "(in 6 h"]);
    wait::until_true("the new end to be shown", || {
        let output = sandbox.soong(["status", "--cached", "--json"]).stdout_has("").run();
        output.stdout.contains(&daemon.lease_end().to_string())
    });
    person.runs("soong tunnel stop", ["Stopped tunnel (PID: "]);
    person.types("exit");
    assert_eq!(person.terminal.finish(), 0);

    let screen = person.terminal.screen();
    for secret in [KEY, TOKEN, "wr0ng", "jupyter-s3cret"] {
        assert!(!screen.contains(secret), "{screen}");
    }
    sandbox.assert_idle();
}
