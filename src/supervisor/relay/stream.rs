//! One end of a connection, over TCP or a Unix socket, with the operations for copying.

use std::io;
use std::os::fd::{AsFd, AsRawFd};

use nix::sys::socket::{setsockopt, shutdown, sockopt};
use tokio::io::Interest;
use tokio::net::{TcpStream, UnixStream};

/// One end of a connection.
pub trait Stream: AsFd + Send + Sync + 'static {
    /// Waits until data can be read.
    fn readable(&self) -> impl Future<Output = io::Result<()>> + Send;
    fn writable(&self) -> impl Future<Output = io::Result<()>> + Send;
    fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize>;
    fn try_write(&self, bytes: &[u8]) -> io::Result<usize>;
    /// Lets `work` read or write; clears the readiness if it would block.
    fn try_io<T>(&self, interest: Interest, work: impl FnOnce() -> io::Result<T>) -> io::Result<T>;
}

macro_rules! stream {
    ($type:ty) => {
        impl Stream for $type {
            async fn readable(&self) -> io::Result<()> {
                <$type>::readable(self).await
            }
            async fn writable(&self) -> io::Result<()> {
                <$type>::writable(self).await
            }
            fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize> {
                <$type>::try_read(self, buffer)
            }
            fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
                <$type>::try_write(self, bytes)
            }
            fn try_io<T>(&self, interest: Interest, work: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
                <$type>::try_io(self, interest, work)
            }
        }
    };
}

stream!(TcpStream);
stream!(UnixStream);

/// Makes dropping `client` send a reset.
pub fn reset(client: &impl Stream) -> io::Result<()> {
    let at_once = libc::linger { l_onoff: 1, l_linger: 0 };
    Ok(setsockopt(client, sockopt::Linger, &at_once)?)
}

/// Returns the number of bytes that the peer has not acknowledged.
#[cfg(target_os = "linux")]
pub fn unsent(client: &impl Stream) -> libc::c_int {
    let mut bytes: libc::c_int = 0;
    // SAFETY: TIOCOUTQ writes one int to the given address; the descriptor is open.
    let asked = unsafe { libc::ioctl(client.as_fd().as_raw_fd(), libc::TIOCOUTQ, &raw mut bytes) };
    if asked == 0 { bytes } else { 0 }
}

#[cfg(not(target_os = "linux"))]
pub fn unsent(_client: &impl Stream) -> libc::c_int {
    0
}

/// Writes all of `bytes`.
pub async fn write_all(to: &impl Stream, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        to.writable().await?;
        match to.try_write(bytes) {
            Ok(taken) => bytes = &bytes[taken..],
            Err(error) if is_momentary(&error) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Returns true for the error of a stream that has no data, or no room, for now.
pub fn is_momentary(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}

/// Shuts down sending. Succeeds if the peer closed first.
pub fn end(to: &impl Stream) -> io::Result<()> {
    match shutdown(to.as_fd().as_raw_fd(), nix::sys::socket::Shutdown::Write) {
        Ok(()) | Err(nix::errno::Errno::ENOTCONN) => Ok(()),
        Err(errno) => Err(errno.into()),
    }
}
