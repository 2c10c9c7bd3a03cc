//! Talking to the ssh that carries a tunnel, through its control socket: OpenSSH's multiplexing
//! protocol, version 4 (`PROTOCOL.mux` in its sources), as far as forwards need it.
//!
//! A message is its length and then its fields, big-endian; texts carry their length before them.

mod reach;

use std::io::{self, IoSlice};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::path::Path;
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::socket::{ControlMessage, MsgFlags, recv, sendmsg};
use tokio::io::{AsyncReadExt, AsyncWriteExt, Interest};
use tokio::net::UnixStream;
use tokio::time::timeout;

pub use self::reach::reach;
use crate::forwarding::{Listen, Target};

const HELLO: u32 = 0x0000_0001;
const VERSION: u32 = 4;
const OPEN_FORWARD: u32 = 0x1000_0006;
const CLOSE_FORWARD: u32 = 0x1000_0007;
const NEW_STDIO_FORWARD: u32 = 0x1000_0008;
const OK: u32 = 0x8000_0001;
const PERMISSION_DENIED: u32 = 0x8000_0002;
const FAILURE: u32 = 0x8000_0003;
const SESSION_OPENED: u32 = 0x8000_0006;

/// What stands in place of a port where a path stands in place of a host.
const NO_PORT: u32 = 0xffff_fffe;

/// The longest message taken from ssh, in bytes.
const MESSAGE_MAX: u32 = 16 * 1024;

/// How long ssh and the server may take to set a forward up.
const PATIENCE: Duration = Duration::from_secs(5);

/// Every connection asks for one thing only.
const REQUEST: u32 = 1;

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
    _mux: UnixStream,
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
        answer(&mut stream, OK).await.map(drop)
    })
    .await
}

/// Connects to `target` through the server. Waits for as long as the server takes, which knows when
/// to give up; ssh is given a moment.
pub async fn connect(control: &Path, target: &Target) -> Result<Channel, Refusal> {
    // Two pairs, because a socket that is both ends at once could not be closed in one direction.
    let ((up, theirs_in), (down, theirs_out)) = (UnixStream::pair()?, UnixStream::pair()?);
    let mut offer = request(control, target, [theirs_in.as_fd(), theirs_out.as_fd()]).await?;
    drop((theirs_in, theirs_out));
    offer.opened().await?;
    Ok(Channel { up, down, _mux: offer.mux })
}

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
async fn request(control: &Path, target: &Target, ends: [BorrowedFd<'_>; 2]) -> io::Result<Offer> {
    let mut message = Message::new(NEW_STDIO_FORWARD);
    message.text("");
    message.target(target);
    let work = async {
        let mut mux = UnixStream::connect(control).await?;
        mux.write_all(&[hello(), message.bytes()].concat()).await?;
        for end in ends {
            send_descriptor(&mux, end).await?;
        }
        Ok(Offer { mux })
    };
    timeout(PATIENCE, work).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
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

fn hello() -> Vec<u8> {
    let mut hello = Message { body: HELLO.to_be_bytes().to_vec() };
    hello.number(VERSION);
    hello.bytes()
}

async fn hear_hello(stream: &mut UnixStream) -> io::Result<()> {
    let answer = receive(stream).await?;
    let mut fields = Fields(&answer);
    if fields.number() == Some(HELLO) && fields.number() == Some(VERSION) {
        Ok(())
    } else {
        Err(io::Error::other("it speaks another version of its protocol"))
    }
}

/// Reads the answer to the request, which should be `wanted`; returns what it says besides that.
async fn answer(stream: &mut UnixStream, wanted: u32) -> Result<Vec<u8>, Refusal> {
    loop {
        let answer = receive(stream).await?;
        let mut fields = Fields(&answer);
        let (kind, request) = (fields.number(), fields.number());
        if request != Some(REQUEST) {
            continue;
        }
        match kind {
            Some(kind) if kind == wanted => return Ok(fields.0.to_vec()),
            Some(PERMISSION_DENIED | FAILURE) => {
                return Err(Refusal::Refused(fields.text().unwrap_or_default()));
            }
            // About something that was not asked.
            _ => {}
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

/// Descriptors travel one by one, each with a byte of its own.
async fn send_descriptor(stream: &UnixStream, descriptor: BorrowedFd<'_>) -> io::Result<()> {
    stream
        .async_io(Interest::WRITABLE, || {
            let descriptors = [descriptor.as_raw_fd()];
            let rights = [ControlMessage::ScmRights(&descriptors)];
            let byte = [IoSlice::new(&[0])];
            sendmsg::<()>(stream.as_raw_fd(), &byte, &rights, MsgFlags::empty(), None)?;
            Ok(())
        })
        .await
}

/// A message as it is built.
struct Message {
    body: Vec<u8>,
}

impl Message {
    /// A request for `what`.
    fn new(what: u32) -> Self {
        let mut message = Self { body: what.to_be_bytes().to_vec() };
        message.number(REQUEST);
        message
    }

    fn number(&mut self, number: u32) {
        self.body.extend(number.to_be_bytes());
    }

    fn text(&mut self, text: &str) {
        self.number(u32::try_from(text.len()).unwrap_or_default());
        self.body.extend(text.as_bytes());
    }

    fn place(&mut self, host: &str, port: u32) {
        self.text(host);
        self.number(port);
    }

    fn target(&mut self, target: &Target) {
        match target {
            Target::Port(host, port) => self.place(host, (*port).into()),
            Target::Socket(path) => self.place(&path.to_string_lossy(), NO_PORT),
        }
    }

    fn bytes(&self) -> Vec<u8> {
        let length = u32::try_from(self.body.len()).unwrap_or_default();
        [&length.to_be_bytes(), self.body.as_slice()].concat()
    }
}

/// A message as it is read.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn number(&mut self) -> Option<u32> {
        let (number, rest) = self.0.split_first_chunk::<4>()?;
        self.0 = rest;
        Some(u32::from_be_bytes(*number))
    }

    fn text(&mut self) -> Option<String> {
        let length = usize::try_from(self.number()?).ok()?;
        Some(String::from_utf8_lossy(self.0.get(..length)?).into_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_its_length_and_its_fields() {
        let mut message = Message::new(OPEN_FORWARD);
        message.number(Side::Local as u32);
        message.place("/x", NO_PORT);
        message.target(&Target::Port("h".into(), 258));
        let expected: &[u8] =
            b"\0\0\0\x1f\x10\0\0\x06\0\0\0\x01\0\0\0\x01\0\0\0\x02/x\xff\xff\xff\xfe\0\0\0\x01h\0\0\x01\x02";
        assert_eq!(message.bytes(), expected);
    }

    #[test]
    fn what_is_cut_short_is_nothing() {
        assert_eq!(Fields(b"\0\0\0\x03ab").text(), None);
        assert_eq!(Fields(b"\0\0\0\x02ab").text().as_deref(), Some("ab"));
        assert_eq!(Fields(b"\0\0\0").number(), None);
    }
}
