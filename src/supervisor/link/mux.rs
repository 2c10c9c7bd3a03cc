//! Client of ssh's control socket: OpenSSH's multiplexing protocol, version 4 (`PROTOCOL.mux` in its
//! sources), as far as forwards need it.

mod control;
mod message;
mod session;
mod stdio_forward;

use std::io;
use std::os::fd::AsFd;

use tokio::io::AsyncWriteExt;
use tokio::net::UnixStream;
use tokio::time::timeout;

pub use self::control::Control;
pub use self::message::Refusal;
use self::message::{CLOSE_FORWARD, OK, OPEN_FORWARD, hello};
use self::session::{PATIENCE, greet, read_hello, read_reply};
use self::stdio_forward::Offer;
use crate::config::forwarding::{ForwardSpec, Kind, Target};

/// A connection that the server has made. Ends when dropped.
#[derive(Debug)]
pub struct Channel {
    /// To the far end.
    pub up: UnixStream,
    /// From the far end.
    pub down: UnixStream,
    /// Dropping it makes ssh close the channel.
    _offer: Offer,
}

/// Requests all of `forwards` and returns one answer for each, in order. Local ones are requested in one
/// batch and remote ones in parallel, so that they take one round trip.
pub async fn open_all(control: &Control, forwards: &[ForwardSpec]) -> io::Result<Vec<Result<(), String>>> {
    // ssh answers in order, but stops reading a connection while it waits for the server.
    let mut locals = greet(control).await?;
    let mut streams = Vec::new();
    for forward in forwards {
        let message = message::forward(OPEN_FORWARD, forward);
        streams.push(if forward.kind() == Kind::Remote {
            let mut stream = control.connect().await?;
            stream.write_all(&[hello(), message].concat()).await?;
            Some(stream)
        } else {
            locals.write_all(&message).await?;
            None
        });
    }
    let mut answers = Vec::new();
    for stream in streams {
        let answer = match stream {
            None => read_reply(&mut locals, OK).await,
            Some(mut stream) => {
                read_hello(&mut stream).await?;
                read_reply(&mut stream, OK).await
            }
        };
        answers.push(match answer {
            Ok(()) => Ok(()),
            Err(Refusal::Refused(reason)) => Err(reason),
            Err(Refusal::Silent(error)) => return Err(error),
        });
    }
    Ok(answers)
}

/// Requests `forward`.
pub async fn open(control: &Control, forward: &ForwardSpec) -> Result<(), Refusal> {
    change(control, OPEN_FORWARD, forward).await
}

/// Cancels `forward`; its connections stay.
pub async fn close(control: &Control, forward: &ForwardSpec) -> Result<(), Refusal> {
    change(control, CLOSE_FORWARD, forward).await
}

async fn change(control: &Control, what: u32, forward: &ForwardSpec) -> Result<(), Refusal> {
    limited(async {
        let mut stream = greet(control).await?;
        stream.write_all(&message::forward(what, forward)).await?;
        read_reply(&mut stream, OK).await
    })
    .await
}

/// Connects to `target` through the server. Only ssh's part has a time limit; the server knows when to give
/// up.
pub async fn connect(control: &Control, target: &Target) -> Result<Channel, Refusal> {
    // Two pairs: one socket for both directions could not be closed in one.
    let ((up, theirs_in), (down, theirs_out)) = (UnixStream::pair()?, UnixStream::pair()?);
    let mut offer = stdio_forward::request(control, target, [theirs_in.as_fd(), theirs_out.as_fd()]).await?;
    drop((theirs_in, theirs_out));
    offer.opened().await?;
    Ok(Channel { up, down, _offer: offer })
}

/// Returns true once ssh itself answers; this does not involve the server.
pub async fn responds(control: &Control) -> bool {
    greet(control).await.is_ok()
}

async fn limited<T>(work: impl Future<Output = Result<T, Refusal>>) -> Result<T, Refusal> {
    timeout(PATIENCE, work).await.unwrap_or_else(|_| Err(io::Error::from(io::ErrorKind::TimedOut).into()))
}
