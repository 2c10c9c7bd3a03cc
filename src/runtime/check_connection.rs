//! Connections of `--check` to a tunnel's own listeners.
//!
//! A check goes the way of clients, so that it fails where they fail. Its connections must not count as use.
//! On Linux they come from an address that no client has; elsewhere they count like any other.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use crate::config::forwarding::Listen;
use crate::system::deadline_stream::{DeadlineStream, Timed};

/// Local address of a check's TCP connections, on the loopback network.
#[cfg(target_os = "linux")]
const ADDRESS: Ipv4Addr = Ipv4Addr::new(127, 115, 111, 103);
/// Prefix of the abstract names of a check's Unix sockets.
#[cfg(target_os = "linux")]
const NAME: &str = "soong-check/";

/// Connects to `listen`. `patience` limits everything that follows.
pub fn open(listen: &Listen, patience: Duration) -> io::Result<DeadlineStream<Box<dyn Timed>>> {
    let stream: Box<dyn Timed> = match listen {
        Listen::Port(port) => Box::new(connect_port(*port, patience)?),
        Listen::Socket(path) => Box::new(connect_socket(path)?),
    };
    Ok(DeadlineStream::new(stream, patience))
}

/// Returns true for the address of a check's connection over TCP.
#[cfg(target_os = "linux")]
pub fn is_from_check(client: &SocketAddr) -> bool {
    client.ip() == ADDRESS
}

/// Returns true if the peer of `client`, a Unix socket, is a check.
#[cfg(target_os = "linux")]
pub fn is_named_by_check(client: &impl AsRawFd) -> bool {
    use nix::sys::socket::{UnixAddr, getpeername};

    let name = getpeername::<UnixAddr>(client.as_raw_fd());
    name.is_ok_and(|name| name.as_abstract().is_some_and(|name| name.starts_with(NAME.as_bytes())))
}

#[cfg(not(target_os = "linux"))]
pub fn is_from_check(_client: &SocketAddr) -> bool {
    false
}

#[cfg(not(target_os = "linux"))]
pub fn is_named_by_check(_client: &impl AsRawFd) -> bool {
    false
}

#[cfg(target_os = "linux")]
fn connect_port(port: u16, patience: Duration) -> io::Result<TcpStream> {
    use std::net::SocketAddrV4;

    use nix::errno::Errno;
    use nix::sys::socket::{
        AddressFamily, SockFlag, SockType, SockaddrIn, bind, connect, setsockopt, socket, sockopt,
    };
    use nix::sys::time::{TimeVal, TimeValLike as _};

    let address = |ip, port| SockaddrIn::from(SocketAddrV4::new(ip, port));
    let socket = socket(AddressFamily::Inet, SockType::Stream, SockFlag::SOCK_CLOEXEC, None)?;
    bind(socket.as_raw_fd(), &address(ADDRESS, 0))?;
    let milliseconds = i64::try_from(patience.as_millis()).unwrap_or(i64::MAX);
    setsockopt(&socket, sockopt::SendTimeout, &TimeVal::milliseconds(milliseconds))?;
    match connect(socket.as_raw_fd(), &address(Ipv4Addr::LOCALHOST, port)) {
        // The backlog is full.
        Err(Errno::EINPROGRESS) => Err(io::ErrorKind::TimedOut.into()),
        result => Ok(result.map(|()| TcpStream::from(socket))?),
    }
}

#[cfg(not(target_os = "linux"))]
fn connect_port(port: u16, patience: Duration) -> io::Result<TcpStream> {
    TcpStream::connect_timeout(&(Ipv4Addr::LOCALHOST, port).into(), patience)
}

/// Connects to the socket at `path`; fails at once if its backlog is full.
fn connect_socket(path: &Path) -> io::Result<UnixStream> {
    use nix::sys::socket::{AddressFamily, SockFlag, SockType, UnixAddr, connect, socket};

    let stream = UnixStream::from(socket(AddressFamily::Unix, SockType::Stream, SockFlag::empty(), None)?);
    #[cfg(target_os = "linux")]
    nix::sys::socket::bind(stream.as_raw_fd(), &UnixAddr::new_abstract(unique_name().as_bytes())?)?;
    stream.set_nonblocking(true)?;
    connect(stream.as_raw_fd(), &UnixAddr::new(path)?)?;
    stream.set_nonblocking(false)?;
    Ok(stream)
}

#[cfg(target_os = "linux")]
fn unique_name() -> String {
    use std::sync::atomic::{AtomicU32, Ordering};

    static NUMBER: AtomicU32 = AtomicU32::new(0);
    format!("{NAME}{}/{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed))
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use std::net::TcpListener;
    use std::os::unix::net::UnixListener;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(600);

    #[test]
    fn a_check_is_told_from_a_client() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let _check = open(&Listen::Port(port), PATIENCE).unwrap();
        assert!(is_from_check(&listener.accept().unwrap().1));
        let _client = TcpStream::connect(("127.0.0.1", port)).unwrap();
        assert!(!is_from_check(&listener.accept().unwrap().1));

        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("s");
        let listener = UnixListener::bind(&path).unwrap();
        let _checks = [(); 2].map(|()| open(&Listen::Socket(path.clone()), PATIENCE).unwrap());
        assert!(is_named_by_check(&listener.accept().unwrap().0));
        assert!(is_named_by_check(&listener.accept().unwrap().0));
        let _client = UnixStream::connect(&path).unwrap();
        assert!(!is_named_by_check(&listener.accept().unwrap().0));
    }

    #[test]
    fn a_port_without_a_listener_is_an_error() {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let error = open(&Listen::Port(port), PATIENCE).map(drop).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
    }
}
