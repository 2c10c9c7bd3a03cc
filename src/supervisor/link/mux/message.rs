//! Messages of the multiplexing protocol.
//!
//! A message is its length and its fields, big-endian; strings have their length before them.

use std::io::{self, IoSlice};
use std::os::fd::{AsRawFd, BorrowedFd};

use nix::sys::socket::{ControlMessage, MsgFlags, sendmsg};

use crate::config::forwarding::{ForwardSpec, Kind, Listen, Target};

pub(super) const HELLO: u32 = 0x0000_0001;
pub(super) const VERSION: u32 = 4;
pub(super) const OPEN_FORWARD: u32 = 0x1000_0006;
pub(super) const CLOSE_FORWARD: u32 = 0x1000_0007;
pub(super) const NEW_STDIO_FORWARD: u32 = 0x1000_0008;
pub(super) const OK: u32 = 0x8000_0001;
pub(super) const PERMISSION_DENIED: u32 = 0x8000_0002;
pub(super) const FAILURE: u32 = 0x8000_0003;
pub(super) const SESSION_OPENED: u32 = 0x8000_0006;

/// Port value for a Unix socket, whose path takes the place of the host.
pub(super) const NO_PORT: u32 = 0xffff_fffe;

/// Request id; each connection sends one request.
pub(super) const REQUEST: u32 = 1;

/// Reason why ssh does not fulfil a request.
#[derive(Debug)]
pub enum Refusal {
    /// ssh or the server refuses; the text is the reason.
    Refused(String),
    /// ssh does not answer.
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
            Self::Silent(error) => write!(f, "ssh is not answering: {error}"),
        }
    }
}

/// Returns the first message of either side, with the protocol version.
pub(super) fn hello() -> Vec<u8> {
    let mut hello = Message { body: HELLO.to_be_bytes().to_vec() };
    hello.number(VERSION);
    hello.bytes()
}

/// Checks that `message` is the peer's hello in our version.
pub(super) fn check_hello(message: &[u8]) -> io::Result<()> {
    let mut fields = Fields(message);
    if fields.number() == Some(HELLO) && fields.number() == Some(VERSION) {
        Ok(())
    } else {
        Err(io::Error::other("it uses another protocol version"))
    }
}

/// Returns the result in `message`, where `wanted` means success; `None` for messages about something else.
pub(super) fn verdict(message: &[u8], wanted: u32) -> Option<Result<(), Refusal>> {
    let mut fields = Fields(message);
    let (kind, request) = (fields.number()?, fields.number()?);
    match kind {
        _ if request != REQUEST => None,
        kind if kind == wanted => Some(Ok(())),
        PERMISSION_DENIED | FAILURE => Some(Err(Refusal::Refused(fields.text().unwrap_or_default()))),
        _ => None,
    }
}

/// Returns the request to connect the descriptors that follow with `target`.
pub(super) fn stdio_forward(target: &Target) -> Vec<u8> {
    let mut message = Message::new(NEW_STDIO_FORWARD);
    message.text("");
    message.target(target);
    message.bytes()
}

/// Returns the request to open or close (`what`) a forward, whose type is ssh's `MUX_FWD_…`.
pub(super) fn forward(what: u32, spec: &ForwardSpec) -> Vec<u8> {
    let mut message = Message::new(what);
    message.number(match spec.kind() {
        Kind::Local => 1,
        Kind::Remote => 2,
        Kind::Socks => 3,
    });
    match spec.listen() {
        // An empty address means localhost, as without one.
        Listen::Port(port) => message.place("", port.into()),
        Listen::Socket(path) => message.place(&path.to_string_lossy(), NO_PORT),
    }
    match spec.target() {
        Some(target) => message.target(target),
        None => message.place("", 0),
    }
    message.bytes()
}

/// Sends ssh a descriptor after the request that needs it: each one with a byte of its own.
pub(super) fn send_descriptor(stream: BorrowedFd<'_>, descriptor: BorrowedFd<'_>) -> io::Result<()> {
    let descriptors = [descriptor.as_raw_fd()];
    let rights = [ControlMessage::ScmRights(&descriptors)];
    let byte = [IoSlice::new(&[0])];
    sendmsg::<()>(stream.as_raw_fd(), &byte, &rights, MsgFlags::empty(), None)?;
    Ok(())
}

/// A message to send.
pub(super) struct Message {
    pub(super) body: Vec<u8>,
}

impl Message {
    /// Returns a request of type `what`.
    pub(super) fn new(what: u32) -> Self {
        let mut message = Self { body: what.to_be_bytes().to_vec() };
        message.number(REQUEST);
        message
    }

    pub(super) fn number(&mut self, number: u32) {
        self.body.extend(number.to_be_bytes());
    }

    pub(super) fn text(&mut self, text: &str) {
        self.number(u32::try_from(text.len()).unwrap_or_default());
        self.body.extend(text.as_bytes());
    }

    pub(super) fn place(&mut self, host: &str, port: u32) {
        self.text(host);
        self.number(port);
    }

    pub(super) fn target(&mut self, target: &Target) {
        match target {
            Target::Port(host, port) => self.place(host, (*port).into()),
            Target::Socket(path) => self.place(&path.to_string_lossy(), NO_PORT),
        }
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        let length = u32::try_from(self.body.len()).unwrap_or_default();
        [&length.to_be_bytes(), self.body.as_slice()].concat()
    }
}

/// A received message.
pub(super) struct Fields<'a>(pub(super) &'a [u8]);

impl Fields<'_> {
    pub(super) fn number(&mut self) -> Option<u32> {
        let (number, rest) = self.0.split_first_chunk::<4>()?;
        self.0 = rest;
        Some(u32::from_be_bytes(*number))
    }

    pub(super) fn text(&mut self) -> Option<String> {
        let length = usize::try_from(self.number()?).ok()?;
        Some(String::from_utf8_lossy(self.0.get(..length)?).into_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_its_length_and_its_fields() {
        let request = forward(OPEN_FORWARD, &"local /x:h:258".parse().unwrap());
        let expected: &[u8] =
            b"\0\0\0\x1f\x10\0\0\x06\0\0\0\x01\0\0\0\x01\0\0\0\x02/x\xff\xff\xff\xfe\0\0\0\x01h\0\0\x01\x02";
        assert_eq!(request, expected);
    }

    #[test]
    fn what_is_cut_short_is_nothing() {
        assert_eq!(Fields(b"\0\0\0\x03ab").text(), None);
        assert_eq!(Fields(b"\0\0\0\x02ab").text().as_deref(), Some("ab"));
        assert_eq!(Fields(b"\0\0\0").number(), None);
    }
}
