//! Connections that ssh is given instead of their bytes: that they are, and that nobody can tell.

use std::fs;
use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::thread;

use nix::sys::signal::Signal;

use crate::support::config::forward;
use crate::support::curl::get;
use crate::support::instance::Instance;
use crate::support::sandbox::Sandbox;
use crate::support::wait::DEADLINE;
use crate::support::{process, tools, wait};

/// What the log says of a link over which connections are given to ssh.
const GIVEN: &str = "connections are given to ssh\n";

/// Waits until there have been `count` links over which connections are given to ssh.
#[track_caller]
fn wait_for_links(sandbox: &Sandbox, count: usize) {
    let log = sandbox.home().join(".local/state/soong/logs/dev.log");
    wait::until_true("connections to be given to ssh", || {
        fs::read_to_string(&log).is_ok_and(|log| log.matches(GIVEN).count() >= count)
    });
}

/// An instance whose first service is `service`, and a tunnel to it whose connections are given to ssh.
fn serving(service: impl Fn(TcpStream) -> io::Result<()> + Copy + Send + 'static) -> (Sandbox, Instance) {
    let instance = Instance::start();
    // Not in the place of another service: a port that is free for a moment may be tried by another test.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    // Ends with the test's process; what a client that goes away does to it is not its concern.
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            thread::spawn(move || service(stream));
        }
    });
    let mut sandbox = Sandbox::with(&instance);
    sandbox.configure(|config| {
        let local = config.local[0];
        config.set(["services", "sglang"], forward(port, local));
    });
    sandbox.tunnel(["start"]).stdout_has("SSH tunnel started").run();
    wait_for_links(&sandbox, 1);
    (sandbox, instance)
}

fn connect(sandbox: &Sandbox) -> TcpStream {
    let stream = TcpStream::connect(("127.0.0.1", sandbox.config.local[0])).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    stream
}

/// Whether the ssh of the tunnel has the other end of `stream` among its files.
fn is_given(sandbox: &Sandbox, stream: &TcpStream) -> bool {
    let port = |address: SocketAddr| format!(":{:04X}", address.port());
    // Without a peer it is over.
    let Ok(here) = stream.peer_addr().map(port) else { return false };
    let there = port(stream.local_addr().unwrap());
    let table = fs::read_to_string("/proc/net/tcp").unwrap();
    let inode = table.lines().find_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        (fields[1].ends_with(&here) && fields[2].ends_with(&there)).then(|| format!("socket:[{}]", fields[9]))
    });
    let Some(inode) = inode else { return false };
    sandbox.clients().iter().any(|client| {
        let files = fs::read_dir(format!("/proc/{}/fd", client.pid)).into_iter().flatten().flatten();
        files.filter_map(|file| fs::read_link(file.path()).ok()).any(|file| file.to_string_lossy() == inode)
    })
}

fn read_all(stream: &mut TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    bytes
}

/// Repeats what it was told, when it has been told all.
fn echo(mut stream: TcpStream) -> io::Result<()> {
    let mut told = Vec::new();
    stream.read_to_end(&mut told)?;
    stream.write_all(&told)
}

/// Answers a request of nine bytes, and says no more.
fn answer(mut stream: TcpStream) -> io::Result<()> {
    let mut request = [0; 9];
    stream.read_exact(&mut request)?;
    stream.write_all(b"answer to ")?;
    stream.write_all(&request)
}

#[test]
fn the_client_may_end_first() {
    let (sandbox, _instance) = serving(echo);
    let pattern = (0..3_000_000u32).map(|n| n.to_le_bytes()[0]);
    let sent: Vec<u8> = b"PUT ".iter().copied().chain(pattern).collect();
    let mut client = connect(&sandbox);
    client.write_all(&sent[..10]).unwrap();
    wait::until_true("ssh to have the connection", || is_given(&sandbox, &client));
    client.write_all(&sent[10..]).unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    assert!(read_all(&mut client) == sent);
    wait::until_true("ssh to let go of it", || !is_given(&sandbox, &client));
}

/// Of this ssh tells nobody but by the lines that it is made to write.
#[test]
fn the_service_may_end_first() {
    let (sandbox, _instance) = serving(answer);
    for _ in 0..20 {
        let mut client = connect(&sandbox);
        client.write_all(b"GET hello").unwrap();
        assert_eq!(read_all(&mut client), b"answer to GET hello");
    }
}

/// Numbers of channels are given away again as soon as they are free.
#[test]
fn the_ends_of_many_connections_are_told_to_the_right_ones() {
    let (sandbox, _instance) = serving(answer);
    thread::scope(|scope| {
        for name in *b"abcdefgh" {
            let sandbox = &sandbox;
            scope.spawn(move || {
                for number in 0..100 {
                    let request = format!("GET {}{number:04}", char::from(name));
                    let mut client = connect(sandbox);
                    if number % 3 == 0 {
                        // Longer than the others, so that the numbers do not come back in turn.
                        thread::yield_now();
                    }
                    client.write_all(request.as_bytes()).unwrap();
                    assert_eq!(read_all(&mut client), format!("answer to {request}").as_bytes());
                }
            });
        }
    });
}

