//! The demo's embedded instance, looked at with the system's `ssh`: the tour and the fault tests
//! stand on it, so it has to forward like a real server.

#![expect(clippy::unwrap_used, reason = "a helper that cannot do its part fails the test")]

#[path = "../examples/demo/http.rs"]
mod http;
#[path = "../examples/demo/instance.rs"]
mod instance;
#[path = "../examples/demo/relay.rs"]
mod relay;
#[path = "../examples/demo/services.rs"]
mod services;
#[path = "../examples/demo/stand_in.rs"]
mod stand_in;
#[path = "../examples/demo/statusd.rs"]
mod statusd;
#[path = "it/support/statusd.rs"]
mod statusd_program;

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::os::unix::net::UnixStream as BlockingUnixStream;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::{Duration, Instant, SystemTime};

use russh::keys::key::safe_rng;
use russh::keys::ssh_key::LineEnding;
use russh::keys::{Algorithm, PrivateKey};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::process::{Child, Command};
use tokio::time::{sleep, timeout};

use http::Message;
use instance::{Instance, Setup};
use services::{MODEL, N8N, SGLANG, STATUS_DAEMON, Services};

const DEADLINE: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(10);
const MIB: usize = 1024 * 1024;

/// A port of the instance where nothing may be reached.
const CLOSED: u16 = 22;

fn key() -> PrivateKey {
    PrivateKey::random(&mut safe_rng(), Algorithm::Ed25519).unwrap()
}

/// A user's directory: a key, known hosts, and the sockets of the forwards.
struct User {
    directory: TempDir,
    key: PrivateKey,
}

impl User {
    fn new() -> Self {
        let directory = tempfile::Builder::new().prefix("soong-ei.").tempdir_in("/tmp").unwrap();
        let key = key();
        key.write_openssh_file(directory.path().join("key"), LineEnding::LF).unwrap();
        Self { directory, key }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    async fn instance(&self, port: u16, services: BTreeMap<u16, SocketAddr>) -> Instance {
        let setup = Setup { port, host_key: key(), user_key: self.key.public_key().clone(), services };
        Instance::start(setup).await.unwrap()
    }

    fn ssh(&self, port: u16) -> Command {
        let mut ssh = Command::new("ssh");
        ssh.args(["-F", "none", "-o", "BatchMode=yes", "-o", "IdentitiesOnly=yes", "-i"])
            .arg(self.path("key"));
        ssh.args(["-o", "StrictHostKeyChecking=accept-new", "-o"]);
        ssh.arg(format!("UserKnownHostsFile={}", self.path("known_hosts").display()));
        ssh.args([
            "-o",
            "ServerAliveInterval=1",
            "-o",
            "ServerAliveCountMax=5",
            "-p",
            &port.to_string(),
            "ubuntu@127.0.0.1",
        ]);
        ssh.env_remove("SSH_AUTH_SOCK").stdin(Stdio::null()).kill_on_drop(true);
        ssh
    }

    /// Opens a connection with forwards for `ports`, to the sockets `PORT.sock`.
    async fn connect(&self, port: u16, ports: &[u16]) -> Child {
        let mut ssh = self.ssh(port);
        ssh.args(["-N", "-M", "-S"]).arg(self.path("ctl"));
        for port in ports {
            ssh.arg("-L").arg(format!("{}:localhost:{port}", self.socket(*port).display()));
        }
        let child = ssh.spawn().expect("these tests need the OpenSSH client");
        wait_for(|| BlockingUnixStream::connect(self.path("ctl")).is_ok()).await;
        child
    }

    fn socket(&self, port: u16) -> PathBuf {
        self.path(&format!("{port}.sock"))
    }
}

async fn wait_for(condition: impl Fn() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < DEADLINE, "the condition never came true");
        sleep(POLL).await;
    }
}

async fn output(command: &mut Command) -> Output {
    timeout(DEADLINE, command.output()).await.unwrap().unwrap()
}

/// A service that hands each connection to `handle`.
async fn service<F>(handle: impl Fn(TcpStream) -> F + Send + 'static) -> SocketAddr
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(handle(stream));
        }
    });
    address
}

