//! Links in doubt: a second ssh starts beside the first, and nothing that the first carries is lost.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use super::link::Pending;
use super::takeover::start;
use super::{logs, wait_for};
use crate::support::curl::{curl, get};
use crate::support::instance::Instance;
use crate::support::namespaces::{self, THERE};
use crate::support::sandbox::Sandbox;
use crate::support::sshd::Options;
use crate::support::tools::tool;
use crate::support::wait::DEADLINE;
use crate::support::{ports, wait};

/// So long that ssh's own keepalive has no part in what follows.
const KEEPALIVE: i64 = 60;

/// A router that has forgotten the connection, as after a restart: packets of it are lost, and new ones arrive.
#[test]
fn a_client_that_waits_brings_about_another_link() {
    let (instance, network, sandbox) = start(KEEPALIVE);
    let pid = sandbox.supervisors()[0].pid;
    let before = sandbox.clients()[0].pid;
    network.forget();
    // Several wait at once.
    let urls = [0, 1, 2, 0, 1, 2].map(|index| sandbox.url(index, "id"));
    let answers = thread::scope(|scope| {
        let waiting = urls.each_ref().map(|url| scope.spawn(|| get(url)));
        waiting.map(|answer| answer.join().unwrap())
    });
    assert_eq!(answers, ["sglang", "n8n", "status", "sglang", "n8n", "status"]);
    wait::until_true("the first ssh to end", || {
        let clients = sandbox.clients();
        clients.len() == 1 && clients[0].pid != before
    });
    assert_eq!(instance.sshd.logins(), 2);
    let logs = logs(&sandbox);
    assert!(
        logs.contains("a request got no answer: the link is still silent; the second ssh takes over\n"),
        "{logs}"
    );
    assert!(!logs.contains("link lost"), "{logs}");
    assert_eq!(wait_for(&sandbox, "up")["pid"].as_i64(), Some(pid.into()));
    // Its sockets lead to the second ssh.
    sandbox.tunnel(["status", "--check"]).stdout_has("sglang: answering").run();
    let spec = format!("{}:localhost:{}", ports::free(), instance.services[1].port);
    sandbox.tunnel(["forward", &spec]).stdout_has("Forwarding").run();
    sandbox.soong(["ssh", "--", "echo", "over"]).stdout("over\n").run();
    assert_eq!(instance.sshd.logins(), 2);
    sandbox.tunnel(["stop"]).stdout_has("Stopped").run();
    sandbox.assert_idle();
}

/// Nothing arrives for a while, on any connection: what is shown follows what a client finds, not ssh, which stays.
#[test]
fn a_link_in_doubt_is_not_shown_as_up() {
    let (_instance, network, sandbox) = start(KEEPALIVE);
    let up = wait_for(&sandbox, "up");
    let before = sandbox.clients()[0].pid;
    network.fall_silent();
    let request = Pending::to(&sandbox.url(0, "id"));
    let doubted = wait_for(&sandbox, "reconnecting");
    assert_eq!(doubted["last_error"], "the link does not answer");
    assert_eq!((&doubted["attempt"], &doubted["next_retry"]), (&0.into(), &serde_json::Value::Null));
    let status = sandbox.tunnel(["status"]).stdout_has("Tunnel is reconnecting\n  dev, for ").run().stdout;
    assert!(status.contains("\n  the link does not answer\n"), "{status}");
    sandbox.soong(["prompt"]).stdout("~ dev reconnecting\n").run();
    network.speak();
    assert_eq!(request.answer(), "sglang");
    let again = wait_for(&sandbox, "up");
    assert_eq!((&again["since"], &again["last_error"]), (&up["since"], &serde_json::Value::Null));
    sandbox.soong(["prompt"]).stdout("= dev\n").run();
    wait::until_true("the second ssh to end", || sandbox.clients().len() == 1);
    assert_eq!(sandbox.clients()[0].pid, before);
    assert!(!logs(&sandbox).contains("link lost"));
}

