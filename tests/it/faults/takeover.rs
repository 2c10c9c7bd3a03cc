//! A second ssh has taken over, and the former one still carries connections: each of the two can fail, and the tunnel
//! can end.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::time::Duration;

use nix::sys::signal::Signal;

use super::link::Pending;
use super::{behind, logs, told, wait_for};
use crate::support::config::forward;
use crate::support::curl::{curl, get, output};
use crate::support::instance::Instance;
use crate::support::network::Network;
use crate::support::sandbox::Sandbox;
use crate::support::service::Pattern;
use crate::support::wait::DEADLINE;
use crate::support::{download, ports, process, wait};

/// More than all buffers on the way hold.
const LENGTH: u64 = 30_000_000;

/// Returns a tunnel that is up, with this `keepalive`.
pub fn start(keepalive: i64) -> (Instance, Network, Sandbox) {
    let instance = Instance::start();
    let network = Network::to(instance.sshd.port);
    let mut sandbox = behind(&network, &instance);
    sandbox.configure(|config| {
        config.set(["ssh", "keepalive"], keepalive);
    });
    sandbox.start(&instance);
    (instance, network, sandbox)
}

fn connect(sandbox: &Sandbox, index: usize) -> TcpStream {
    let stream = TcpStream::connect(("127.0.0.1", sandbox.config.local[index])).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    stream
}

/// Returns a connection that has received the beginning of `length` bytes.
pub fn download(sandbox: &Sandbox, length: u64) -> TcpStream {
    download::begin(sandbox.config.local[0], length)
}

/// Silences the present ssh until another one has taken over. Returns the PID of the former one.
fn take_over(network: &Network, sandbox: &Sandbox) -> i32 {
    let former = sshs(sandbox)[0];
    network.hold();
    // The former ssh may have read it: then its answer waits, too.
    let waiting = Pending::to(&sandbox.url(1, "id"));
    wait::until_true("the second ssh to come up", || {
        let logs = logs(sandbox);
        assert!(!logs.contains("the second ssh ends"), "{logs}");
        logs.contains("the second ssh takes over")
    });
    network.release();
    assert_eq!(waiting.answer(), "n8n");
    assert!(process::is_alive(former), "the former ssh has ended with its connections");
    former
}

/// Returns the sshs of the tunnel, without those of sessions.
fn sshs(sandbox: &Sandbox) -> Vec<i32> {
    let supervisor = sandbox.supervisors()[0].pid;
    sandbox.clients().iter().filter(|client| client.parent == supervisor).map(|client| client.pid).collect()
}

fn present(sandbox: &Sandbox, former: i32) -> i32 {
    sshs(sandbox).into_iter().find(|pid| *pid != former).unwrap()
}

/// Asserts that the peer ends `stream` without a reset once this end has.
#[track_caller]
fn assert_clean_end(mut stream: TcpStream) {
    stream.shutdown(Shutdown::Write).unwrap();
    let mut rest = Vec::new();
    let end = stream.read_to_end(&mut rest).map_err(|error| error.kind());
    assert_eq!(end, Ok(0));
}

#[test]
fn what_the_former_ssh_carries_outlives_the_present_one() {
    let (instance, network, sandbox) = start(60);
    let (mut stream, [mut one, mut two]) = (download(&sandbox, LENGTH), [1, 2].map(|_| connect(&sandbox, 2)));
    for idle in [&mut one, &mut two] {
        idle.write_all(b"GET /id HTTP/1.1\r\n\r\n").unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"status") {
            let mut byte = [0];
            idle.read_exact(&mut byte).unwrap();
            answer.extend(byte);
        }
    }
    let former = take_over(&network, &sandbox);
    network.close();
    process::signal(present(&sandbox, former), Signal::SIGKILL);
    // A command may ask only when a later attempt has failed for another reason.
    wait::until_true("the loss", || logs(&sandbox).contains("link lost: ssh was killed by signal 9"));
    let mut expected = Pattern::new(LENGTH);
    let mut read = |stream: &mut TcpStream, length: usize| {
        let (mut got, mut wanted) = (vec![0; length], vec![0; length]);
        stream.read_exact(&mut got).unwrap();
        expected.read_exact(&mut wanted).unwrap();
        assert!(got == wanted);
    };
    read(&mut stream, 10_000_000);
    assert_clean_end(one);
    assert_eq!(told(&sandbox)["state"], "reconnecting");
    let waiting = Pending::to(&sandbox.url(1, "id"));
    network.open();
    assert_eq!(waiting.answer(), "n8n");
    wait_for(&sandbox, "up");
    // The link that is up now is another one than that of these connections.
    assert_clean_end(two);
    read(&mut stream, 20_000_000);
    assert_clean_end(stream);
    wait::until_true("the former ssh to end", || !process::is_alive(former));
    assert_eq!(instance.sshd.logins(), 3);
    sandbox.tunnel(["status", "--check"]).stdout_has("sglang: answering").run();
    sandbox.soong(["ssh", "--", "echo", "over"]).stdout("over\n").run();
    assert_eq!((instance.sshd.logins(), sandbox.clients().len()), (3, 1));
}

