//! The rows: what a client does, and what the server does meanwhile. Where a protocol is named, its peers say what
//! real ones do, byte for byte.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::os::fd::AsFd as _;
use std::thread;
use std::time::Duration;

use nix::sys::socket::{setsockopt, sockopt};

use super::scripts::{POSTGRES, REDIS, Side, play};
use super::{End, Seen, read_to_end};

/// A client and a server.
pub struct Row {
    pub name: &'static str,
    /// `None` for a port without a listener.
    pub server: Option<fn(&TcpStream) -> Seen>,
    pub client: fn(&TcpStream) -> Seen,
    /// The ends that a client may see instead of that with `ssh -L`, behind at least the same bytes.
    pub accepted: &'static [End],
}

const fn row(name: &'static str, server: fn(&TcpStream) -> Seen, client: fn(&TcpStream) -> Seen) -> Row {
    Row { name, server: Some(server), client, accepted: &[] }
}

const LARGE: usize = 3_000_000;
/// More than all buffers on the way hold.
const MUCH: usize = 64 << 20;

pub const ROWS: &[Row] = &[
    row("HTTP/1.0", |s| answer(s, b"HTTP/1.0 200 OK\r\n\r\nhello"), |s| ask(s, b"GET / HTTP/1.0\r\n\r\n")),
    row(
        "keep-alive, two requests",
        |s| dialogue(s, 2),
        |s| {
            let mut bytes = exchange(s, b"GET /1 HTTP/1.1\r\n\r\n");
            bytes.extend(exchange(s, b"GET /2 HTTP/1.1\r\n\r\n"));
            (bytes, End::Clean)
        },
    ),
    row("pipelined", |s| dialogue(s, 3), |s| ask_and_end(s, &b"GET / HTTP/1.1\r\n\r\n".repeat(3))),
    row(
        "chunked upload",
        |s| until_end(s, b"HTTP/1.1 200 OK\r\n\r\n"),
        |s| ask_and_end(s, b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"),
    ),
    row(
        "Expect: 100-continue",
        |s| {
            let mut seen = exact(s, 4);
            send(s, b"HTTP/1.1 100 Continue\r\n\r\n");
            seen.extend(exact(s, 4));
            send(s, b"done");
            (seen, End::Clean)
        },
        |s| {
            send(s, b"head");
            let mut seen = exact(s, 25);
            send(s, b"body");
            seen.extend(read_to_end(s).0);
            (seen, End::Clean)
        },
    ),
    row(
        "the client half-closes",
        |s| until_end(s, &vec![b'x'; LARGE]),
        |s| ask_and_end(s, &vec![b'y'; LARGE]),
    ),
    row(
        "the server half-closes and reads on",
        |s| {
            send(s, b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
            s.shutdown(Shutdown::Write).unwrap();
            read_to_end(s)
        },
        |s| {
            let seen = read_to_end(s);
            send(s, &vec![b'z'; LARGE]);
            seen
        },
    ),
    row(
        "the server resets",
        |s| {
            let seen = exact(s, 3);
            reset(s);
            (seen, End::Clean)
        },
        |s| {
            send(s, b"abc");
            read_to_end(s)
        },
    ),
    row(
        "the client resets",
        |s| (read_to_end(s).0, End::Clean),
        |s| {
            send(s, b"abc");
            // The server has it.
            thread::sleep(Duration::from_millis(100));
            reset(s);
            (Vec::new(), End::Reset)
        },
    ),
    row(
        "slow reader",
        |s| answer(s, &vec![b's'; LARGE]),
        |mut s| {
            send(s, b"GET / HTTP/1.0\r\n\r\n");
            let (mut bytes, mut piece) = (Vec::new(), vec![0; 100_000]);
            for _ in 0..10 {
                thread::sleep(Duration::from_millis(5));
                let length = s.read(&mut piece).unwrap();
                bytes.extend_from_slice(&piece[..length]);
            }
            bytes.extend(read_to_end(s).0);
            (bytes, End::Clean)
        },
    ),
    row(
        "one byte at a time",
        |s| until_end(s, b"got it"),
        |s| {
            for byte in b"one byte at a time" {
                send(s, &[*byte]);
            }
            s.shutdown(Shutdown::Write).unwrap();
            read_to_end(s)
        },
    ),
    row(
        "mute client",
        |s| {
            send(s, b"SSH-2.0-x\r\n");
            (Vec::new(), End::Clean)
        },
        read_to_end,
    ),
    row("redis, with a subscription", |s| play(s, REDIS, Side::Server), |s| play(s, REDIS, Side::Client)),
    row(
        "postgres, to the end of a query",
        |s| play(s, POSTGRES, Side::Server),
        |s| play(s, POSTGRES, Side::Client),
    ),
    row(
        "TLS, first flight and alert",
        |s| dialogue_of(s, b"\x16\x03\x01\0\x01\x01", b"\x15\x03\x03\0\x02\x02\x28", 1),
        |s| ask_and_end(s, b"\x16\x03\x01\0\x01\x01"),
    ),
    row(
        "h2c preface and settings",
        |s| dialogue_of(s, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"\0\0\0\x04\0\0\0\0\0", 1),
        |s| ask_and_end(s, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    ),
    row(
        "WebSocket, both directions",
        |s| dialogue_of(s, b"\x81\x02hi", b"\x81\x02yo", 20),
        |s| {
            let mut bytes = Vec::new();
            for _ in 0..20 {
                send(s, b"\x81\x02hi");
                bytes.extend(exact(s, 4));
            }
            (bytes, End::Clean)
        },
    ),
    row(
        "server-sent events with pauses",
        |s| {
            let seen = exact(s, 6);
            for _ in 0..5 {
                send(s, b"data: x\n\n");
                thread::sleep(Duration::from_millis(20));
            }
            (seen, End::Clean)
        },
        |s| ask(s, b"GET /\n"),
    ),
    Row {
        name: "early answer to a large upload",
        server: Some(|s| {
            let seen = exact(s, 3);
            send(s, b"HTTP/1.1 413 Too Large\r\n\r\n");
            (seen, End::Clean)
        }),
        client: |mut s| {
            for _ in 0..200 {
                if s.write_all(&vec![b'u'; 16 << 10]).is_err() {
                    break;
                }
            }
            read_to_end(s)
        },
        accepted: &[End::Clean],
    },
    Row { name: "no listener, mute client", server: None, client: read_to_end, accepted: &[] },
    Row {
        name: "no listener, a request",
        server: None,
        client: |s| ask(s, b"GET / HTTP/1.0\r\n\r\n"),
        // A request that comes before the server's refusal is lost, which is a reset; behind it, the end is clean.
        // Either may come first, in both ways.
        accepted: &[End::Clean, End::Reset],
    },
    Row {
        name: "no listener, a large upload",
        server: None,
        client: |s| (Vec::new(), upload(s, MUCH)),
        accepted: &[],
    },
];

/// Connections that a cut link must not end as if they were complete; the client stops in the middle.
pub const CUT: &[Row] = &[
    row(
        "a body without a length",
        |s| half(s, b"HTTP/1.0 200 OK\r\n\r\nhalf an ans"),
        |s| {
            send(s, b"GET");
            (exact(s, 5), End::Clean)
        },
    ),
    row(
        "server-sent events",
        |s| half(s, b"data: x\n\n"),
        |s| {
            send(s, b"GET");
            (exact(s, 9), End::Clean)
        },
    ),
    row(
        "a client that has half-closed",
        |s| half(s, b"half"),
        |s| {
            send(s, b"GET");
            s.shutdown(Shutdown::Write).unwrap();
            (exact(s, 4), End::Clean)
        },
    ),
];

pub fn send(mut stream: &TcpStream, bytes: &[u8]) {
    stream.write_all(bytes).unwrap();
}

pub fn exact(mut stream: &TcpStream, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    stream.read_exact(&mut bytes).unwrap();
    bytes
}

/// Reads a request, answers and closes.
fn answer(stream: &TcpStream, bytes: &[u8]) -> Seen {
    let seen = exact(stream, 18);
    send(stream, bytes);
    (seen, End::Clean)
}

/// Sends `length` bytes; returns how that ended.
fn upload(mut stream: &TcpStream, length: usize) -> End {
    let piece = vec![b'u'; 64 << 10];
    let is_taken = (0..length / piece.len()).all(|_| stream.write_all(&piece).is_ok());
    if is_taken { End::Clean } else { End::Reset }
}

/// Reads all that the client sends, answers and closes.
fn until_end(stream: &TcpStream, bytes: &[u8]) -> Seen {
    let seen = read_to_end(stream);
    send(stream, bytes);
    seen
}

/// Answers `count` requests.
fn dialogue(stream: &TcpStream, count: usize) -> Seen {
    let mut seen = Vec::new();
    for _ in 0..count {
        while !seen.ends_with(b"\r\n\r\n") || seen.is_empty() {
            seen.extend(exact(stream, 1));
        }
        send(stream, b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        seen.push(b'|');
    }
    (seen, End::Clean)
}

/// Answers `count` of one request.
fn dialogue_of(stream: &TcpStream, request: &[u8], reply: &[u8], count: usize) -> Seen {
    let mut seen = Vec::new();
    for _ in 0..count {
        seen.extend(exact(stream, request.len()));
        send(stream, reply);
    }
    (seen, End::Clean)
}

/// Says something and waits for the end.
fn half(stream: &TcpStream, bytes: &[u8]) -> Seen {
    send(stream, bytes);
    let mut rest: &TcpStream = stream;
    // However it ends: the link is cut.
    let _ = std::io::copy(&mut rest, &mut std::io::sink());
    thread::park_timeout(super::DEADLINE);
    (Vec::new(), End::Clean)
}

/// Sends a request and reads the answer.
fn exchange(stream: &TcpStream, request: &[u8]) -> Vec<u8> {
    send(stream, request);
    exact(stream, 40)
}

fn ask(stream: &TcpStream, request: &[u8]) -> Seen {
    send(stream, request);
    read_to_end(stream)
}

fn ask_and_end(stream: &TcpStream, request: &[u8]) -> Seen {
    send(stream, request);
    stream.shutdown(Shutdown::Write).unwrap();
    read_to_end(stream)
}

/// Makes the end of the connection, which is closed next, a reset.
fn reset(stream: &TcpStream) {
    let at_once = libc::linger { l_onoff: 1, l_linger: 0 };
    setsockopt(&stream.as_fd(), sockopt::Linger, &at_once).unwrap();
}
