//! Conversations in the protocols of redis (RESP3) and postgres, byte for byte.

use std::net::{Shutdown, TcpStream};

use super::rows::{exact, send};
use super::{Seen, read_to_end};

/// Side that sends.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Side {
    Client,
    Server,
}

/// A conversation, in the order in which it is held.
pub type Script = &'static [(Side, &'static [u8])];

pub const REDIS: Script = &[
    (Side::Client, b"*2\r\n$5\r\nHELLO\r\n$1\r\n3\r\n"),
    (Side::Server, b"%1\r\n$6\r\nserver\r\n$5\r\nredis\r\n"),
    // A pipeline.
    (Side::Client, b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\nv\r\n*2\r\n$3\r\nGET\r\n$1\r\nk\r\n"),
    (Side::Server, b"+OK\r\n$1\r\nv\r\n"),
    (Side::Client, b"*2\r\n$9\r\nSUBSCRIBE\r\n$1\r\nc\r\n"),
    (Side::Server, b">3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n"),
    // The server speaks by itself.
    (Side::Server, b">3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$5\r\nhello\r\n"),
    (Side::Client, b"*1\r\n$4\r\nQUIT\r\n"),
    (Side::Server, b"+OK\r\n"),
];

pub const POSTGRES: Script = &[
    // SSLRequest, refused; StartupMessage.
    (Side::Client, b"\0\0\0\x08\x04\xd2\x16\x2f"),
    (Side::Server, b"N"),
    (Side::Client, b"\0\0\0\x10\0\x03\0\0user\0me\0\0"),
    // AuthenticationOk, ReadyForQuery.
    (Side::Server, b"R\0\0\0\x08\0\0\0\0Z\0\0\0\x05I"),
    (Side::Client, b"Q\0\0\0\x0dselect 1\0"),
    // RowDescription, DataRow, CommandComplete, ReadyForQuery.
    (Side::Server, b"T\0\0\0\x1b\0\x01a\0\0\0\0\0\0\0\0\0\0\x17\0\x04\xff\xff\xff\xff\0\0"),
    (Side::Server, b"D\0\0\0\x0b\0\x01\0\0\0\x011C\0\0\0\x0dSELECT 1\0Z\0\0\0\x05I"),
    // Terminate.
    (Side::Client, b"X\0\0\0\x04"),
];

/// Plays one side of `script`; returns what the other said.
pub fn play(stream: &TcpStream, script: Script, side: Side) -> Seen {
    let mut seen = Vec::new();
    for (who, bytes) in script {
        if *who == side {
            send(stream, bytes);
        } else {
            seen.extend(exact(stream, bytes.len()));
        }
    }
    if side == Side::Client {
        stream.shutdown(Shutdown::Write).unwrap();
    }
    let (rest, end) = read_to_end(stream);
    seen.extend(rest);
    (seen, end)
}
