//! Talking to the ssh that carries a tunnel, through its control socket: OpenSSH's multiplexing
//! protocol, version 4 (`PROTOCOL.mux` in its sources), as far as forwards need it.

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
use self::message::{CLOSE_FORWARD, Message, NO_PORT, OK, OPEN_FORWARD, hello};
use self::session::{PATIENCE, answer, greet, hear_hello};
use self::stdio_forward::Offer;
use crate::config::forwarding::{Listen, Target};

/// Who listens for a forward.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// ssh, here.
    Local = 1,
    /// The server.
    Remote = 2,
}

/// A connection to somewhere, made by the server: what is written to the one arrives there, what
/// comes from there is read from the other. It ends when this is dropped.
#[derive(Debug)]
pub struct Channel {
    /// To the far end.
    pub up: UnixStream,
    /// From the far end.
    pub down: UnixStream,
    /// ssh closes the channel with it.
    _offer: Offer,
}

/// A forward that ssh is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forward {
    /// Who listens.
    pub side: Side,
    /// What on.
    pub listen: Listen,
    /// Where it leads.
    pub target: Target,
}

impl Forward {
    fn message(&self, what: u32) -> Vec<u8> {
        let mut message = Message::new(what);
        message.number(self.side as u32);
        match &self.listen {
            // An empty address stands for what ssh binds when none is given: localhost.
            Listen::Port(port) => message.place("", (*port).into()),
            Listen::Socket(path) => message.place(&path.to_string_lossy(), NO_PORT),
        }
        message.target(&self.target);
        message.bytes()
    }
}

/// Has ssh set up all of `forwards`; one answer for each, in their order. ssh is asked for all
/// local ones at once, and the server for all remote ones, so that they take one round trip.
pub async fn open_all(control: &Control, forwards: &[Forward]) -> io::Result<Vec<Result<(), String>>> {
    // ssh answers in order, but reads nothing further on a connection while it waits for the server.
    let mut locals = greet(control).await?;
    let mut streams = Vec::new();
    for forward in forwards {
        let message = forward.message(OPEN_FORWARD);
        streams.push(match forward.side {
            Side::Local => {
                locals.write_all(&message).await?;
                None
            }
            Side::Remote => {
                let mut stream = control.connect().await?;
                stream.write_all(&[hello(), message].concat()).await?;
                Some(stream)
            }
        });
    }
    let mut answers = Vec::new();
    for stream in streams {
        let answer = match stream {
            None => answer(&mut locals, OK).await,
            Some(mut stream) => {
                hear_hello(&mut stream).await?;
                answer(&mut stream, OK).await
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

/// Has ssh set up `forward`.
pub async fn open(control: &Control, forward: &Forward) -> Result<(), Refusal> {
    change(control, OPEN_FORWARD, forward).await
}

/// Has ssh give up `forward`; its connections stay.
pub async fn close(control: &Control, forward: &Forward) -> Result<(), Refusal> {
    change(control, CLOSE_FORWARD, forward).await
}

async fn change(control: &Control, what: u32, forward: &Forward) -> Result<(), Refusal> {
    limited(async {
        let mut stream = greet(control).await?;
        stream.write_all(&forward.message(what)).await?;
        answer(&mut stream, OK).await
    })
    .await
}

/// Connects to `target` through the server. Waits for as long as the server takes, which knows when
/// to give up; ssh is given a moment.
pub async fn connect(control: &Control, target: &Target) -> Result<Channel, Refusal> {
    // Two pairs, because a socket that is both ends at once could not be closed in one direction.
    let ((up, theirs_in), (down, theirs_out)) = (UnixStream::pair()?, UnixStream::pair()?);
    let mut offer = stdio_forward::request(control, target, [theirs_in.as_fd(), theirs_out.as_fd()]).await?;
    drop((theirs_in, theirs_out));
    offer.opened().await?;
    Ok(Channel { up, down, _offer: offer })
}

/// Returns whether ssh itself answers, once it does: nothing is asked of the server.
pub async fn responds(control: &Control) -> bool {
    greet(control).await.is_ok()
}

async fn limited<T>(work: impl Future<Output = Result<T, Refusal>>) -> Result<T, Refusal> {
    timeout(PATIENCE, work).await.unwrap_or_else(|_| Err(io::Error::from(io::ErrorKind::TimedOut).into()))
}
