//! Clients that want to harm.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::support::{Machine, TOKEN, parse};

#[test]
fn what_is_too_large_is_refused() {
    let daemon = Machine::new("").start();
    let huge = format!("GET /health HTTP/1.1\r\nHost: x\r\nX: {}\r\n\r\n", "a".repeat(1 << 20));
    let answer = daemon.exchange(huge.as_bytes());
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 431"), "{answer}");
    let many = format!("GET /health HTTP/1.1\r\n{}\r\n", "A: b\r\n".repeat(500));
    let answer = daemon.exchange(many.as_bytes());
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 431"), "{answer}");
    let answer = daemon.post("/extend", &format!("hours=1&x={}", "a".repeat(100_000)));
    assert_ne!(answer.status, 200, "{answer:?}");
    let target = format!("GET /{} HTTP/1.1\r\nHost: x\r\n\r\n", "a".repeat(100_000));
    let answer = daemon.exchange(target.as_bytes());
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{answer}");
    for foul in [
        &b"\x16\x03\x01\x02\x00"[..],
        b"GET\r\n\r\n",
        b"\r\n\r\n\r\n",
        b"POST /extend HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
    ] {
        let answer = daemon.exchange(foul);
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{answer}");
    }
    assert_eq!(daemon.status()["status"], "running");
}

#[test]
fn a_claimed_length_does_not_reserve_memory_and_smuggled_requests_are_not_answered() {
    let daemon = Machine::new("").start();
    let smuggled = format!(
        "POST /activity HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n\
         POST /extend HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\nContent-Length: 7\r\n\r\nhours=1"
    );
    let before = daemon.status()["lease_end"].clone();
    let answer = daemon.exchange(smuggled.as_bytes());
    assert!(answer.matches("HTTP/1.1 ").count() <= 1, "{answer}");
    let after = daemon.status()["lease_end"].clone();
    assert_eq!(before.as_str().map(|time| &time[..16]), after.as_str().map(|time| &time[..16]));
}

#[test]
fn slow_clients_are_dropped_and_block_nobody() {
    let daemon = Machine::new("").start();
    let head = "POST /extend HTTP/1.1\r\nHost: x\r\nContent-Length: 4000\r\n";
    let with_token = format!("{head}Authorization: Bearer {TOKEN}\r\n\r\nhours=");
    let mut slow: Vec<TcpStream> = (0..200)
        .map(|index| {
            let mut stream = TcpStream::connect(daemon.address).unwrap();
            let start = if index % 2 == 0 { head } else { with_token.as_str() };
            stream.write_all(start.as_bytes()).unwrap();
            stream
        })
        .collect();
    for _ in 0..20 {
        let begun = Instant::now();
        assert_eq!(daemon.request("GET", "/health", None, "").status, 200);
        assert!(begun.elapsed() < Duration::from_secs(5));
    }
    for stream in &mut slow {
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        let mut answer = Vec::new();
        // Closed or reset, but not held open.
        if let Err(error) = stream.read_to_end(&mut answer) {
            assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset, "{error}");
        }
    }
}

#[test]
fn a_flood_of_wrong_tokens_does_not_starve_health() {
    const FLOOD: u32 = 1000;
    let daemon = Machine::new("").start();
    let (stop, count) = (AtomicBool::new(false), AtomicU32::new(0));
    let slowest = thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while !stop.load(Ordering::SeqCst) {
                    assert_eq!(daemon.request("GET", "/status", Some("wrong"), "").status, 401);
                    count.fetch_add(1, Ordering::SeqCst);
                }
            });
        }
        let mut slowest = Duration::ZERO;
        while count.load(Ordering::SeqCst) < FLOOD {
            let begun = Instant::now();
            let answer = daemon.exchange(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n");
            assert_eq!(parse(&answer).status, 200);
            slowest = slowest.max(begun.elapsed());
        }
        stop.store(true, Ordering::SeqCst);
        slowest
    });
    assert!(slowest < Duration::from_secs(2), "{slowest:?}");
    assert!(!daemon.log().contains("wrong"), "{}", daemon.log());
}
