//! Giving ssh something to carry by itself.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::path::Path;

use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, recv};
use tokio::io::{AsyncReadExt, AsyncWriteExt, Interest};
use tokio::net::UnixStream;
use tokio::time::timeout;

use super::message::{Fields, SESSION_OPENED, hello, send_descriptor, stdio_forward};
use super::{PATIENCE, Refusal, answer, hear_hello};
use crate::config::forwarding::Target;

/// Gives ssh `socket`, to be carried to `target` in both directions. ssh reads nothing from it before the
/// server has connected to the target.
pub async fn offer(control: &Path, target: &Target, socket: BorrowedFd<'_>) -> io::Result<Offer> {
    request(control, target, [socket, socket]).await
}

/// What ssh was given to carry. ssh is told to let go of it when this is dropped.
#[derive(Debug)]
pub struct Offer {
    mux: UnixStream,
}

impl Offer {
    /// Waits until the server has connected, or has not; returns the number of ssh's channel.
    pub async fn opened(&mut self) -> Result<u32, Refusal> {
        hear_hello(&mut self.mux).await?;
        let answer = answer(&mut self.mux, SESSION_OPENED).await?;
        let number = Fields(&answer).number();
        number.ok_or_else(|| io::Error::other("it does not say which channel it opened").into())
    }

    /// Resolves when ssh has let go of it.
    pub async fn over(&mut self) {
        while let Ok(1..) = self.mux.read(&mut [0; 64]).await {}
    }

    /// Whether ssh has let go of it. This is known earlier than that ssh has given the number of its channel to
    /// another one.
    pub fn is_over(&self) -> bool {
        let looked = recv(self.mux.as_raw_fd(), &mut [0], MsgFlags::MSG_PEEK | MsgFlags::MSG_DONTWAIT);
        !matches!(looked, Ok(1..) | Err(Errno::EAGAIN | Errno::EINTR))
    }

    /// The connection that it was asked for on.
    pub fn connection(&self) -> &UnixStream {
        &self.mux
    }
}

/// Has ssh connect what is read from and written to `ends` with `target`. Nothing is waited for: all of it
/// is written at once, and ssh reads no further than it understands.
pub(super) async fn request(control: &Path, target: &Target, ends: [BorrowedFd<'_>; 2]) -> io::Result<Offer> {
    let work = async {
        let mut mux = UnixStream::connect(control).await?;
        mux.write_all(&[hello(), stdio_forward(target)].concat()).await?;
        for end in ends {
            mux.async_io(Interest::WRITABLE, || send_descriptor(mux.as_fd(), end)).await?;
        }
        Ok(Offer { mux })
    };
    timeout(PATIENCE, work).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}
