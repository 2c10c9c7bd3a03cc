//! A service that sends and takes as many bytes as its client names, and its client.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use soong::error::Result;

use super::sandbox::failed;
use super::sshd::free_port;

/// First message of a client: the number of bytes that it wants (`GET`) or sends (`PUT`), in hexadecimal
/// digits.
type Head = [u8; 16];

/// Starts the service, which ends with this process. Returns its port.
pub fn serve() -> Result<u16> {
    let port = free_port()?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).map_err(|error| failed("listen", error))?;
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(move || answer(stream));
        }
    });
    Ok(port)
}

fn answer(mut stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut buffer = vec![0; 256 << 10];
    loop {
        let mut head: Head = [0; 16];
        stream.read_exact(&mut head)?;
        let digits = String::from_utf8_lossy(&head[4..]);
        let mut left = usize::from_str_radix(&digits, 16).map_err(io::Error::other)?;
        if head.starts_with(b"GET ") {
            send(&mut stream, left)?;
            continue;
        }
        while left > 0 {
            match stream.read(&mut buffer)? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                read => left = left.saturating_sub(read),
            }
        }
        stream.write_all(&[0])?;
    }
}

fn head(method: &str, length: usize) -> Head {
    let mut head = [0; 16];
    head.copy_from_slice(format!("{method} {length:012x}").as_bytes());
    head
}

/// Receives `length` bytes through a new connection.
pub fn download(port: u16, length: usize) -> io::Result<()> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.write_all(&head("GET", length))?;
    let mut buffer = vec![0; 256 << 10];
    let mut left = length;
    while left > 0 {
        match stream.read(&mut buffer)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            read => left -= read,
        }
    }
    Ok(())
}

/// Sends `length` bytes through a new connection and waits until the service has them.
pub fn upload(port: u16, length: usize) -> io::Result<()> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.write_all(&head("PUT", length))?;
    send(&mut stream, length)?;
    stream.read_exact(&mut [0])
}

fn send(stream: &mut TcpStream, mut left: usize) -> io::Result<()> {
    let bytes = vec![0x55; left.min(256 << 10)];
    while left > 0 {
        let piece = left.min(bytes.len());
        stream.write_all(&bytes[..piece])?;
        left -= piece;
    }
    Ok(())
}

/// Asks for one byte. Returns the time until it is there.
pub fn request(stream: &mut TcpStream) -> io::Result<Duration> {
    let begun = Instant::now();
    stream.write_all(&head("GET", 1))?;
    stream.read_exact(&mut [0])?;
    Ok(begun.elapsed())
}
