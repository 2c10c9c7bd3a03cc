//! The kernel's view of this machine's sockets, of any process: `sock_diag(7)` over netlink.
//!
//! Linux only; elsewhere there is no data.

use std::net::SocketAddr;
use std::time::Duration;

/// A TCP socket as the kernel sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Socket {
    /// Inode number; 0 if no process has the socket open.
    pub inode: u32,
    /// Owner; root if no process has the socket open.
    pub uid: u32,
    /// Local address.
    pub local: SocketAddr,
    /// Remote address.
    pub remote: SocketAddr,
    /// Bytes received but not read.
    pub unread: u32,
    /// Bytes written that the peer has not acknowledged.
    pub unacked: u32,
    /// Bytes that the peer has acknowledged since the start of the connection.
    pub acked: u64,
    /// Bytes received since the start of the connection.
    pub received: u64,
    /// Smoothed round trip.
    pub round_trip: Duration,
    /// Time since the last data was received. The time for which this machine slept is not part of it.
    pub silence: Duration,
}

/// Returns the connected socket with these addresses; `None` if there is none. Fails if the kernel does not
/// support the query.
pub fn find(local: SocketAddr, remote: SocketAddr) -> std::io::Result<Option<Socket>> {
    netlink::find(local, remote)
}

/// Returns the inode number of the peer of the Unix socket `inode`; 0 if no process has it open.
#[cfg(target_os = "linux")]
pub fn unix_peer(inode: u32) -> std::io::Result<u32> {
    netlink::unix_peer(inode)
}

/// Returns all established connections of this network namespace.
pub fn established() -> std::io::Result<Vec<Socket>> {
    netlink::established()
}

#[cfg(not(target_os = "linux"))]
mod netlink {
    use std::io;
    use std::net::SocketAddr;

    use super::Socket;

    pub fn find(_local: SocketAddr, _remote: SocketAddr) -> io::Result<Option<Socket>> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub fn established() -> io::Result<Vec<Socket>> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

#[cfg(target_os = "linux")]
mod netlink {
    use std::io;
    use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
    use std::os::fd::{AsRawFd, OwnedFd};
    use std::time::Duration;

    use nix::errno::Errno;
    use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, recv, send, socket};

    use super::Socket;

    const BY_FAMILY: u16 = 20;
    /// Lengths of `nlmsghdr`, `inet_diag_req_v2`, `inet_diag_sockid` and `inet_diag_msg`.
    const HEADER: usize = 16;
    const REQUEST: usize = 56;
    const ID: usize = 48;
    const MESSAGE: usize = 72;
    /// The attribute with `tcp_info`, and the states asked for.
    const INFO: u16 = 2;
    const ESTABLISHED: u32 = 1 << 1;
    const ANY_STATE: u32 = u32::MAX;
    /// Length of `unix_diag_req` and `unix_diag_msg`, `UDIAG_SHOW_PEER`, and the attribute with the peer's inode number.
    const UNIX_REQUEST: usize = 24;
    const UNIX_MESSAGE: usize = 16;
    const SHOW_PEER: u32 = 4;
    const ANY_COOKIE: [u8; 8] = [0xff; 8];
    const PEER: u16 = 2;

    pub fn find(local: SocketAddr, remote: SocketAddr) -> io::Result<Option<Socket>> {
        let family = if local.is_ipv4() { libc::AF_INET } else { libc::AF_INET6 };
        let mut found = query(&request(family, ANY_STATE, Some((local, remote))), parse)?;
        // Otherwise the kernel falls back on a listener.
        Ok(found.pop().filter(|socket| (socket.local, socket.remote) == (local, remote)))
    }

    pub fn established() -> io::Result<Vec<Socket>> {
        let mut all = query(&request(libc::AF_INET, ESTABLISHED, None), parse)?;
        all.extend(query(&request(libc::AF_INET6, ESTABLISHED, None), parse)?);
        Ok(all)
    }

