//! Progress of ssh's own TCP connection in the kernel: whether the far end acknowledges and sends, however
//! late its answers are. Used for a link that has not answered a check for a while.
//!
//! Unknown behind jump hosts and proxies, where ssh has no connection of its own, and on systems other than
//! Linux.

use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;
use std::{fs, io};

use crate::system::sock_diag::{self, Socket};

/// The connection of one ssh, and its state at the last look.
#[derive(Debug)]
pub struct Connection {
    local: SocketAddr,
    remote: SocketAddr,
    acked: u64,
    read: u64,
    round_trip: Duration,
}

/// Progress since the last look.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    /// The far end's kernel has acknowledged data.
    pub acked: bool,
    /// More of it waits to be acknowledged.
    pub waits: bool,
    /// ssh has read data from the far end.
    pub read: bool,
}

impl Connection {
    /// Finds the connection of the ssh `pid`: the first TCP connection among its files. Those of remote
    /// forwards come later.
    pub fn of(pid: u32) -> Option<Self> {
        let inodes = sockets(pid)?;
        let all = sock_diag::established().ok()?;
        let socket = inodes.iter().find_map(|inode| all.iter().find(|socket| socket.inode == *inode))?;
        let Socket { local, remote, acked, round_trip, .. } = *socket;
        Some(Self { local, remote, acked, read: read(socket), round_trip })
    }

    /// Returns the address of the far end.
    pub fn remote(&self) -> SocketAddr {
        self.remote
    }

    /// Returns the round trip that the kernel has measured.
    pub fn round_trip(&self) -> Duration {
        self.round_trip
    }

    /// Returns true if ssh has read nothing from it yet.
    pub fn is_silent(&self) -> bool {
        self.read == 0
    }

    /// Returns true if its local address still exists on this machine.
    pub fn has_address(&self) -> bool {
        // Binding asks the kernel; nothing is sent.
        let bound = UdpSocket::bind((self.local.ip(), 0));
        !bound.is_err_and(|error| error.kind() == io::ErrorKind::AddrNotAvailable)
    }

    /// Returns the progress since the last call.
    pub fn progress(&mut self) -> Progress {
        let Ok(Some(now)) = sock_diag::find(self.local, self.remote) else { return Progress::default() };
        let (acked, waits) = (now.acked > self.acked, now.unacked > 0);
        let progress = Progress { acked, waits, read: read(&now) > self.read };
        (self.acked, self.read, self.round_trip) = (now.acked, read(&now), now.round_trip);
        progress
    }
}

fn read(socket: &Socket) -> u64 {
    socket.received.saturating_sub(socket.unread.into())
}

/// Returns the inodes of the sockets that `pid` has open, ordered by descriptor.
fn sockets(pid: u32) -> Option<Vec<u32>> {
    let mut found: Vec<(u32, u32)> = fs::read_dir(format!("/proc/{pid}/fd"))
        .ok()?
        .flatten()
        .filter_map(|file| {
            let descriptor = file.file_name().to_str()?.parse().ok()?;
            let target = fs::read_link(file.path()).ok()?;
            let inode = target.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()?;
            Some((descriptor, inode))
        })
        .collect();
    found.sort_unstable();
    Some(found.into_iter().map(|(_, inode)| inode).collect())
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};

    use crate::supervisor::link::tcp_progress::*;

    fn of(stream: &TcpStream) -> Connection {
        let (local, remote) = (stream.local_addr().unwrap(), stream.peer_addr().unwrap());
        let mut connection = Connection { local, remote, acked: 0, read: 0, round_trip: Duration::ZERO };
        connection.progress();
        connection
    }

    /// Loopback delivers before a call returns, so the test need not wait.
    #[test]
    fn what_is_acknowledged_and_what_is_read_are_progress() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut ours = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let mut theirs = listener.accept().unwrap().0;
        let mut connection = of(&ours);
        assert_eq!(connection.progress(), Progress::default());
        ours.write_all(b"hello").unwrap();
        assert_eq!(connection.progress(), Progress { acked: true, ..Progress::default() });
        theirs.write_all(b"hello").unwrap();
        assert_eq!(connection.progress(), Progress::default(), "not read");
        ours.read_exact(&mut [0; 5]).unwrap();
        assert_eq!(connection.progress(), Progress { read: true, ..Progress::default() });
        ours.set_nonblocking(true).unwrap();
        while ours.write(&[0; 1 << 13]).is_ok() {}
        assert_eq!(connection.progress(), Progress { acked: true, waits: true, read: false });
    }

    #[test]
    fn an_address_that_was_taken_away_is_missed() {
        let at = |ip: &str| {
            let local = format!("{ip}:22").parse().unwrap();
            Connection { local, remote: local, acked: 0, read: 0, round_trip: Duration::ZERO }.has_address()
        };
        assert!(at("127.0.0.1"));
        // Reserved for documentation (RFC 5737).
        assert!(!at("198.51.100.7"));
    }

    #[test]
    fn the_connection_of_a_process_is_among_its_files() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let _ours = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        assert!(Connection::of(std::process::id()).is_some());
        assert!(Connection::of(u32::MAX).is_none());
    }
}
