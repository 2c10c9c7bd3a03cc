//! Talking to the ssh that carries a tunnel, through its control socket: OpenSSH's multiplexing
//! protocol, version 4 (`PROTOCOL.mux` in its sources), as far as forwards need it.

pub(crate) mod blocking;
mod message;
mod stdio_forward;

use std::io;
use std::os::fd::AsFd;
use std::path::Path;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::time::timeout;

pub use self::blocking::reach;
use self::message::{CLOSE_FORWARD, Message, NO_PORT, OK, OPEN_FORWARD, check_hello, hello, verdict};
use self::stdio_forward::Offer;
use crate::config::forwarding::{Listen, Target};

/// The longest message taken from ssh, in bytes.
const MESSAGE_MAX: u32 = 16 * 1024;

/// How long ssh and the server may take to set a forward up.
const PATIENCE: Duration = Duration::from_secs(5);

/// Who listens for a forward.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// ssh, here.
    Local = 1,
    /// The server.
    Remote = 2,
}

/// What ssh says to a request that it does not fulfil.
#[derive(Debug)]
pub enum Refusal {
    /// It, or the server, does not want to; why.
    Refused(String),
    /// It cannot be asked.
    Silent(io::Error),
}

impl From<io::Error> for Refusal {
    fn from(error: io::Error) -> Self {
        Self::Silent(error)
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Refused(reason) => f.write_str(reason),
            Self::Silent(error) => write!(f, "ssh does not answer: {error}"),
        }
    }
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

/// Has ssh forward `listen` to `target`.
pub async fn open(control: &Path, side: Side, listen: &Listen, target: &Target) -> Result<(), Refusal> {
    change(control, OPEN_FORWARD, side, listen, target).await
}

/// Has ssh stop forwarding `listen` to `target`; connections stay.
pub async fn close(control: &Path, side: Side, listen: &Listen, target: &Target) -> Result<(), Refusal> {
    change(control, CLOSE_FORWARD, side, listen, target).await
}

async fn change(
    control: &Path,
    what: u32,
    side: Side,
    listen: &Listen,
    target: &Target,
) -> Result<(), Refusal> {
    let mut message = Message::new(what);
    message.number(side as u32);
    match listen {
        // An empty address stands for what ssh binds when none is given: localhost.
        Listen::Port(port) => message.place("", (*port).into()),
        Listen::Socket(path) => message.place(&path.to_string_lossy(), NO_PORT),
    }
    message.target(target);
    limited(async {
        let mut stream = greet(control).await?;
        stream.write_all(&message.bytes()).await?;
        answer(&mut stream, OK).await
    })
    .await
}

/// Connects to `target` through the server. Waits for as long as the server takes, which knows when
/// to give up; ssh is given a moment.
pub async fn connect(control: &Path, target: &Target) -> Result<Channel, Refusal> {
    // Two pairs, because a socket that is both ends at once could not be closed in one direction.
    let ((up, theirs_in), (down, theirs_out)) = (UnixStream::pair()?, UnixStream::pair()?);
    let mut offer = stdio_forward::request(control, target, [theirs_in.as_fd(), theirs_out.as_fd()]).await?;
    drop((theirs_in, theirs_out));
    offer.opened().await?;
    Ok(Channel { up, down, _offer: offer })
}

async fn limited<T>(work: impl Future<Output = Result<T, Refusal>>) -> Result<T, Refusal> {
    timeout(PATIENCE, work).await.unwrap_or_else(|_| Err(io::Error::from(io::ErrorKind::TimedOut).into()))
}

/// A connection on which both sides have said which version they speak.
async fn greet(control: &Path) -> io::Result<UnixStream> {
    let mut stream = UnixStream::connect(control).await?;
    stream.write_all(&hello()).await?;
    hear_hello(&mut stream).await?;
    Ok(stream)
}

async fn hear_hello(stream: &mut UnixStream) -> io::Result<()> {
    check_hello(&receive(stream).await?)
}

/// Reads the answer to the request, which should be `wanted`.
async fn answer(stream: &mut UnixStream, wanted: u32) -> Result<(), Refusal> {
    loop {
        if let Some(verdict) = verdict(&receive(stream).await?, wanted) {
            return verdict;
        }
    }
}

async fn receive(stream: &mut UnixStream) -> io::Result<Vec<u8>> {
    let length = stream.read_u32().await?;
    if length > MESSAGE_MAX {
        return Err(io::Error::other("its answer is too long"));
    }
    let mut message = vec![0; usize::try_from(length).unwrap_or_default()];
    stream.read_exact(&mut message).await?;
    Ok(message)
}
