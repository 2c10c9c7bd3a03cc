//! Lambda Cloud, as far as checking an API key goes: `GET /instances`, answered by one thread.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

/// The key that is accepted.
pub const GOOD_KEY: &str = "good-key-4711";

/// A local API; it goes on until the test process ends.
pub struct Api {
    /// Value for `SOONG_LAMBDA_ENDPOINT`.
    pub url: String,
    /// A message for each request that has come.
    pub asked: Receiver<()>,
    answer: Sender<()>,
}

impl Api {
    /// Answers at once.
    pub fn start() -> Self {
        let api = Self::waiting();
        for _ in 0..100 {
            api.answer();
        }
        api
    }

    /// Answers a request once [`Api::answer`] says so.
    pub fn waiting() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (asking, asked) = channel();
        let (answer, answers) = channel();
        thread::spawn(move || {
            for stream in listener.incoming() {
                // The listener is gone once the test is over.
                let _ = serve(&stream.unwrap(), &asking, &answers);
            }
        });
        Self { url, asked, answer }
    }

    /// Lets one request have its answer.
    pub fn answer(&self) {
        self.answer.send(()).unwrap();
    }
}

fn serve(stream: &TcpStream, asking: &Sender<()>, answers: &Receiver<()>) -> std::io::Result<()> {
    let mut good = false;
    for line in BufReader::new(stream).lines() {
        let line = line?;
        good |= line.eq_ignore_ascii_case(&format!("authorization: Bearer {GOOD_KEY}"));
        if line.is_empty() {
            break;
        }
    }
    let _ = asking.send(());
    let _ = answers.recv();
    let (status, body) = if good {
        ("200 OK", "{\"data\": []}")
    } else {
        ("401 Unauthorized", "{\"error\": {\"code\": \"global/invalid-api-key\", \"message\": \"no\"}}")
    };
    let length = body.len();
    let head = format!("HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n");
    let mut stream = stream;
    stream.write_all(format!("{head}Connection: close\r\n\r\n{body}").as_bytes())
}
