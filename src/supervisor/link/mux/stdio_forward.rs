//! Connections that ssh opens on request, as for `ssh -W`.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use tokio::io::{AsyncWriteExt, Interest};
use tokio::net::UnixStream;
use tokio::time::timeout;

use super::control::Control;
use super::message::{Refusal, SESSION_OPENED, hello, send_descriptor, stdio_forward};
use super::session::{PATIENCE, read_hello, read_reply};
use crate::config::forwarding::Target;

/// A connection that ssh carries. Dropping it makes ssh close it.
#[derive(Debug)]
pub struct Offer {
    mux: UnixStream,
}

impl Offer {
    /// Waits until the server has connected or refused.
    pub async fn opened(&mut self) -> Result<(), Refusal> {
        read_hello(&mut self.mux).await?;
        read_reply(&mut self.mux, SESSION_OPENED).await
    }
}

/// Requests a connection of `ends` with `target`. Writes everything without waiting; ssh reads no further
/// than it understands.
pub(super) async fn request(
    control: &Control,
    target: &Target,
    ends: [BorrowedFd<'_>; 2],
) -> io::Result<Offer> {
    let work = async {
        let mut mux = control.connect().await?;
        mux.write_all(&[hello(), stdio_forward(target)].concat()).await?;
        for end in ends {
            mux.async_io(Interest::WRITABLE, || send_descriptor(mux.as_fd(), end)).await?;
        }
        Ok(Offer { mux })
    };
    timeout(PATIENCE, work).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}
