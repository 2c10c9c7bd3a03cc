//! Progress of ssh's own TCP connection in the kernel: whether the far end acknowledges and sends, however
//! late its answers are. Used for a link that has not answered a check for a while.
//!
//! Unknown behind jump hosts and proxies, where ssh has no connection of its own, and on systems other than
//! Linux.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

use crate::system::proc;
use crate::system::sock_diag::{self, Socket};

/// Bytes that are acknowledged between two looks only if ssh sends more than a few requests.
const STREAM: u64 = 16 << 10;

/// The connection of one ssh, and its state at the last look.
#[derive(Debug, Clone, Copy)]
pub struct Connection {
    local: SocketAddr,
    remote: SocketAddr,
    acked: u64,
    /// Bytes that ssh had written, acknowledged or not.
    written: u64,
    read: u64,
    round_trip: Duration,
}

/// Progress since the last look.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    /// The far end's kernel has acknowledged data.
    pub acked: bool,
    /// More of it waits to be acknowledged: some from before the last look, or behind a stream. A request that was sent
    /// just now does not count.
    pub waits: bool,
    /// ssh has read data from the far end.
    pub read: bool,
}

impl Connection {
    /// Finds the connection of the ssh `pid`: the first TCP connection among its files. Before the login it is the only
    /// one; behind a jump host, the first one of a remote forward would be taken for it later.
    pub fn of(pid: u32) -> Option<Self> {
        let sockets = proc::sockets(pid).ok()?;
        let all = sock_diag::established().ok()?;
        let socket =
            sockets.iter().find_map(|(_, inode)| all.iter().find(|socket| socket.inode == *inode))?;
        let Socket { local, remote, acked, round_trip, .. } = *socket;
        Some(Self { local, remote, acked, written: written(socket), read: read(socket), round_trip })
    }

    /// Returns the connection with its state at this moment.
    pub fn as_of_now(mut self) -> Self {
        self.progress();
        self
    }

    /// Returns true if ssh has read all data, and the last of it came within `time`. The far end answers ssh's keepalive,
    /// so a link without connections is heard from, too.
    pub fn heard_within(&self, time: Duration) -> bool {
        let now = sock_diag::find(self.local, self.remote);
        now.is_ok_and(|now| now.is_some_and(|now| now.unread == 0 && now.silence <= time))
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
        let (acked, waits) = (now.acked > self.acked, self.waits(&now));
        let progress = Progress { acked, waits, read: read(&now) > self.read };
        (self.acked, self.written, self.read, self.round_trip) =
            (now.acked, written(&now), read(&now), now.round_trip);
        progress
    }

    fn waits(&self, now: &Socket) -> bool {
        let is_stream = now.acked.saturating_sub(self.acked) >= STREAM;
        now.unacked > 0 && (now.acked < self.written || is_stream)
    }
}

fn written(socket: &Socket) -> u64 {
    socket.acked + u64::from(socket.unacked)
}

fn read(socket: &Socket) -> u64 {
    socket.received.saturating_sub(socket.unread.into())
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};

    use crate::supervisor::link::tcp_progress::*;

    fn of(stream: &TcpStream) -> Connection {
        let (local, remote) = (stream.local_addr().unwrap(), stream.peer_addr().unwrap());
        let mut connection = unseen(local, remote);
        connection.progress();
        connection
    }

    fn unseen(local: SocketAddr, remote: SocketAddr) -> Connection {
        Connection { local, remote, acked: 0, written: 0, read: 0, round_trip: Duration::ZERO }
    }

    #[test]
    fn only_what_is_older_than_a_look_waits() {
        let address = "127.0.0.1:22".parse().unwrap();
        let before = Connection { acked: 1_000, written: 1_500, ..unseen(address, address) };
        for (acked, unacked, expected) in [
            (1_400, 100, true),
            (1_400, 5_000, true),
            (1_500, 300, false),
            (1_800, 300, false),
            (1_500, 0, false),
            (1_000 + STREAM, 300, true),
        ] {
            let now = Socket {
                local: address,
                remote: address,
                unread: 0,
                unacked,
                acked,
                received: 0,
                round_trip: Duration::ZERO,
                silence: Duration::ZERO,
                inode: 1,
                uid: 0,
            };
            assert_eq!(before.waits(&now), expected, "{acked} {unacked}");
        }
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

    /// ssh that hangs has been sent an answer to its keepalive, too.
    #[test]
    fn only_what_was_read_was_heard() {
        const LONG: Duration = Duration::from_secs(600);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut ours = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let mut theirs = listener.accept().unwrap().0;
        let connection = of(&ours);
        theirs.write_all(b"hello").unwrap();
        assert!(!connection.heard_within(LONG));
        ours.read_exact(&mut [0; 5]).unwrap();
        assert!(connection.heard_within(LONG));
        drop((ours, theirs));
        assert!(!connection.heard_within(LONG), "the connection is gone");
    }

    #[test]
    fn an_address_that_was_taken_away_is_missed() {
        let at = |ip: &str| {
            let local = format!("{ip}:22").parse().unwrap();
            unseen(local, local).has_address()
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