fn accept(service: &TcpListener) -> TcpStream {
    service.set_nonblocking(true).unwrap();
    let stream = wait::until("a connection to the service", || service.accept().ok()).0;
    stream.set_nonblocking(false).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    stream
}

/// The first ssh stays for a stream and for a connection whose client has closed it, which the server has not confirmed.
/// A request that it has not read moves to the second ssh at once, and reaches the service only once.
#[test]
fn a_request_that_the_former_ssh_has_not_read_does_not_wait_for_its_end() {
    let instance = Instance::start();
    let network = Network::to(instance.sshd.port);
    let mut sandbox = behind(&network, &instance);
    let (service, local) = (TcpListener::bind("127.0.0.1:0").unwrap(), ports::free());
    sandbox.configure(|config| {
        config.set(["ssh", "keepalive"], 60);
        config.set(["services", "counted"], forward(service.local_addr().unwrap().port(), local));
    });
    sandbox.tunnel(["start"]).stdout_has("SSH tunnel started").run();
    let (mut stream, closed) = (download(&sandbox, LENGTH), download(&sandbox, 0));
    let former = sshs(&sandbox)[0];
    network.hold();
    drop(closed);
    let mut waiting = TcpStream::connect(("127.0.0.1", local)).unwrap();
    waiting.set_read_timeout(Some(DEADLINE)).unwrap();
    waiting.write_all(b"request").unwrap();
    let mut request = [0; 7];
    let mut served = accept(&service);
    served.read_exact(&mut request).unwrap();
    assert_eq!(&request, b"request");
    served.write_all(b"answer").unwrap();
    waiting.read_exact(&mut [0; 6]).unwrap();
    assert!(logs(&sandbox).contains("the second ssh takes over"));
    assert!(process::is_alive(former), "the former ssh has ended with its connections");
    network.release();
    // Only now the server gets to know that the first ssh wanted to connect.
    let mut late = accept(&service);
    assert_eq!(late.read(&mut request).unwrap(), 0, "the request is sent twice");
    download::finish(&mut stream, LENGTH);
    drop(stream);
    wait::until_true("the former ssh to end", || !process::is_alive(former));
    waiting.write_all(b"more").unwrap();
    served.read_exact(&mut request[..4]).unwrap();
}

#[test]
fn a_connection_that_the_former_ssh_has_not_made_for_the_proxy_does_not_wait_for_its_end() {
    let (instance, network, sandbox) = start(60);
    let proxy = ports::free();
    sandbox.tunnel(["forward", "--socks", &proxy.to_string()]).stdout_has("").run();
    let mut stream = download(&sandbox, LENGTH);
    let former = sshs(&sandbox)[0];
    network.hold();
    let (proxy, service) = (format!("localhost:{proxy}"), instance.services[1].port);
    let url = format!("http://localhost:{service}/id");
    assert_eq!(output(curl().args(["--socks5-hostname", &proxy, &url])), "n8n");
    assert!(process::is_alive(former), "the former ssh has ended with its connections");
    network.release();
    download::finish(&mut stream, LENGTH);
}

/// The former ssh dies: what it carried is reset, and the present one goes on.
#[test]
fn what_the_former_ssh_carries_is_reset_when_it_dies() {
    let (_instance, network, sandbox) = start(60);
    let mut stream = download(&sandbox, LENGTH);
    let former = take_over(&network, &sandbox);
    let mut other = download(&sandbox, LENGTH);
    process::signal(former, Signal::SIGKILL);
    let error = stream.read_to_end(&mut Vec::new()).expect_err("the connection ends as if it were complete");
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
    other.read_exact(&mut vec![0; usize::try_from(LENGTH).unwrap()]).unwrap();
    assert_clean_end(other);
    assert_eq!(told(&sandbox)["state"], "up");
    assert!(!logs(&sandbox).contains("link lost"));
}