    pub fn unix_peer(inode: u32) -> io::Result<u32> {
        let mut bytes = header(UNIX_REQUEST, false);
        bytes.extend(libc::AF_UNIX.to_ne_bytes());
        for number in [ANY_STATE, inode, SHOW_PEER] {
            bytes.extend(number.to_ne_bytes());
        }
        bytes.extend(ANY_COOKIE);
        let peer = |message: &[u8]| u32_at(attribute(message.get(UNIX_MESSAGE..)?, PEER)?, 0);
        query(&bytes, peer)?.pop().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    /// Sends `request` for one socket, or all, and returns what `parse` makes of the answers.
    fn query<T>(request: &[u8], parse: impl Fn(&[u8]) -> Option<T>) -> io::Result<Vec<T>> {
        let (kind, flags) = (SockType::Raw, SockFlag::SOCK_CLOEXEC);
        let netlink = socket(AddressFamily::Netlink, kind, flags, SockProtocol::NetlinkSockDiag)?;
        send(netlink.as_raw_fd(), request, MsgFlags::empty())?;
        let mut sockets = Vec::new();
        let mut buffer = vec![0; 32 << 10];
        loop {
            let length = receive(&netlink, &mut buffer)?;
            let mut rest = &buffer[..length];
            while let Some(size) = u32_at(rest, 0).map(|size| size as usize) {
                if size < HEADER || size > rest.len() {
                    return Err(io::ErrorKind::InvalidData.into());
                }
                let (message, kind) = (&rest[HEADER..size], u16_at(rest, 4));
                match kind.map(i32::from) {
                    Some(libc::NLMSG_DONE) => return Ok(sockets),
                    Some(libc::NLMSG_ERROR) => return refusal(message).map_or(Ok(sockets), Err),
                    _ => sockets.extend(parse(message)),
                }
                rest = &rest[rest.len().min(size.next_multiple_of(4))..];
            }
            if !is_dump(request) {
                return Ok(sockets);
            }
        }
    }

    /// Reads the next answer; it is ready when a request returns.
    fn receive(netlink: &OwnedFd, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match recv(netlink.as_raw_fd(), buffer, MsgFlags::MSG_DONTWAIT) {
                Err(Errno::EINTR) => {}
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                result => return Ok(result?),
            }
        }
    }

    /// Returns the error in an answer; `None` for "no such socket".
    fn refusal(message: &[u8]) -> Option<io::Error> {
        let code = u32_at(message, 0).map_or(0, u32::cast_signed).saturating_neg();
        (code != libc::ENOENT && code != 0).then(|| io::Error::from_raw_os_error(code))
    }

    /// Returns the header of a request of this `length`, for all sockets or one.
    fn header(length: usize, is_dump: bool) -> Vec<u8> {
        let flags = libc::NLM_F_REQUEST | if is_dump { libc::NLM_F_DUMP } else { 0 };
        let mut bytes = Vec::with_capacity(HEADER + length);
        bytes.extend(u32::try_from(HEADER + length).unwrap_or_default().to_ne_bytes());
        bytes.extend(BY_FAMILY.to_ne_bytes());
        bytes.extend(u16::try_from(flags).unwrap_or_default().to_ne_bytes());
        bytes.extend([0; 8]);
        bytes
    }

    fn is_dump(request: &[u8]) -> bool {
        u16_at(request, 6).is_some_and(|flags| i32::from(flags) & libc::NLM_F_DUMP != 0)
    }

    fn request(family: i32, states: u32, addresses: Option<(SocketAddr, SocketAddr)>) -> Vec<u8> {
        let mut bytes = header(REQUEST, addresses.is_none());
        let byte = |number: i32| u8::try_from(number).unwrap_or_default();
        bytes.extend([byte(family), byte(libc::IPPROTO_TCP), 1 << (INFO - 1), 0]);
        bytes.extend(states.to_ne_bytes());
        if let Some((local, remote)) = addresses {
            bytes.extend(local.port().to_be_bytes());
            bytes.extend(remote.port().to_be_bytes());
            bytes.extend(address(local.ip()));
            bytes.extend(address(remote.ip()));
            bytes.extend([0; 4]);
            bytes.extend(ANY_COOKIE);
        } else {
            bytes.extend([0; ID]);
        }
        bytes
    }

    fn address(ip: IpAddr) -> [u8; 16] {
        match ip {
            IpAddr::V6(ip) => ip.octets(),
            IpAddr::V4(ip) => {
                let mut bytes = [0; 16];
                bytes[..4].copy_from_slice(&ip.octets());
                bytes
            }
        }
    }

