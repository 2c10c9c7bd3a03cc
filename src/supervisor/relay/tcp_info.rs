//! What the kernel counts of a TCP connection: how the bytes are counted that the supervisor does not
//! carry itself.

use std::io;
use std::net::TcpStream;
use std::os::fd::{AsFd, AsRawFd};

/// The counts of one connection, in bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Came from the peer and was read.
    pub read: u64,
    /// Came from the peer and waits to be read.
    pub unread: u64,
    /// Was written for the peer.
    pub written: u64,
    /// Whether the peer will send no more.
    pub ended: bool,
}

impl Counts {
    /// The counts of `stream`. All zero where the kernel does not say.
    pub fn of(stream: &TcpStream) -> Self {
        look(stream).unwrap_or_default()
    }

    /// Whether nothing went through it in either direction.
    pub fn is_untouched(&self) -> bool {
        self.read == 0 && self.written == 0
    }
}

/// The kernel's `struct tcp_info` (`linux/tcp.h`) as far as it is of use. libc's declaration ends
/// before the counts; the kernel, which only ever appends to it, says how much it filled in.
#[cfg(target_os = "linux")]
#[repr(C)]
#[derive(Debug, Clone, Copy)]
struct TcpInfo {
    state: u8,
    unused: [u8; 7],
    earlier: [u32; 24],
    rates: [u64; 2],
    bytes_acked: u64,
    bytes_received: u64,
    segments: [u32; 2],
    notsent_bytes: u32,
    later: [u32; 3],
    times: [u64; 4],
    delivered: [u32; 2],
    /// Since Linux 4.19.
    bytes_sent: u64,
    bytes_retrans: u64,
}

#[cfg(target_os = "linux")]
fn look(stream: &TcpStream) -> io::Result<Counts> {
    let received = info(stream)?.bytes_received;
    let mut unread: libc::c_int = 0;
    // Asked for later than the bytes that came: what comes in between counts as unread, not as read.
    // SAFETY: FIONREAD writes one int to where it is told; the descriptor is open.
    if unsafe { libc::ioctl(stream.as_raw_fd(), libc::FIONREAD, &raw mut unread) } == -1 {
        return Err(io::Error::last_os_error());
    }
    let unread = u64::try_from(unread).unwrap_or_default();
    let now = info(stream)?;
    // Its end counts as a byte that came, and is never one that waits.
    let ended = now.has_ended();
    let received = received.saturating_sub(u64::from(ended));
    let written = (now.bytes_sent + u64::from(now.notsent_bytes)).saturating_sub(now.bytes_retrans);
    Ok(Counts { read: received.saturating_sub(unread), unread, written, ended })
}

#[cfg(target_os = "linux")]
fn info(socket: &impl AsFd) -> io::Result<TcpInfo> {
    const SIZE: usize = size_of::<TcpInfo>();
    const _: () = assert!(SIZE == 216);
    let mut info = std::mem::MaybeUninit::<TcpInfo>::zeroed();
    let mut length = libc::socklen_t::try_from(SIZE).unwrap_or_default();
    // SAFETY: the kernel writes at most `length` bytes, which is the size of `info`; any bytes are a
    // valid `TcpInfo`, those that were not written are zero.
    let (asked, info) = unsafe {
        let (socket, place) = (socket.as_fd().as_raw_fd(), info.as_mut_ptr().cast());
        let asked = libc::getsockopt(socket, libc::IPPROTO_TCP, libc::TCP_INFO, place, &raw mut length);
        (asked, info.assume_init())
    };
    match asked {
        0 if usize::try_from(length).is_ok_and(|length| length >= SIZE) => Ok(info),
        0 => Err(io::ErrorKind::Unsupported.into()),
        _ => Err(io::Error::last_os_error()),
    }
}

#[cfg(target_os = "linux")]
impl TcpInfo {
    /// Whether the peer's end has come.
    fn has_ended(&self) -> bool {
        // TIME_WAIT, CLOSE, CLOSE_WAIT, LAST_ACK and CLOSING, of `net/tcp_states.h`. A connection that was
        // reset is in CLOSE without an end; one byte too few is counted of it.
        matches!(self.state, 6..=9 | 11)
    }
}

/// Whether the kernel counts what is needed, of `socket` and others of its kind.
#[cfg(target_os = "linux")]
pub fn are_kept(socket: &impl AsFd) -> bool {
    info(socket).is_ok()
}

/// Elsewhere nobody is asked.
#[cfg(not(target_os = "linux"))]
fn look(_stream: &TcpStream) -> io::Result<Counts> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(not(target_os = "linux"))]
pub fn are_kept(_socket: &impl AsFd) -> bool {
    false
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;

    use super::*;

    fn pair() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        assert!(are_kept(&listener));
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        (client, listener.accept().unwrap().0)
    }

    /// Loopback delivers before a call returns, so nothing has to be waited for.
    fn check(stream: &TcpStream, read: u64, unread: u64, written: u64, ended: bool) {
        assert_eq!(Counts::of(stream), Counts { read, unread, written, ended });
    }

    #[test]
    fn bytes_are_counted_and_ends_are_not() {
        let (mut client, mut ours) = pair();
        check(&ours, 0, 0, 0, false);
        assert!(Counts::of(&ours).is_untouched());
        client.write_all(b"hello").unwrap();
        check(&ours, 0, 5, 0, false);
        assert!(Counts::of(&ours).is_untouched(), "nobody has read it");
        client.shutdown(std::net::Shutdown::Write).unwrap();
        check(&ours, 0, 5, 0, true);
        ours.read_exact(&mut [0; 2]).unwrap();
        check(&ours, 2, 3, 0, true);
        ours.write_all(&[0; 1000]).unwrap();
        check(&ours, 2, 3, 1000, true);
        ours.read_exact(&mut [0; 3]).unwrap();
        assert_eq!(ours.read(&mut [0]).unwrap(), 0);
        ours.shutdown(std::net::Shutdown::Write).unwrap();
        check(&ours, 5, 0, 1000, true);
        drop(client);
        check(&ours, 5, 0, 1000, true);
    }

    #[test]
    fn what_the_peer_does_not_take_counts_as_written() {
        let (_client, mut ours) = pair();
        ours.set_nonblocking(true).unwrap();
        let mut written = 0;
        while let Ok(taken) = ours.write(&[0; 10_000]) {
            written += taken as u64;
        }
        check(&ours, 0, 0, written, false);
    }
}
