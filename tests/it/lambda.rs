//! `soong-provider-lambda`, and what becomes of the key it is given.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread;

use crate::support::config::forward;
use crate::support::http::{Reply, Server};
use crate::support::instance::Instance;
use crate::support::run::Run;
use crate::support::sandbox::Sandbox;
use crate::support::{ports, wait};

const KEY: &str = "secret_abcdef0123456789";

/// The API, as far as it is needed: every connection gets the same answer.
struct Api {
    port: u16,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Api {
    /// Answers with `status` and `body`; an empty status answers nothing.
    fn start(status: &'static str, body: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&requests);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                answer(stream, status, body, &log);
            }
        });
        Self { port, requests }
    }

    fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

fn answer(mut stream: TcpStream, status: &str, body: &str, log: &Mutex<Vec<String>>) {
    let (mut text, mut byte) = (Vec::new(), [0]);
    while !text.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|count| count == 1) {
        text.push(byte[0]);
    }
    log.lock().unwrap().push(String::from_utf8(text).unwrap());
    if status.is_empty() {
        // Nothing is sent; this ends when the client hangs up.
        let _ = stream.read(&mut byte);
        return;
    }
    let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
    // The client may hang up at any time.
    let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body.as_bytes()));
}

/// A sandbox with the provider switched on, asking `api` with a stored key.
fn sandbox(api: &Api) -> Sandbox {
    let mut sandbox = Sandbox::new();
    sandbox.configure(|config| {
        config.set(["providers", "lambda"], true);
        config.set(["lambda", "base-url"], format!("http://127.0.0.1:{}/api/v1", api.port));
    });
    let file = sandbox.path("home/.config/soong/credentials.toml");
    sandbox.write(&file, format!("[lambda]\napi-key = \"{KEY}\"\n"));
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    sandbox
}

fn provider<'a>(sandbox: &'a Sandbox, args: &[&str]) -> Run<'a> {
    Run::new(sandbox, Path::new(env!("CARGO_BIN_EXE_soong-provider-lambda")), args)
}

const LIST: &str = r#"{"data":[{"id":"0920582c7ff041399e34823a0be62549","name":"My Instance","ip":"198.51.100.2",
    "private_ip":"10.0.2.100","status":"active","ssh_key_names":["k"],"file_system_names":[],
    "region":{"name":"us-west-1","description":"California, USA"},
    "instance_type":{"name":"gpu_8x_example","description":"d","gpu_description":"g","price_cents_per_hour":1592,
    "specs":{"vcpus":124,"memory_gib":1800,"storage_gib":6144,"gpus":8}},
    "jupyter_token":"t0ken","jupyter_url":"https://j.example/?token=t0ken","actions":{},"something_new":[1]}]}"#;

#[test]
fn instances_are_listed_for_soong_and_secrets_are_not() {
    let api = Api::start("200 OK", LIST);
    let sandbox = sandbox(&api);
    provider(&sandbox, &["list"])
        .stdout(concat!(
            r#"{"api":1,"instances":[{"id":"0920582c7ff041399e34823a0be62549","name":"My Instance","status":"active","#,
            r#""host":"198.51.100.2","user":null,"port":null,"type":"gpu_8x_example","region":"us-west-1","#,
            r#""price_cents_per_hour":1592}]}"#,
            "\n"
        ))
        .run();
    sandbox.tunnel(["start", "--dry-run"]).stdout_has("ubuntu@198.51.100.2").run();
    for request in api.requests() {
        assert!(request.to_lowercase().contains(&format!("authorization: bearer {KEY}\r\n")), "{request}");
    }
    for file in sandbox.files() {
        let text = String::from_utf8_lossy(&fs::read(&file).unwrap()).into_owned();
        let holds_key = text.contains(KEY);
        assert_eq!(holds_key, file.ends_with("credentials.toml"), "{}", file.display());
        assert!(!text.contains("t0ken"), "{}", file.display());
    }
}

#[test]
fn the_key_is_in_no_ones_arguments_or_environment() {
    let api = Api::start("", "");
    let sandbox = sandbox(&api);
    let command = sandbox.tunnel(["start", "--dry-run"]).code(130).stderr_has("").spawn();
    wait::until_true("the question to arrive", || !api.requests().is_empty());
    let running = sandbox.processes();
    assert!(running.iter().any(|process| process.program() == "soong-provider-lambda"), "{running:#?}");
    for process in &running {
        assert!(!process.command.contains(KEY) && !process.mentions(KEY), "{process:#?}");
    }
    command.interrupt();
    command.finish();
    wait::until_true("the provider to end", || sandbox.processes().is_empty());
}

#[test]
fn what_is_refused_is_told_with_what_to_do_and_asked_once() {
    for (status, body, first, hint) in [
        (
            "401 Unauthorized",
            r#"{"error":{"code":"global/invalid-api-key","message":"API key was invalid.","suggestion":"Check it."}}"#,
            "Lambda Cloud rejects the API key",
            "soong configure",
        ),
        (
            "403 Forbidden",
            r#"{"error":{"code":"global/account-inactive","message":"Your account is inactive.","suggestion":"Verify."}}"#,
            "the Lambda Cloud account is inactive",
            "Verify",
        ),
        (
            "404 Not Found",
            "<html>",
            "Lambda Cloud has no list of instances at this address",
            "lambda.base-url",
        ),
    ] {
        let api = Api::start(status, body);
        let sandbox = sandbox(&api);
        let output =
            provider(&sandbox, &["list"]).fails(1, ["soong-provider-lambda: ", first]).hint(hint).run();
        assert!(!output.stderr.contains(KEY));
        assert_eq!(api.requests().len(), 1, "{status}");
        sandbox
            .tunnel(["start"])
            .fails(1, ["soong-tunnel: the provider lambda failed: ", first])
            .hint(hint)
            .run();
    }
}