async fn echo(stream: TcpStream) {
    let (mut read, mut write) = stream.into_split();
    tokio::io::copy(&mut read, &mut write).await.unwrap();
}

/// Answers only when the client has said everything, and only then ends the connection.
async fn count(mut stream: TcpStream) {
    let mut all = Vec::new();
    stream.read_to_end(&mut all).await.unwrap();
    stream.write_all(format!("{} bytes", all.len()).as_bytes()).await.unwrap();
}

/// Takes a connection and never reads from it.
async fn stall(stream: TcpStream) {
    std::future::pending::<()>().await;
    drop(stream);
}

/// Bytes whose loss, repetition or exchange would show. Cheap, so that making them does not hold up
/// the instance, which shares its thread with the tests.
fn noise(length: usize) -> Vec<u8> {
    let unit: Vec<u8> = (0..=250).collect();
    let mut bytes = unit.repeat(length / unit.len() + 1);
    bytes.truncate(length);
    bytes
}

/// Connects as soon as there is room in the queue: ssh lets 128 wait, and a Unix socket refuses the
/// next one, where TCP would try again by itself.
async fn connect(socket: &Path) -> UnixStream {
    let start = Instant::now();
    loop {
        match UnixStream::connect(socket).await {
            Err(error) if start.elapsed() < DEADLINE && is_full(&error) => sleep(POLL).await,
            result => return result.unwrap(),
        }
    }
}

/// Linux and the BSDs have different words for a full queue.
fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::ConnectionRefused)
}

/// Sends `bytes`, closes the sending half, and returns what comes back.
async fn exchange(socket: &Path, bytes: &[u8]) -> Vec<u8> {
    let (mut read, mut write) = connect(socket).await.into_split();
    let send = async {
        write.write_all(bytes).await.unwrap();
        write.shutdown().await.unwrap();
    };
    let mut answer = Vec::new();
    let receive = read.read_to_end(&mut answer);
    let (received, ()) = timeout(DEADLINE, async { tokio::join!(receive, send) }).await.unwrap();
    received.unwrap();
    answer
}

#[tokio::test]
async fn each_direction_ends_for_itself() {
    let user = User::new();
    let instance =
        user.instance(0, BTreeMap::from([(7, service(echo).await), (9, service(count).await)])).await;
    let _ssh = user.connect(instance.port(), &[7, 9]).await;
    let bytes = noise(4 * MIB);
    assert_eq!(exchange(&user.socket(9), &bytes).await, format!("{} bytes", bytes.len()).as_bytes());
    assert_eq!(exchange(&user.socket(9), b"").await, b"0 bytes");
    assert!(exchange(&user.socket(7), &bytes).await == bytes, "the echo differs");
    assert_eq!((instance.logins(), instance.forwarded()), (1, 3));
}

#[tokio::test]
async fn a_service_that_does_not_read_holds_up_nobody_else() {
    let user = User::new();
    let instance =
        user.instance(0, BTreeMap::from([(7, service(echo).await), (9, service(stall).await)])).await;
    let _ssh = user.connect(instance.port(), &[7, 9]).await;
    let mut stalled = UnixStream::connect(user.socket(9)).await.unwrap();
    timeout(DEADLINE, stalled.write_all(&noise(16 * MIB))).await.unwrap().unwrap();
    let bytes = noise(16 * MIB);
    assert!(exchange(&user.socket(7), &bytes).await == bytes, "the echo differs");
}

#[tokio::test]
async fn many_connections_at_once() {
    let user = User::new();
    let instance = user.instance(0, BTreeMap::from([(7, service(echo).await)])).await;
    let _ssh = user.connect(instance.port(), &[7]).await;
    let mut connections = tokio::task::JoinSet::new();
    for index in 0..200 {
        let socket = user.socket(7);
        connections.spawn(async move {
            let bytes = noise(1000 * index);
            assert!(exchange(&socket, &bytes).await == bytes, "the echo differs");
        });
    }
    assert_eq!(connections.join_all().await.len(), 200);
    assert_eq!(instance.forwarded(), 200);
}

