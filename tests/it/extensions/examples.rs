//! The sample extensions in `examples/`, against an instance with services behind it.

use std::fs;
use std::path::{Path, PathBuf};

use nix::sys::signal::Signal;

use super::{compiled, complete, soong};
use crate::support::config::forward;
use crate::support::daemon::{Daemon, GPU_LOAD, MODEL, start};
use crate::support::http::{Reply, Server};
use crate::support::instance::Instance;
use crate::support::run::Run;
use crate::support::sandbox::Sandbox;
use crate::support::tools::tool;
use crate::support::wait;

/// Puts the sample into the sandbox's `bin`.
fn install(sandbox: &Sandbox, name: &str, program: &Path) {
    fs::copy(program, sandbox.path("bin").join(name)).unwrap();
}

/// A sample that is a script.
fn sample(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(name)
}

/// A sandbox with a tunnel whose service sglang is `server`.
fn with_model(sandbox: &mut Sandbox, server: &Server) {
    sandbox.configure(|config| {
        let local = config.local[0];
        config.set(["services", "sglang"], forward(server.port, local));
    });
    start(sandbox).run();
}

#[test]
fn every_sample_is_complete() {
    let mut sandbox = Sandbox::new();
    sandbox.wait_for_candidates();
    for name in ["soong-top", "soong-open"] {
        install(&sandbox, name, &compiled::sample(name));
    }
    for name in ["soong-sync", "soong-chat"] {
        install(&sandbox, name, &sample(name));
    }
    for (name, from) in [("sync", "header"), ("chat", "header"), ("top", "note"), ("open", "note")] {
        let file = sandbox.path("bin").join(format!("soong-{name}"));
        soong(&sandbox, ["ext", "check", file.to_str().unwrap()])
            .stdout_has(format!("(from its {from})"))
            .stdout_has("no problems found\n")
            .run();
        let help = soong(&sandbox, [name, "--help"]).stdout_has(format!("soong {name}")).run().stdout;
        let answer = complete(&sandbox, &["soong", name, "--"]).stdout_has("").run().stdout;
        assert!(answer.ends_with("\n:4\n"), "{answer}");
        for option in answer.lines().filter_map(|line| line.split_once('\t')) {
            assert!(help.contains(option.0), "{option:?} is not in\n{help}");
        }
        soong(&sandbox, [name, "--nonsense"]).code(2).stderr_has("--nonsense").run();
    }
    Run::new(&sandbox, &tool("shellcheck"), [sample("soong-sync")]).run();
}

#[test]
fn sync_copies_a_directory_and_what_changes_in_it() {
    let instance = Instance::start();
    let sandbox = Sandbox::with(&instance);
    install(&sandbox, "soong-sync", &sample("soong-sync"));
    let [here, there] = ["tmp/a b", "tmp/there"].map(|name| sandbox.path(name));
    sandbox.write(&here.join("src/one"), "1");
    sandbox.write(&here.join("ignored"), "x");
    sandbox.write(&here.join(".gitignore"), "ignored\n");
    let sync = |args: &[&str]| {
        soong(&sandbox, ["sync"]).args(args).args([&here, &there]).stdout_has("").stderr_has("")
    };
    sync(&["--once"]).run();
    assert_eq!(fs::read_to_string(there.join("src/one")).unwrap(), "1");
    assert!(!there.join("ignored").exists());

    let mut watching =
        sync(&["--interval", "0.1", "--delete", "--instance-id", "a1b2c3d4"]).code(143).spawn();
    watching.wait_for_stdout("copied ");
    sandbox.write(&here.join("src/one"), "2");
    fs::remove_file(here.join(".gitignore")).unwrap();
    wait::until_true("the change to arrive", || {
        fs::read_to_string(there.join("src/one")).unwrap() == "2" && !there.join(".gitignore").exists()
    });
    watching.signal(Signal::SIGTERM);
    watching.finish();
    soong(&sandbox, ["sync", "missing"]).fails(1, ["soong-sync: ", "missing"]).run();
}

#[test]
fn chat_shows_what_the_model_says_as_it_comes() {
    let instance = Instance::start();
    let mut sandbox = Sandbox::with(&instance);
    install(&sandbox, "soong-chat", &sample("soong-chat"));
    let server = Server::start(|request| match request.line.as_str() {
        "GET /v1/models" => Reply::ok(r#"{"data":[{"id":"qwen"}]}"#),
        _ if request.body.contains("page") => Reply::error("501 No Such Thing", "<html>\n<b>no</b>\n</html>"),
        _ if request.body.contains("lines") => Reply::error("400 Bad Request", "too\nlong"),
        _ => Reply::Raw(
            b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n\
              data: {\"choices\":[{\"delta\":{\"role\":\"assistant\"}}]}\n\n: a comment\n\ndata: rubbish\n\n\
              data: {\"choices\":[{\"delta\":{\"content\":\"hel\\u001b[2J\"}}]}\n\n\
              data: {\"choices\":[{\"delta\":{\"content\":\"lo\"}}]}\n\ndata: [DONE]\n\n"
                .to_vec(),
        ),
    });
    soong(&sandbox, ["chat", "hi"]).fails(1, ["no tunnel is running"]).hint("soong tunnel start").run();
    with_model(&mut sandbox, &server);
    soong(&sandbox, ["chat", "--system", "be brief", "who", "are you"]).stdout("hel[2Jlo\n").run();
    let asked = server.requests().pop().unwrap();
    let body: serde_json::Value = serde_json::from_str(&asked.body).unwrap();
    assert_eq!(asked.line, "POST /v1/chat/completions");
    assert_eq!((&body["model"], &body["stream"]), (&"qwen".into(), &true.into()));
    assert_eq!(body["messages"][0]["content"], "be brief");
    assert_eq!(body["messages"][1]["content"], "who are you");
    let refused = soong(&sandbox, ["chat", "page"]).code(1);
    refused.stderr("soong-chat: the model's server answered 501: No Such Thing\n").run();
    let refused = soong(&sandbox, ["chat", "lines"]).code(1);
    refused.stderr("soong-chat: the model's server answered 400: too long\n").run();
    drop(server);
    soong(&sandbox, ["chat", "hi"]).fails(1, ["soong-chat: "]).run();
}

#[test]
fn top_shows_load_requests_and_lease() {
    let instance = Instance::start();
    let daemon = Daemon::start(3);
    let mut sandbox = daemon.sandbox(&instance);
    install(&sandbox, "soong-top", &compiled::sample("soong-top"));
    let server = Server::start(|request| match request.line.as_str() {
        "GET /metrics" => Reply::Raw(
            b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n# TYPE x gauge\n\
              sglang:num_running_reqs{model=\"a\"} 3.0\nsglang:num_running_reqs{model=\"b\"} 1.0\n\
              sglang:num_queue_reqs 2\nsglang:gen_throughput{model=\"a\"} NaN\n"
                .to_vec(),
        ),
        _ => Reply::error("404 Not Found", ""),
    });
    soong(&sandbox, ["top"]).stdout_has("dev  no tunnel  lease unknown").run();
    with_model(&mut sandbox, &server);
    let shown = wait::until("the daemon's facts to be shown", || {
        let output =
            soong(&sandbox, ["top", "--once", "--instance-id", "dev"]).stdout_has("dev  up  lease ").run();
        output.stdout.contains(MODEL).then_some(output.stdout)
    });
    assert!(shown.contains(&format!(" {GPU_LOAD} %")), "{shown}");
    assert!(shown.contains("requests  4 running, 2 queued\n"), "{shown}");
    assert!(shown.contains("lease 5 h "), "{shown}");
}