#[test]
fn a_refused_connection_ends() {
    let mut instance = Instance::start();
    instance.services[0].stop();
    let sandbox = Sandbox::with(&instance);
    sandbox.start(&instance);
    wait_for_links(&sandbox, 1);
    let mut client = connect(&sandbox);
    client.write_all(b"GET hello").unwrap();
    assert_eq!(read_all(&mut client), b"");
}

/// Its supervisor has no part in it.
#[test]
fn a_connection_goes_on_while_the_supervisor_does_not() {
    let (sandbox, _instance) = serving(echo);
    let mut client = connect(&sandbox);
    client.write_all(b"GET ").unwrap();
    wait::until_true("ssh to have the connection", || is_given(&sandbox, &client));
    let supervisor = sandbox.supervisors()[0].pid;
    process::signal(supervisor, Signal::SIGSTOP);
    client.write_all(b"hello").unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    let mut answer = [0; 9];
    client.read_exact(&mut answer).unwrap();
    process::signal(supervisor, Signal::SIGCONT);
    assert_eq!(&answer, b"GET hello");
    assert_eq!(read_all(&mut client), b"");
}

#[test]
fn a_request_that_an_ssh_had_not_begun_to_carry_goes_over_the_next_link() {
    let (sandbox, _instance) = serving(answer);
    for links in 1..4 {
        wait_for_links(&sandbox, links);
        let ssh = sandbox.clients()[0].pid;
        process::signal(ssh, Signal::SIGSTOP);
        let mut client = connect(&sandbox);
        client.write_all(b"GET hello").unwrap();
        process::signal(ssh, Signal::SIGKILL);
        assert_eq!(read_all(&mut client), b"answer to GET hello");
    }
}

/// What does not speak HTTP may have another idea of an end: it is carried as `ssh -L` does it, each direction by
/// itself, whichever ends first.
#[test]
fn a_connection_that_does_not_speak_http_is_copied() {
    let (sandbox, _instance) = serving(|mut stream| {
        stream.write_all(b"first")?;
        stream.shutdown(Shutdown::Write)?;
        let mut told = Vec::new();
        stream.read_to_end(&mut told)?;
        // Says over another connection what it was told after its own end.
        let mut witness = TcpStream::connect(String::from_utf8_lossy(&told).trim())?;
        witness.write_all(b"told")
    });
    let witness = TcpListener::bind("127.0.0.1:0").unwrap();
    for waits in [true, false] {
        let mut client = connect(&sandbox);
        let address = witness.local_addr().unwrap().to_string();
        let (beginning, rest) = address.split_at(if waits { 0 } else { 3 });
        client.write_all(beginning.as_bytes()).unwrap();
        assert_eq!(read_all(&mut client), b"first");
        assert!(!is_given(&sandbox, &client));
        client.write_all(rest.as_bytes()).unwrap();
        client.shutdown(Shutdown::Write).unwrap();
        assert_eq!(read_all(&mut witness.accept().unwrap().0), b"told");
    }
}

/// Whether a service has got the request is not known, so it is not made again.
#[test]
fn a_connection_that_was_used_ends_with_its_link() {
    let (sandbox, _instance) = serving(|mut stream| {
        stream.write_all(b"half an ")?;
        stream.read_to_end(&mut Vec::new()).map(drop)
    });
    let mut client = connect(&sandbox);
    client.write_all(b"GET hello").unwrap();
    client.read_exact(&mut [0; 8]).unwrap();
    process::signal(sandbox.clients()[0].pid, Signal::SIGKILL);
    assert_eq!(read_all(&mut client), b"");
}

/// A script in front of ssh may lead to one that does not know what soong would ask of it.
#[test]
fn an_ssh_that_may_not_tell_is_given_bytes() {
    let instance = Instance::start();
    let sandbox = Sandbox::with(&instance);
    let ssh = sandbox.path("bin/ssh");
    sandbox.write(&ssh, format!("#!/bin/sh\nexec {} \"$@\"\n", tools::tool("ssh").display()));
    fs::set_permissions(&ssh, fs::Permissions::from_mode(0o755)).unwrap();
    sandbox.soong_with_bin(["tunnel", "start"]).stdout(sandbox.started(&instance)).run();
    let client = sandbox.clients()[0].command.clone();
    assert!(!client.contains("LogVerbose"), "{client}");
    assert_eq!(get(&sandbox.url(0, "id")), "sglang");
}

/// What a user has asked of ssh, it does; the connections go as they can.
#[test]
fn an_ssh_that_was_told_to_tell_something_else_is_given_bytes() {
    let instance = Instance::start();
    let mut sandbox = Sandbox::with(&instance);
    sandbox.configure(|config| {
        config.set(["ssh", "options"], "-F none -o LogVerbose=nothing.c:*");
    });
    sandbox.start(&instance);
    let log = sandbox.home().join(".local/state/soong/logs/dev.log");
    wait::until_true("ssh to be found mute", || {
        fs::read_to_string(&log).is_ok_and(|log| log.contains("connections are copied to ssh"))
    });
    assert_eq!(get(&sandbox.url(0, "id")), "sglang");
    let client = connect(&sandbox);
    assert!(!is_given(&sandbox, &client));
}
