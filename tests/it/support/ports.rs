//! Free ports on the loopback interface that stay free until the test uses them.
//!
//! A port from `bind(0)` lies in the range from which the kernel takes source ports of outgoing connections,
//! so it can be taken a moment later. These ports come from below that range and are handed out once per test
//! run.

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::os::fd::AsRawFd as _;
use std::sync::Mutex;

use nix::errno::Errno;
use nix::sys::socket::{self, AddressFamily, SockFlag, SockType, SockaddrIn, SockaddrIn6, sockopt};

use super::wait;

/// Below Linux's usual 32768 and above the ports of common services.
const RANGE: std::ops::Range<u16> = 20_000..32_700;

static TAKEN: Mutex<Option<HashSet<u16>>> = Mutex::new(None);

/// Returns a port without a listener on 127.0.0.1 and `::1`, which no other test of this run gets. It is
/// even, so that a program that tries the next port instead of a taken one does not disturb another test.
pub fn free() -> u16 {
    let mut guard = TAKEN.lock().unwrap();
    let taken = guard.get_or_insert_with(HashSet::new);
    let size = u64::from(RANGE.end - RANGE.start) / 2;
    // A random start keeps concurrent test runs apart.
    let start = RandomState::new().hash_one(std::process::id()) % size;
    let port = (0..size)
        .map(|step| RANGE.start + 2 * u16::try_from((start + step) % size).unwrap())
        .find(|port| !taken.contains(port) && is_free(*port))
        .expect("no free port on the loopback interface");
    taken.insert(port);
    port
}

/// Returns true if every loopback address lets a listener bind `port`.
///
/// It binds without listening, so that a copy of the socket in a process that another test forks at this
/// moment does not block the port.
pub fn is_free(port: u16) -> bool {
    addresses(port).into_iter().all(|address| try_bind(address).is_ok())
}

fn try_bind(address: SocketAddr) -> nix::Result<()> {
    let family = if address.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 };
    let socket = socket::socket(family, SockType::Stream, SockFlag::empty(), None)?;
    socket::setsockopt(&socket, sockopt::ReuseAddr, &true)?;
    match address {
        SocketAddr::V4(address) => socket::bind(socket.as_raw_fd(), &SockaddrIn::from(address)),
        SocketAddr::V6(address) => socket::bind(socket.as_raw_fd(), &SockaddrIn6::from(address)),
    }
}

/// Returns true if a process listens on `port` on any loopback address.
pub fn is_taken(port: u16) -> bool {
    !is_free(port)
}

/// Takes `port` on every address of localhost, because a server is content with one of them.
pub fn occupy(port: u16) -> Vec<TcpListener> {
    addresses(port).into_iter().map(|address| TcpListener::bind(address).unwrap()).collect()
}

/// Returns the loopback addresses of this machine with `port`: IPv4, and IPv6 if available.
pub fn addresses(port: u16) -> Vec<SocketAddr> {
    let mut addresses = vec![SocketAddr::from((Ipv4Addr::LOCALHOST, port))];
    let six = SocketAddr::from((Ipv6Addr::LOCALHOST, port));
    if !matches!(try_bind(six), Err(Errno::EADDRNOTAVAIL | Errno::EAFNOSUPPORT)) {
        addresses.push(six);
    }
    addresses
}

/// A listener that keeps a port from others; when this has been dropped the port is free.
///
/// A listener alone does not promise that: a process that another test forks at the same moment has a copy of it
/// until it executes its program.
pub struct Holder {
    listener: Option<TcpListener>,
    port: u16,
}

impl Holder {
    /// Listens on `address`, such as `127.0.0.1` or `[::]`.
    pub fn listen(address: &str, port: u16) -> Self {
        let listener = TcpListener::bind(format!("{address}:{port}")).unwrap();
        Self { listener: Some(listener), port }
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        drop(self.listener.take());
        if !std::thread::panicking() {
            wait::until_true(&format!("port {} to be free", self.port), || is_free(self.port));
        }
    }
}
