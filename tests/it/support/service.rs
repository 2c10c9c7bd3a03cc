//! An HTTP service like one on an instance: HTTP/1.1, a thread per connection.
//!
//! `GET /id` names the service, `GET /bytes/N` sends N bytes that depend on their position, `POST /digest`
//! answers with length and SHA-256 of the body, and `GET /meet/N` answers only when N such requests are
//! waiting at once.

use std::fmt::Write as _;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::{self, JoinHandle};

use sha2::{Digest, Sha256};

use super::ports;
use super::wait::DEADLINE;

/// A running service; it ends when this is dropped.
pub struct Service {
    pub name: &'static str,
    pub port: u16,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// Where requests to `/meet/N` wait for each other.
#[derive(Default)]
struct Meeting {
    arrived: Mutex<usize>,
    complete: Condvar,
}

impl Service {
    /// Starts a service on a free port of 127.0.0.1.
    pub fn start(name: &'static str) -> Self {
        Self::start_on(name, ports::free())
    }

    /// Starts a service on `port`, to replace another.
    pub fn start_on(name: &'static str, port: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let stopping = Arc::clone(&stop);
        let thread = thread::spawn(move || {
            let meeting = Arc::new(Meeting::default());
            for stream in listener.incoming().map_while(Result::ok) {
                if stopping.load(Ordering::Relaxed) {
                    return;
                }
                let meeting = Arc::clone(&meeting);
                // A client may disconnect at any time.
                thread::spawn(move || serve(&stream, name, &meeting));
            }
        });
        Self { name, port, stop, thread: Some(thread) }
    }
}

impl Service {
    /// Stops accepting connections; its port is free when this returns.
    pub fn stop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        // `accept` has no other way to be woken.
        let _ = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port));
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Answers the requests of one connection until the client closes it.
fn serve(stream: &TcpStream, name: &str, meeting: &Meeting) -> io::Result<()> {
    let mut reader = BufReader::with_capacity(1 << 16, stream);
    while let Some(request) = Request::read(&mut reader)? {
        answer(stream, &mut reader, &request, name, meeting)?;
    }
    stream.shutdown(Shutdown::Both)
}

/// Relevant parts of a request's head.
struct Request {
    target: String,
    length: u64,
    expects_continue: bool,
}

impl Request {
    /// Reads one head; `None` when the client has closed the connection.
    fn read(reader: &mut impl BufRead) -> io::Result<Option<Self>> {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        let target = line.split(' ').nth(1).unwrap_or_default().to_owned();
        let (mut length, mut expects_continue) = (0, false);
        loop {
            line.clear();
            reader.read_line(&mut line)?;
            let Some((header, value)) = line.trim_end().split_once(':') else {
                break;
            };
            match header.to_ascii_lowercase().as_str() {
                "content-length" => length = value.trim().parse().map_err(io::Error::other)?,
                "expect" => expects_continue = true,
                _ => {}
            }
        }
        Ok(Some(Self { target, length, expects_continue }))
    }
}

/// Answers one request, whose body has not been read yet.
fn answer(
    mut stream: &TcpStream,
    reader: &mut impl Read,
    request: &Request,
    name: &str,
    meeting: &Meeting,
) -> io::Result<()> {
    if request.expects_continue {
        stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
    }
    let digest = digest(&mut reader.take(request.length))?;
    let mut path = request.target.split('/').skip(1);
    let number = |text: Option<&str>| text.and_then(|text| text.parse().ok()).unwrap_or(0);
    match path.next() {
        Some("id") => reply(stream, name),
        Some("digest") => reply(stream, &format!("{} {digest}", request.length)),
        Some("bytes") => {
            let length = number(path.next());
            head(stream, 200, length)?;
            io::copy(&mut Pattern::new(length), &mut stream).map(drop)
        }
        Some("meet") => {
            let guests = usize::try_from(number(path.next())).unwrap();
            let met = meeting.wait_for(guests);
            reply(stream, if met { "met" } else { "alone" })
        }
        _ => head(stream, 404, 0),
    }
}

fn reply(mut stream: &TcpStream, text: &str) -> io::Result<()> {
    head(stream, 200, text.len() as u64)?;
    stream.write_all(text.as_bytes())
}

fn head(mut stream: &TcpStream, status: u16, length: u64) -> io::Result<()> {
    let head = format!("HTTP/1.1 {status} -\r\nContent-Length: {length}\r\n\r\n");
    stream.write_all(head.as_bytes())
}

impl Meeting {
    /// Waits until `guests` requests wait here. Returns false if they do not come.
    fn wait_for(&self, guests: usize) -> bool {
        let mut arrived = self.arrived.lock().unwrap();
        *arrived += 1;
        self.complete.notify_all();
        let (_guard, timeout) =
            self.complete.wait_timeout_while(arrived, DEADLINE, |arrived| *arrived < guests).unwrap();
        !timeout.timed_out()
    }
}

/// Returns the SHA-256 of all data from `source`, in hexadecimal.
pub fn digest(source: &mut impl Read) -> io::Result<String> {
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        let read = source.read(&mut buffer)?;
        if read == 0 {
            break;
        }
        hasher.update(&buffer[..read]);
    }
    Ok(hasher.finalize().iter().fold(String::new(), |mut hex, byte| {
        write!(hex, "{byte:02x}").unwrap();
        hex
    }))
}

/// Returns `length` bytes in which every eight encode their position, so that a lost, doubled or moved piece
/// is noticed.
pub struct Pattern {
    position: u64,
    length: u64,
}

impl Pattern {
    pub fn new(length: u64) -> Self {
        Self { position: 0, length }
    }
}

impl Read for Pattern {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.length - self.position;
        let size = buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        let mut done = 0;
        while done < size {
            let word = mix(self.position / 8).to_le_bytes();
            let from = usize::try_from(self.position % 8).unwrap();
            let piece = (size - done).min(8 - from);
            buffer[done..done + piece].copy_from_slice(&word[from..from + piece]);
            done += piece;
            self.position += piece as u64;
        }
        Ok(size)
    }
}

/// Returns a number that looks random and depends on `index` alone: the finalizer of the `SplitMix64`
/// generator.
fn mix(index: u64) -> u64 {
    let mut value = index.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}