#[test]
fn a_key_comes_from_a_command_or_a_private_file_or_not_at_all() {
    let api = Api::start("200 OK", r#"{"data":[]}"#);
    let mut sandbox = sandbox(&api);
    let file = sandbox.path("home/.config/soong/credentials.toml");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    let output =
        provider(&sandbox, &["list"]).fails(1, ["can be read by other users"]).hint("chmod 600").run();
    assert!(!output.stderr.contains(KEY));
    fs::remove_file(&file).unwrap();
    provider(&sandbox, &["list"]).fails(1, ["no API key for Lambda Cloud"]).hint("soong configure").run();
    assert!(api.requests().is_empty());
    sandbox.configure(|config| {
        config.set(["lambda", "api-key-command"], "printf '%s\\n' 'a;b$c'");
    });
    provider(&sandbox, &["list"]).stdout("{\"api\":1,\"instances\":[]}\n").run();
    assert!(api.requests()[0].to_lowercase().contains("authorization: bearer a;b$c\r\n"));
    sandbox.configure(|config| {
        config.set(["lambda", "api-key-command"], format!("sh -c 'echo {KEY} >&2; exit 1'"));
    });
    let output = provider(&sandbox, &["list"]).fails(1, ["lambda.api-key-command printed no key"]).run();
    assert!(!output.stderr.contains(KEY));
}

/// Where others may write, they may have put it.
#[test]
fn the_program_that_prints_the_key_comes_from_a_safe_place_or_not_at_all() {
    let api = Api::start("200 OK", r#"{"data":[]}"#);
    let mut sandbox = sandbox(&api);
    sandbox.configure(|config| {
        config.set(["lambda", "api-key-command"], "print-key");
    });
    let [here, below, open] = ["tmp", "tmp/sub", "open"].map(|directory| sandbox.path(directory));
    for directory in [&here, &below, &open] {
        let program = directory.join("print-key");
        sandbox.write(&program, format!("#!/bin/sh\necho {KEY}\n"));
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    }
    for path in ["", ":/bin", "sub:/bin", "./sub", "."] {
        let list = provider(&sandbox, &["list"]).env("PATH", path);
        list.fails(1, ["print-key is not on PATH"]).run();
    }
    let list = || provider(&sandbox, &["list"]).env("PATH", format!("{}:/bin:/usr/bin", open.display()));
    fs::set_permissions(&open, fs::Permissions::from_mode(0o777)).unwrap();
    list().fails(1, ["print-key is not used", "is writable by everyone"]).run();
    assert!(api.requests().is_empty());
    fs::set_permissions(&open, fs::Permissions::from_mode(0o755)).unwrap();
    list().stdout("{\"api\":1,\"instances\":[]}\n").run();
}

#[test]
fn the_environment_names_another_address_and_the_key_stays_safe() {
    let api = Api::start("200 OK", r#"{"data":[]}"#);
    let mut sandbox = sandbox(&api);
    sandbox.configure(|config| {
        config.remove("lambda", "base-url");
    });
    let url = format!("http://localhost:{}/", api.port);
    // A proxy is not to see what is sent to this machine in the clear.
    provider(&sandbox, &["list"])
        .env("SOONG_LAMBDA_ENDPOINT", &url)
        .env("http_proxy", "http://127.0.0.1:9")
        .env("ALL_PROXY", "http://127.0.0.1:9")
        .stdout("{\"api\":1,\"instances\":[]}\n")
        .run();
    assert!(api.requests()[0].starts_with("GET /instances HTTP/1.1\r\n"));
    for url in ["http://192.0.2.1/api/v1", "http://u:p4ss@127.0.0.1/", "file:///etc/passwd", "x"] {
        let output = provider(&sandbox, &["list"])
            .env("SOONG_LAMBDA_ENDPOINT", url)
            .fails(1, ["SOONG_LAMBDA_ENDPOINT is not a usable address"])
            .run();
        assert!(!output.stderr.contains("p4ss"));
    }
}

/// The variables that a tunnel sets for its services are addresses on this machine, which lead to the
/// instance: none may be one that these programs read.
#[test]
fn a_service_called_lambda_does_not_get_the_api_key() {
    let api = Api::start("200 OK", r#"{"data":[]}"#);
    let instance = Instance::start();
    let mut sandbox = Sandbox::with(&instance);
    let (spy, local) = (Server::start(|_| Reply::ok(r#"{"data":[]}"#)), ports::free());
    sandbox.configure(|config| {
        config.set(["providers", "lambda"], true);
        config.set(["lambda", "base-url"], format!("http://127.0.0.1:{}", api.port));
        config.set(["services", "lambda"], forward(spy.port, local));
        config.set(["services", "lambda-endpoint"], forward(spy.port, ports::free()));
    });
    sandbox.store_secrets(&format!("[lambda]\napi-key = \"{KEY}\"\n"));
    let script = "test \"$SOONG_LAMBDA_URL\" = http://localhost:$1 && exec \"$2\" status";
    let soong = env!("CARGO_BIN_EXE_soong");
    sandbox
        .tunnel(["run", "--instance-id", "dev", "--", "sh", "-c", script, "sh", &local.to_string(), soong])
        .stdout_has("dev")
        .run();
    assert_eq!(api.requests().len(), 1);
    assert_eq!(spy.requests().len(), 0, "{:?}", spy.requests());
}