/// The kernel on the way acknowledges whatever is sent, so that something seems to happen all the time. Some of what a
/// connection sends bit by bit is always under way.
#[test]
fn requests_that_keep_coming_do_not_hide_a_link_that_was_forgotten() {
    let (_instance, network, sandbox) = start(KEEPALIVE);
    let mut upload = upload(sandbox.config.local[0]);
    network.forget();
    let url = sandbox.url(1, "id");
    let request = || curl().args(["--max-time", "2", &url]).output().unwrap().stdout == b"n8n";
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            // It is reset when the first ssh ends.
            while !is_over.load(Ordering::Relaxed) && upload.write_all(b"-").is_ok() {
                thread::sleep(Duration::from_millis(10));
            }
        });
        let _over = Over(&is_over);
        let mut under_way: Vec<thread::ScopedJoinHandle<'_, bool>> = Vec::new();
        wait::until_true("an answer", || {
            under_way.push(scope.spawn(request));
            thread::sleep(Duration::from_millis(250));
            under_way.extract_if(.., |request| request.is_finished()).any(|request| request.join().unwrap())
        });
    });
    assert!(logs(&sandbox).contains("the second ssh takes over"));
}

/// Sets a flag when it is dropped, also by a panic.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Returns a connection to the service behind `port`, which reads what is sent on it.
fn upload(port: u16) -> TcpStream {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    stream.set_nodelay(true).unwrap();
    let head = "POST /digest HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 1000000\r\n\r\n";
    stream.write_all(head.as_bytes()).unwrap();
    stream.read_exact(&mut [0; 25]).unwrap();
    stream
}

/// A server that stops to answer on one connection, which recovers later.
#[test]
fn what_the_first_link_carries_outlives_the_doubt() {
    const TEST: &str = "faults::doubt::what_the_first_link_carries_outlives_the_doubt";
    const LENGTH: u64 = 30_000_000;
    let instance = || Instance::with(Options::default().line(&format!("ListenAddress {THERE}")));
    namespaces::across(TEST, instance, |instance| {
        let mut sandbox = Sandbox::with(instance);
        sandbox.configure(|config| {
            config.instance("dev", THERE, instance.sshd.port).set(["ssh", "keepalive"], KEEPALIVE);
        });
        sandbox.tunnel(["start"]).stdout_has("SSH tunnel started").run();
        let mut stream = TcpStream::connect(("127.0.0.1", sandbox.config.local[0])).unwrap();
        stream.write_all(format!("GET /bytes/{LENGTH} HTTP/1.1\r\n\r\n").as_bytes()).unwrap();
        stream.read_exact(&mut [0; 1000]).unwrap();
        let port = port_to(instance.sshd.port);
        let lose = |verb: &str| {
            namespaces::ip(&format!("rule {verb} ipproto tcp sport {port} blackhole"));
            namespaces::ip_at(
                instance.sshd.pid(),
                &format!("rule {verb} ipproto tcp dport {port} blackhole"),
            );
        };
        lose("add");
        // It may have been read by the first ssh already: then it waits with the stream.
        let first = Pending::to(&sandbox.url(1, "id"));
        wait::until_true("the second ssh", || logs(&sandbox).contains("the second ssh takes over"));
        assert_eq!(get(&sandbox.url(2, "id")), "status");
        assert_eq!(sandbox.clients().len(), 2, "the first ssh goes on");
        lose("del");
        let mut rest = vec![0; usize::try_from(LENGTH).unwrap() - 1000];
        stream.read_exact(&mut rest).unwrap();
        assert_eq!(first.answer(), "n8n");
        drop(stream);
        wait::until_true("the first ssh to end", || sandbox.clients().len() == 1);
        assert_eq!((instance.sshd.logins(), get(&sandbox.url(1, "id"))), (2, "n8n".into()));
        assert!(!logs(&sandbox).contains("link lost"));
    });
}

/// Returns the local port of the only connection to `remote`.
fn port_to(remote: u16) -> u16 {
    let output =
        Command::new(tool("ss")).args(["-tnH", "dst", &format!("{THERE}:{remote}")]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let local = text.split_whitespace().nth(3).unwrap();
    local.rsplit_once(':').unwrap().1.parse().unwrap()
}
