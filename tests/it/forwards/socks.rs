//! The SOCKS proxy, with a real client and with bytes that no client sends.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpStream};

use crate::support::curl::{curl, output};
use crate::support::instance::Instance;
use crate::support::ports;
use crate::support::sandbox::Sandbox;
use crate::support::service::{Pattern, digest};

fn start(instance: &Instance) -> (Sandbox, u16) {
    let sandbox = Sandbox::with(instance);
    let port = ports::free();
    sandbox.tunnel(["start", "--socks", &port.to_string()]).stdout_has("").run();
    (sandbox, port)
}

/// Returns the proxy's answer to `bytes`, up to its end.
fn answer(port: u16, bytes: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.write_all(bytes).unwrap();
    // A proxy that closes on what it does not want to read may do so with a reset, and before this.
    let _ = stream.shutdown(Shutdown::Write);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    answer
}

#[test]
fn every_version_reaches_a_name_and_an_address() {
    let instance = Instance::start();
    let (_sandbox, port) = start(&instance);
    let proxy = format!("localhost:{port}");
    let service = instance.services[0].port;
    for (option, host) in [
        ("--socks5-hostname", "localhost"),
        ("--socks5", "127.0.0.1"),
        ("--socks4a", "localhost"),
        ("--socks4", "127.0.0.1"),
    ] {
        let url = format!("http://{host}:{service}/id");
        assert_eq!(output(curl().args([option, &proxy, &url])), "sglang", "{option}");
    }
}

#[test]
fn a_large_answer_is_byte_exact_and_ends() {
    const LENGTH: u64 = (8 << 20) + 5;
    let instance = Instance::start();
    let (sandbox, port) = start(&instance);
    let file = sandbox.path("tmp/download");
    let url = format!("http://localhost:{}/bytes/{LENGTH}", instance.services[1].port);
    output(curl().arg("--output").arg(&file).args(["--socks5-hostname", &format!("localhost:{port}"), &url]));
    let got = digest(&mut std::fs::File::open(&file).unwrap()).unwrap();
    assert_eq!(got, digest(&mut Pattern::new(LENGTH)).unwrap());
    // Half-closed by the client before the answer: it comes nevertheless.
    let [high, low] = instance.services[0].port.to_be_bytes();
    let request = b"GET /id HTTP/1.1\r\n\r\n";
    let bytes = [&[5, 1, 0, 5, 1, 0, 1, 127, 0, 0, 1, high, low], request.as_slice()].concat();
    let answer = answer(port, &bytes);
    assert!(answer.ends_with(b"\r\n\r\nsglang"), "{}", answer.escape_ascii());
}

#[test]
fn a_target_that_refuses_is_told_as_refused() {
    let instance = Instance::start();
    let (_sandbox, port) = start(&instance);
    let [high, low] = ports::free().to_be_bytes();
    let five = answer(port, &[5, 1, 0, 5, 1, 0, 1, 127, 0, 0, 1, high, low]);
    assert_eq!(five, [5, 0, 5, 5, 0, 1, 0, 0, 0, 0, 0, 0]);
    let four = answer(port, &[4, 1, high, low, 127, 0, 0, 1, 0]);
    assert_eq!(four, [0, 91, 0, 0, 0, 0, 0, 0]);
    let url = format!("http://localhost:{}/", u16::from_be_bytes([high, low]));
    let failed = curl().args(["--socks5-hostname", &format!("localhost:{port}"), &url]).output().unwrap();
    // Which code stands for a refusal depends on the version of curl.
    assert!(matches!(failed.status.code(), Some(7 | 97)), "{}", String::from_utf8_lossy(&failed.stderr));
}

#[test]
fn what_is_no_wish_is_refused_and_hurts_nobody() {
    let instance = Instance::start();
    let (sandbox, port) = start(&instance);
    let five = |request: &[u8]| answer(port, &[&[5, 1, 0], request].concat());
    let code = |answer: &[u8]| answer.get(3).copied();
    assert_eq!(code(&five(&[5, 2, 0, 1, 127, 0, 0, 1, 0, 80])), Some(7), "BIND");
    assert_eq!(code(&five(&[5, 1, 0, 9, 1, 2])), Some(8), "an unknown kind of address");
    assert_eq!(code(&five(&[5, 1, 0, 1, 127, 0, 0, 1, 0, 0])), Some(1), "port 0");
    for host in ["", "-oProxyCommand=x", "a b", "a\nb", "$(id)"] {
        let length = u8::try_from(host.len()).unwrap();
        let request = [&[5, 1, 0, 3, length], host.as_bytes(), &[0, 80]].concat();
        assert_eq!(code(&five(&request)), Some(1), "{host:?}");
    }
    assert_eq!(answer(port, &[5, 1, 2]), [5, 255], "only with a password");
    for bytes in [&b""[..], b"GET / HTTP/1.1\r\n\r\n", &[5, 0], &[4, 1, 0], &[5, 255, 0], &[4; 2000]] {
        assert!(answer(port, bytes).len() <= 2, "{}", bytes.escape_ascii());
    }
    let url = format!("http://localhost:{}/id", instance.services[0].port);
    assert_eq!(output(curl().args(["--socks4a", &format!("localhost:{port}"), &url])), "sglang");
    sandbox.tunnel(["stop"]).stdout_has("Stopped").run();
    sandbox.assert_idle();
}

#[test]
fn many_at_once_and_after_one_another_leave_nothing_open() {
    const AT_ONCE: usize = 60;
    let instance = Instance::start();
    let (sandbox, port) = start(&instance);
    let url = format!("http://localhost:{}/meet/{AT_ONCE}", instance.services[0].port);
    let mut command = curl();
    command.args(["--parallel", "--parallel-immediate", "--parallel-max", &AT_ONCE.to_string()]);
    command.args(["--socks5-hostname", &format!("localhost:{port}")]);
    for number in 0..AT_ONCE {
        command.arg("--output").arg(sandbox.path(&format!("tmp/{number}"))).arg(&url);
    }
    let files = |pid: i32| std::fs::read_dir(format!("/proc/{pid}/fd")).map_or(0, Iterator::count);
    let pids = [sandbox.supervisors()[0].pid, sandbox.clients()[0].pid];
    let before = pids.map(files);
    output(&mut command);
    for number in 0..AT_ONCE {
        assert_eq!(std::fs::read_to_string(sandbox.path(&format!("tmp/{number}"))).unwrap(), "met");
    }
    crate::support::wait::until_true("all to be closed", || {
        pids.map(files).iter().zip(before).all(|(now, before)| *now <= before + 2)
    });
}
