//! Takes back data that was sent over a Unix socket and that its peer, a child process, has not read.
//!
//! Closing the socket does not do that: what is in the peer's queue stays there. So this process borrows the peer's
//! descriptor and reads the queue itself. The kernel gives each byte to one reader only, so what this process reads, the
//! other one never does.
//!
//! Needs Linux 5.6, and the right to trace the peer, which a parent has unless a sandbox takes it away.

use std::io;
use std::os::fd::AsFd;

#[cfg(target_os = "linux")]
use super::sock_diag;

/// Reads into `buffer` what the process `peer` has not read of the data sent to it over `socket`; returns its length, 0 if
/// the peer has read everything. Fails if the peer does not have the other end open, or may not be traced.
#[cfg(target_os = "linux")]
pub fn recall(socket: &impl AsFd, peer: i32, buffer: &mut [u8]) -> io::Result<usize> {
    use std::os::fd::AsRawFd;

    use nix::errno::Errno;
    use nix::sys::socket::{MsgFlags, recv};

    let theirs = linux::borrow(peer, sock_diag::unix_peer(linux::inode(socket)?)?)?;
    match recv(theirs.as_raw_fd(), buffer, MsgFlags::MSG_DONTWAIT) {
        Err(Errno::EAGAIN) => Ok(0),
        result => Ok(result?),
    }
}

/// Fails: other systems do not lend descriptors.
#[cfg(not(target_os = "linux"))]
pub fn recall(_socket: &impl AsFd, _peer: i32, _buffer: &mut [u8]) -> io::Result<usize> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(target_os = "linux")]
mod linux {
    use std::cell::RefCell;
    use std::collections::HashMap;
    use std::io::{self, ErrorKind};
    use std::os::fd::{AsFd, OwnedFd};

    use crate::system::{pidfd, proc};

    /// Returns the inode number of an open socket.
    pub fn inode(socket: &impl AsFd) -> io::Result<u32> {
        let stat = nix::sys::stat::fstat(socket.as_fd())?;
        u32::try_from(stat.st_ino).map_err(io::Error::other)
    }

    /// Returns a copy of the descriptor of the process `pid` for the socket `wanted`.
    pub fn borrow(pid: i32, wanted: u32) -> io::Result<OwnedFd> {
        let number = descriptor(pid, wanted)?;
        let lent = pidfd::borrow(&pidfd::open(pid)?, number)?;
        // The process may have closed it meanwhile, and its number may be that of another file.
        if inode(&lent)? == wanted { Ok(lent) } else { Err(ErrorKind::NotFound.into()) }
    }

    thread_local! {
        /// The sockets of one process and their descriptors, as they were at some time: many may be looked up at once.
        static SOCKETS: RefCell<(i32, HashMap<u32, i32>)> = RefCell::default();
    }

    /// Returns the number of the descriptor that `pid` has for the socket `wanted`.
    fn descriptor(pid: i32, wanted: u32) -> io::Result<i32> {
        SOCKETS.with_borrow_mut(|(known, sockets)| {
            if *known != pid || !sockets.contains_key(&wanted) {
                let open = proc::sockets(pid.unsigned_abs())?;
                (*known, *sockets) = (pid, open.into_iter().map(|(number, inode)| (inode, number)).collect());
            }
            sockets.get(&wanted).copied().ok_or_else(|| ErrorKind::NotFound.into())
        })
    }
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use std::io::{Read, Write};
    use std::os::unix::net::UnixStream;

    use super::*;

    #[test]
    fn only_what_was_not_read_comes_back() {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        let this = std::process::id().cast_signed();
        let mut buffer = [0; 100];
        let mut recalled = || recall(&ours, this, &mut buffer).map(|length| buffer[..length].to_vec());
        assert_eq!(recalled().unwrap(), b"");
        (&ours).write_all(b"first").unwrap();
        theirs.read_exact(&mut [0; 5]).unwrap();
        assert_eq!(recalled().unwrap(), b"");
        (&ours).write_all(b"second").unwrap();
        assert_eq!(recalled().unwrap(), b"second");
        ours.shutdown(std::net::Shutdown::Write).unwrap();
        assert_eq!(theirs.read(&mut [0]).unwrap(), 0);
    }

    #[test]
    fn a_peer_that_is_another_process_keeps_its_data() {
        let (mut ours, theirs) = UnixStream::pair().unwrap();
        ours.write_all(b"hello").unwrap();
        // Process 1 does not have it open, or may not be traced.
        assert!(recall(&ours, 1, &mut [0; 100]).is_err());
        drop(theirs);
        assert!(recall(&ours, std::process::id().cast_signed(), &mut [0; 100]).is_err());
    }
}
