//! Sessions with ssh on its control socket: greeting, and reading answers.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

use super::control::Control;
use super::message::{Refusal, check_hello, hello, verdict};

/// Longest message from ssh, in bytes.
const MESSAGE_MAX: u32 = 16 * 1024;

/// Time for ssh and the server to set up a forward.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);

/// Connects to ssh and exchanges protocol versions.
pub(super) async fn greet(control: &Control) -> io::Result<UnixStream> {
    let mut stream = control.connect().await?;
    stream.write_all(&hello()).await?;
    read_hello(&mut stream).await?;
    Ok(stream)
}

/// Reads the protocol version of ssh.
pub(super) async fn read_hello(stream: &mut UnixStream) -> io::Result<()> {
    check_hello(&receive(stream).await?)
}

/// Reads the answer to the request; success is the message `wanted`.
pub(super) async fn read_reply(stream: &mut UnixStream, wanted: u32) -> Result<(), Refusal> {
    loop {
        if let Some(verdict) = verdict(&receive(stream).await?, wanted) {
            return verdict;
        }
    }
}

async fn receive(stream: &mut UnixStream) -> io::Result<Vec<u8>> {
    let length = stream.read_u32().await?;
    if length > MESSAGE_MAX {
        return Err(io::Error::other("the answer is too long"));
    }
    let mut message = vec![0; usize::try_from(length).unwrap_or_default()];
    stream.read_exact(&mut message).await?;
    Ok(message)
}
