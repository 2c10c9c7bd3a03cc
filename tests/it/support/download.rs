//! A download that is under way.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use super::service::Pattern;
use super::wait::DEADLINE;

/// Asks the service behind a local port for `length` bytes. Returns the connection once they begin to arrive.
pub fn begin(port: u16, length: u64) -> TcpStream {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    write!(stream, "GET /bytes/{length} HTTP/1.1\r\n\r\n").unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        head.extend(byte);
    }
    stream
}

/// Reads the `length` bytes of `stream` and compares them with those that were sent.
#[track_caller]
pub fn finish(stream: &mut TcpStream, length: u64) {
    let (mut got, mut expected) = (vec![0; usize::try_from(length).unwrap()], Vec::new());
    stream.read_exact(&mut got).unwrap();
    Pattern::new(length).read_to_end(&mut expected).unwrap();
    assert!(got == expected);
}