#[tokio::test]
async fn only_its_own_user_gets_in_and_only_to_its_services() {
    let (user, stranger) = (User::new(), User::new());
    let instance = user.instance(0, BTreeMap::from([(7, service(echo).await)])).await;

    let refused = output(stranger.ssh(instance.port()).arg("true")).await;
    assert_eq!(refused.status.code(), Some(255));
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(said.contains("Permission denied (publickey)"), "{said}");

    let command = output(user.ssh(instance.port()).arg("true")).await;
    assert_eq!(command.status.code(), Some(255));

    let _ssh = user.connect(instance.port(), &[7, CLOSED]).await;
    assert_eq!(exchange(&user.socket(CLOSED), b"").await, b"");
    assert_eq!(exchange(&user.socket(7), b"still here").await, b"still here");
}

#[tokio::test]
async fn it_vanishes_and_comes_back_as_somebody_else() {
    let user = User::new();
    let instance = user.instance(0, BTreeMap::from([(7, service(stall).await)])).await;
    let port = instance.port();
    let mut ssh = user.connect(port, &[7]).await;
    let mut open = UnixStream::connect(user.socket(7)).await.unwrap();
    open.write_all(b"a connection is no reason to stay").await.unwrap();
    wait_for(|| instance.forwarded() == 1).await;
    timeout(DEADLINE, instance.stop()).await.unwrap();
    assert_eq!(timeout(DEADLINE, ssh.wait()).await.unwrap().unwrap().code(), Some(255));
    assert!(TcpStream::connect(("127.0.0.1", port)).await.is_err());

    let _other = user.instance(port, BTreeMap::new()).await;
    let refused = output(user.ssh(port).arg("-N")).await;
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(said.contains("Host key verification failed"), "{said}");
}

async fn ask(port: u16, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> (String, String) {
    let response = http::fetch(port, &Message::request(method, path, headers, body)).await.unwrap();
    (response.start.clone(), response.text())
}

/// The time in the field `name` of a JSON object.
fn time(json: &str, name: &str) -> SystemTime {
    let json: serde_json::Value = serde_json::from_str(json).unwrap();
    humantime::parse_rfc3339(json[name].as_str().unwrap()).unwrap()
}

#[tokio::test]
async fn the_services_answer_as_the_real_ones_do() {
    statusd_program::program();
    let services = Services::start("s3cret-of-16-characters").await.unwrap();
    let port = |remote| services.addresses()[&remote].port();
    let bearer = [
        ("authorization", "Bearer s3cret-of-16-characters"),
        ("content-type", "application/x-www-form-urlencoded"),
    ];

    let models = ask(port(SGLANG), "GET", "/v1/models", &[], "").await;
    assert!(models.1.contains(MODEL), "{models:?}");
    let unknown = ask(port(SGLANG), "POST", "/v1/completions", &[], r#"{"model": "x", "prompt": ""}"#).await;
    assert_eq!(unknown.0, "HTTP/1.1 404 Not Found");
    let broken = ask(port(SGLANG), "POST", "/v1/completions", &[], "not JSON").await;
    assert_eq!(broken.0, "HTTP/1.1 400 Bad Request");
    assert!(ask(port(N8N), "GET", "/", &[], "").await.1.contains("<h1>"));

    let daemon = port(STATUS_DAEMON);
    assert_eq!(ask(daemon, "GET", "/health", &[], "").await.0, "HTTP/1.1 200 OK");
    assert_eq!(ask(daemon, "GET", "/status", &[], "").await.0, "HTTP/1.1 401 Unauthorized");
    assert_eq!(ask(daemon, "POST", "/extend", &[], "hours=2").await.0, "HTTP/1.1 401 Unauthorized");
    let status = ask(daemon, "GET", "/status", &bearer, "").await;
    let extended = ask(daemon, "POST", "/extend", &bearer, "hours=2").await;
    // Whole seconds of the wall clock, which is read twice.
    let end = time(&status.1, "shutdown_at") + Duration::from_secs(7200);
    let moved = time(&extended.1, "new_shutdown_at");
    assert!([end, end + Duration::from_secs(1)].contains(&moved), "{status:?} {extended:?}");
    for hours in ["hours=-1", "hours=0", "hours=721", "days=1"] {
        assert_eq!(
            ask(daemon, "POST", "/extend", &bearer, hours).await.0,
            "HTTP/1.1 400 Bad Request",
            "{hours}"
        );
    }
}
