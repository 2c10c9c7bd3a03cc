//! Detects that a client has gone while its connection waits: its request must not be carried out later.
//!
//! A client that has closed its socket and one that has only shut down sending look alike at this end of a
//! TCP connection. On Linux the kernel knows whether a process has the other end open; elsewhere a client
//! that has shut down counts as gone.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::time::Duration;

use nix::sys::socket::{SockaddrLike, SockaddrStorage, getpeername, getsockname};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::time::sleep;

use crate::system::sock_diag;

/// Interval of checks of a client that has shut down sending: its end causes no event.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// The peer has shut down sending, or the connection is broken.
#[cfg(target_os = "linux")]
const ENDED: libc::c_short = libc::POLLRDHUP;
#[cfg(not(target_os = "linux"))]
const ENDED: libc::c_short = libc::POLLHUP;
/// Both directions have ended, or the connection is broken.
const CLOSED: libc::c_short = libc::POLLHUP | libc::POLLERR;

/// Waits until `client` is gone and leaves its data unread. Uses a descriptor of its own, so that the
/// client's readiness is not disturbed.
pub async fn disconnected(client: &impl AsFd) -> io::Result<()> {
    let watched = client.as_fd().try_clone_to_owned()?;
    // SAFETY: the descriptor is the watch's own, and is closed with it.
    let watched = unsafe { AsyncFd::<OwnedFd>::register_with_interest(watched, Interest::READABLE)? };
    loop {
        let mut ready = watched.readable().await?;
        if is_gone(client) {
            return Ok(());
        }
        if ready.ready().is_read_closed() {
            sleep(LOOK_AGAIN).await;
        } else {
            ready.clear_ready();
        }
    }
}

/// Returns true if `client` is gone.
pub fn is_gone(client: &impl AsFd) -> bool {
    let events = look(client, ENDED);
    events & CLOSED != 0 || events & ENDED != 0 && !is_open_at_peer(client)
}

/// Returns true if both directions of `socket` have ended.
pub fn is_closed(socket: &impl AsFd) -> bool {
    look(socket, 0) & CLOSED != 0
}

fn look(socket: &impl AsFd, events: libc::c_short) -> libc::c_short {
    let mut looked = libc::pollfd { fd: socket.as_fd().as_raw_fd(), events, revents: 0 };
    // SAFETY: poll reads and writes the one entry that it is given, and does not wait.
    match unsafe { libc::poll(&raw mut looked, 1, 0) } {
        1 => looked.revents,
        _ => 0,
    }
}

/// Returns true if a process has the other end of `client` open, as far as the kernel says.
fn is_open_at_peer(client: &impl AsFd) -> bool {
    let descriptor = client.as_fd().as_raw_fd();
    let here = getsockname::<SockaddrStorage>(descriptor).ok();
    // For Unix sockets, the kernel tells a half-close from a close.
    if here
        .as_ref()
        .and_then(SockaddrLike::family)
        .is_some_and(|family| family == nix::sys::socket::AddressFamily::Unix)
    {
        return true;
    }
    let there = getpeername::<SockaddrStorage>(descriptor).ok().as_ref().and_then(address);
    match (there, here.as_ref().and_then(address)) {
        (Some(there), Some(here)) => {
            sock_diag::find(there, here).is_ok_and(|found| found.is_some_and(|socket| socket.inode != 0))
        }
        _ => false,
    }
}

fn address(storage: &SockaddrStorage) -> Option<SocketAddr> {
    let v4 = storage.as_sockaddr_in().map(|address| SocketAddr::new(address.ip().into(), address.port()));
    v4.or_else(|| {
        storage.as_sockaddr_in6().map(|address| SocketAddr::new(address.ip().into(), address.port()))
    })
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::net::{Shutdown, TcpListener, TcpStream};
    use std::os::unix::net::UnixStream;

    use crate::supervisor::relay::disconnect::*;

    fn tcp() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        (client, listener.accept().unwrap().0)
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_client_that_has_closed_is_told_from_one_that_waits_for_an_answer() {
        let (mut client, here) = tcp();
        client.write_all(b"hello").unwrap();
        assert!(!is_gone(&here));
        client.shutdown(Shutdown::Write).unwrap();
        assert!(!is_gone(&here));
        drop(client);
        assert!(is_gone(&here));
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn so_is_one_of_a_unix_socket() {
        let (client, here) = UnixStream::pair().unwrap();
        client.shutdown(Shutdown::Write).unwrap();
        assert!(!is_gone(&here));
        drop(client);
        assert!(is_gone(&here));
    }

    #[test]
    fn departure_is_noticed_behind_bytes_that_nobody_has_read() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (mut client, here) = tcp();
            here.set_nonblocking(true).unwrap();
            client.write_all(b"hello").unwrap();
            let leave = async {
                tokio::task::yield_now().await;
                drop(client);
            };
            let (gone, ()) = tokio::join!(disconnected(&here), leave);
            gone.unwrap();
        });
    }
}
