//! Free ports on the loopback interface that stay free until the test uses them.
//!
//! A port from `bind(0)` lies in the range the kernel takes source ports of outgoing connections from, so that it
//! can be gone a moment later. These come from below that range and are handed out once per test run.

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};
use std::io::ErrorKind;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::sync::Mutex;

/// Below Linux' usual 32768 and above what services use.
const RANGE: std::ops::Range<u16> = 20_000..32_700;

static TAKEN: Mutex<Option<HashSet<u16>>> = Mutex::new(None);

/// A port that nothing listens on, on 127.0.0.1 and on `::1`, and that no other test of this run gets.
pub fn free() -> u16 {
    let mut guard = TAKEN.lock().unwrap();
    let taken = guard.get_or_insert_with(HashSet::new);
    let size = u64::from(RANGE.end - RANGE.start);
    // A random start keeps test runs beside each other apart.
    let start = RandomState::new().hash_one(std::process::id()) % size;
    let port = (0..size)
        .map(|step| RANGE.start + u16::try_from((start + step) % size).unwrap())
        .find(|port| !taken.contains(port) && is_free(*port))
        .expect("no free port on the loopback interface");
    taken.insert(port);
    port
}

/// Whether `port` can be listened on, on every loopback address there is.
pub fn is_free(port: u16) -> bool {
    addresses(port).into_iter().all(|address| TcpListener::bind(address).is_ok())
}

/// Whether something listens on `port`, on any loopback address.
pub fn is_taken(port: u16) -> bool {
    !is_free(port)
}

/// The loopback addresses of this machine with `port`: the one of IPv4, and of IPv6 where there is one.
pub fn addresses(port: u16) -> Vec<SocketAddr> {
    let mut addresses = vec![SocketAddr::from((Ipv4Addr::LOCALHOST, port))];
    let six = TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).map_err(|error| error.kind());
    if !matches!(six, Err(kind) if kind != ErrorKind::AddrInUse) {
        addresses.push(SocketAddr::from((Ipv6Addr::LOCALHOST, port)));
    }
    addresses
}