    /// Parses an `inet_diag_msg` and its attributes.
    fn parse(message: &[u8]) -> Option<Socket> {
        let family = i32::from(*message.first()?);
        let port = |at| Some(u16::from_be_bytes(*message.get(at..)?.first_chunk()?));
        let ip = |at| {
            let bytes: [u8; 16] = *message.get(at..)?.first_chunk()?;
            Some(if family == libc::AF_INET {
                IpAddr::from(Ipv4Addr::new(bytes[0], bytes[1], bytes[2], bytes[3]))
            } else {
                IpAddr::from(Ipv6Addr::from(bytes))
            })
        };
        let info = attribute(message.get(MESSAGE..)?, INFO).unwrap_or_default();
        Some(Socket {
            inode: u32_at(message, 68)?,
            uid: u32_at(message, 64)?,
            local: SocketAddr::new(ip(8)?, port(4)?),
            remote: SocketAddr::new(ip(24)?, port(6)?),
            unread: u32_at(message, 56)?,
            unacked: u32_at(message, 60)?,
            // `tcpi_last_data_recv` in milliseconds, `tcpi_rtt` in microseconds, `tcpi_bytes_acked` and
            // `tcpi_bytes_received` (`linux/tcp.h`).
            silence: Duration::from_millis(u32_at(info, 52).unwrap_or(u32::MAX).into()),
            round_trip: Duration::from_micros(u32_at(info, 68).unwrap_or_default().into()),
            acked: u64_at(info, 120).unwrap_or_default(),
            received: u64_at(info, 128).unwrap_or_default(),
        })
    }

    fn attribute(mut bytes: &[u8], wanted: u16) -> Option<&[u8]> {
        while let (Some(length), Some(kind)) = (u16_at(bytes, 0), u16_at(bytes, 2)) {
            let length = usize::from(length);
            if kind == wanted {
                return bytes.get(4..length);
            }
            bytes = bytes.get(length.max(4).next_multiple_of(4)..)?;
        }
        None
    }

    fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
        Some(u16::from_ne_bytes(*bytes.get(at..)?.first_chunk()?))
    }

    fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
        Some(u32::from_ne_bytes(*bytes.get(at..)?.first_chunk()?))
    }

    fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
        Some(u64::from_ne_bytes(*bytes.get(at..)?.first_chunk()?))
    }
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use std::io::{Read, Write};
    use std::net::{Shutdown, TcpListener, TcpStream};
    use std::thread::sleep;
    use std::time::Instant;

    use crate::system::sock_diag::*;

    fn pair(address: &str) -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind(address).unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        (client, listener.accept().unwrap().0)
    }

    /// Loopback delivers before a call returns, so the test need not wait.
    #[test]
    fn a_connection_is_seen_from_either_end() {
        for address in ["127.0.0.1:0", "[::1]:0"] {
            let (mut client, mut server) = pair(address);
            let (here, there) = (client.local_addr().unwrap(), server.local_addr().unwrap());
            client.write_all(b"hello").unwrap();
            let sent = find(here, there).unwrap().unwrap();
            assert_eq!((sent.local, sent.remote, sent.received), (here, there, 0));
            assert!(sent.inode > 0 && sent.acked >= 5 && sent.unacked == 0);
            assert!(sent.round_trip > Duration::ZERO && sent.round_trip < Duration::from_secs(1));
            let got = find(there, here).unwrap().unwrap();
            assert_eq!((got.unread, got.received), (5, 5));
            server.read_exact(&mut [0; 5]).unwrap();
            assert_eq!(find(there, here).unwrap().unwrap().unread, 0);
            assert!(
                established().unwrap().iter().any(|socket| (socket.local, socket.remote) == (there, here))
            );
        }
    }

    #[test]
    fn silence_ends_with_data() {
        /// The kernel counts in ticks, of 10 ms at most.
        const TICK: Duration = Duration::from_millis(10);
        let (mut client, server) = pair("127.0.0.1:0");
        let (here, there) = (client.local_addr().unwrap(), server.local_addr().unwrap());
        let silence = || find(there, here).unwrap().unwrap().silence;
        while silence() < 5 * TICK {
            sleep(TICK);
        }
        let begun = Instant::now();
        client.write_all(b"hello").unwrap();
        assert!(silence() <= begun.elapsed() + TICK);
    }

    #[test]
    fn a_closed_client_is_told_from_a_half_closed_one() {
        let (client, server) = pair("127.0.0.1:0");
        let (here, there) = (client.local_addr().unwrap(), server.local_addr().unwrap());
        client.shutdown(Shutdown::Write).unwrap();
        assert!(find(here, there).unwrap().unwrap().inode > 0);
        drop(client);
        assert_eq!(find(here, there).unwrap().map_or(0, |socket| socket.inode), 0);
        drop(server);
        assert_eq!(find("127.0.0.1:1".parse().unwrap(), there).unwrap(), None);
    }
}
