//! A small HTTP server whose answers a test decides on: one request per connection, a thread each.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::{self, JoinHandle};

use super::ports;
use super::wait::DEADLINE;

/// A running server; it ends when this is dropped.
pub struct Server {
    pub port: u16,
    requests: Arc<Mutex<Vec<Request>>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// A request as it came.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// Method and target, such as `GET /status`.
    pub line: String,
    /// Value of the header `Authorization`.
    pub authorization: String,
    pub body: String,
}

/// Response to a request.
pub enum Reply {
    /// A status line without its version, such as `200 OK`, and a body.
    Json(String, String),
    /// These bytes, and then the connection is closed.
    Raw(Vec<u8>),
    /// Nothing, until the client hangs up.
    Silence,
    /// A byte of an answer now and then, without end.
    Drip,
}

impl Reply {
    /// An answer of success.
    pub fn ok(body: impl Into<String>) -> Self {
        Self::Json("200 OK".to_owned(), body.into())
    }

    /// An answer of failure, such as `401 Unauthorized`.
    pub fn error(status: &str, body: &str) -> Self {
        Self::Json(status.to_owned(), body.to_owned())
    }
}

impl Server {
    /// Starts a server on a free port of 127.0.0.1 that answers with what `answer` gives.
    pub fn start(answer: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Self {
        Self::on(ports::free(), answer)
    }

    /// The same on this port.
    pub fn on(port: u16, answer: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).unwrap();
        let (stop, requests) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(Vec::new())));
        let (stopping, log, answer) = (Arc::clone(&stop), Arc::clone(&requests), Arc::new(answer));
        let thread = thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if stopping.load(Ordering::Relaxed) {
                    return;
                }
                let (log, answer) = (Arc::clone(&log), Arc::clone(&answer));
                // A client that goes away in the middle is its own affair.
                thread::spawn(move || -> io::Result<()> {
                    let request = Request::read(&stream)?;
                    log.lock().unwrap().push(request.clone());
                    send(stream, answer(&request))
                });
            }
        });
        Self { port, requests, stop, thread: Some(thread) }
    }

    /// `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// All requests so far.
    pub fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }

    /// How many requests have had this line so far.
    pub fn count(&self, line: &str) -> usize {
        self.requests.lock().unwrap().iter().filter(|request| request.line == line).count()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        // `accept` has no other way to be woken.
        let _ = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port));
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Request {
    fn read(stream: &TcpStream) -> io::Result<Self> {
        let (mut reader, mut request, mut length) = (BufReader::new(stream), Self::default(), 0);
        let mut line = String::new();
        reader.read_line(&mut line)?;
        line.trim_end().trim_end_matches(" HTTP/1.1").clone_into(&mut request.line);
        loop {
            line.clear();
            reader.read_line(&mut line)?;
            let Some((name, value)) = line.trim_end().split_once(": ") else { break };
            match name.to_ascii_lowercase().as_str() {
                "authorization" => value.clone_into(&mut request.authorization),
                "content-length" => length = value.parse().map_err(io::Error::other)?,
                _ => {}
            }
        }
        reader.take(length).read_to_string(&mut request.body)?;
        Ok(request)
    }
}

fn send(mut stream: TcpStream, reply: Reply) -> io::Result<()> {
    match reply {
        Reply::Json(status, body) => {
            let length = body.len();
            let head = format!(
                "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n"
            );
            stream.write_all(format!("{head}Connection: close\r\n\r\n{body}").as_bytes())
        }
        Reply::Raw(bytes) => stream.write_all(&bytes),
        Reply::Silence => stream.read(&mut [0]).map(drop),
        Reply::Drip => {
            stream.write_all(b"HTTP/1.1 200 OK\r\nX: ")?;
            // How often is of no importance, as long as it is more often than a client gives up.
            stream.set_read_timeout(Some(std::time::Duration::from_millis(300)))?;
            while !matches!(stream.read(&mut [0]), Ok(0)) {
                stream.write_all(b"x")?;
            }
            Ok(())
        }
    }
}

/// Holds answers back until it is opened.
#[derive(Clone, Default)]
pub struct Gate(Arc<(Mutex<bool>, Condvar)>);

impl Gate {
    /// Lets everybody through.
    pub fn open(&self) {
        *self.0.0.lock().unwrap() = true;
        self.0.1.notify_all();
    }

    /// Waits until the gate is open, though not for ever.
    pub fn pass(&self) {
        let closed = self.0.0.lock().unwrap();
        drop(self.0.1.wait_timeout_while(closed, DEADLINE, |open| !*open).unwrap());
    }
}