#[test]
fn a_tunnel_with_two_sshs_ends_with_both() {
    for signal in [Signal::SIGTERM, Signal::SIGKILL] {
        let (_instance, network, sandbox) = start(60);
        let _stream = download(&sandbox, LENGTH);
        let former = take_over(&network, &sandbox);
        network.close();
        if signal == Signal::SIGTERM {
            // Not even where the tunnel waits for another link.
            process::signal(present(&sandbox, former), Signal::SIGKILL);
            wait_for(&sandbox, "reconnecting");
        }
        process::signal(sandbox.supervisors()[0].pid, signal);
        wait::until_true("all to end", || sandbox.processes().is_empty());
        // Removes what a killed supervisor leaves.
        sandbox.tunnel(["stop"]).unchecked();
        sandbox.assert_idle();
    }
}

#[test]
fn a_tunnel_that_is_stopped_while_a_second_ssh_starts_leaves_none() {
    for signal in [None, Some(Signal::SIGTERM)] {
        let (_instance, network, sandbox) = start(60);
        network.fall_silent();
        let _waiting = Pending::to(&sandbox.url(1, "id"));
        wait::until_true("the second ssh", || sandbox.clients().len() == 2);
        match signal {
            Some(signal) => process::signal(sandbox.supervisors()[0].pid, signal),
            None => drop(sandbox.tunnel(["stop"]).stdout_has("Stopped").run()),
        }
        wait::until_true("all to end", || sandbox.processes().is_empty());
        sandbox.assert_idle();
    }
}

/// A session depends on the ssh over which it began. The next one uses the present ssh.
#[test]
fn a_session_outlives_the_takeover() {
    let (instance, network, sandbox) = start(60);
    let file = sandbox.path("tmp/end");
    let script = format!("echo begun; until [ -e {} ]; do sleep 0.1; done; echo ended", file.display());
    let mut session = sandbox.soong(["ssh", "--", &script]).stdout("begun\nended\n").spawn();
    session.wait_for_stdout("begun\n");
    let former = take_over(&network, &sandbox);
    sandbox.soong(["ssh", "--", "echo", "next"]).stdout("next\n").run();
    assert_eq!(instance.sshd.logins(), 2);
    assert!(process::is_alive(former));
    sandbox.write(&file, "");
    session.finish();
    wait::until_true("the former ssh to end", || !process::is_alive(former));
    assert!(!logs(&sandbox).contains("link lost"));
}

#[test]
fn a_session_over_a_link_that_is_dead_ends_with_it() {
    let (_instance, network, sandbox) = start(1);
    let mut session = sandbox.soong(["ssh", "--", "echo begun; cat; sleep 1000"]).code(255).spawn();
    session.wait_for_stdout("begun\n");
    network.forget();
    assert_eq!(get(&sandbox.url(1, "id")), "n8n");
    sandbox.soong(["ssh", "--", "echo", "next"]).stdout("next\n").run();
    let ended = session.unchecked();
    assert_eq!((ended.code, ended.stdout.as_str()), (255, "begun\n"), "{}", ended.stderr);
}

#[test]
fn an_ssh_that_is_replaced_leaves_no_open_file() {
    let (_instance, network, sandbox) = start(60);
    let supervisor = sandbox.supervisors()[0].pid;
    let open_files = || std::fs::read_dir(format!("/proc/{supervisor}/fd")).unwrap().count();
    let first = open_files();
    network.forget();
    for _ in 0..3 {
        assert_eq!(get(&sandbox.url(1, "id")), "n8n");
        wait::until_true("the former ssh to end", || sshs(&sandbox).len() == 1);
        let before = network.connections();
        process::signal(sshs(&sandbox)[0], Signal::SIGKILL);
        wait::until_true("another ssh", || network.connections() > before);
        wait_for(&sandbox, "up");
    }
    wait::until_true("the files to be closed", || open_files() <= first);
}

/// Firewalls count all connections: of a start, of second sshs and of knocks, whether they succeed or not.
#[test]
fn a_link_that_falls_silent_again_and_again_makes_few_connections() {
    const MAX: usize = 5;
    let (_instance, network, sandbox) = start(1);
    while network.times().len() <= MAX {
        network.forget();
        assert_eq!(get(&sandbox.url(1, "id")), "n8n");
    }
    for times in network.times().windows(MAX + 1) {
        assert!(times[MAX] - times[0] >= Duration::from_secs(30), "{times:?}");
    }
}
