//! As much of HTTP/1.1 as the tour's services and its own requests need: bodies of a stated length,
//! one request after another on a connection.

use std::io;

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufStream};
use tokio::net::{TcpListener, TcpStream};

/// No head and no body of ours comes near this; a peer that sends more is not one of ours.
const LIMIT: usize = 1024 * 1024;

/// A request or a response: the two differ in their first line only.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    /// The first line, without its end: `GET / HTTP/1.1`, `HTTP/1.1 200 OK`.
    pub start: String,
    /// Header fields in the order they were sent.
    pub headers: Vec<(String, String)>,
    /// The body, empty when there is none.
    pub body: Vec<u8>,
}

impl Message {
    /// A request for `path`, with a body when `body` is not empty.
    pub fn request(method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Self {
        Self::new(format!("{method} {path} HTTP/1.1"), headers, body)
    }

    /// A response; `status` is the code and its reason: `200 OK`.
    pub fn response(status: &str, headers: &[(&str, &str)], body: &str) -> Self {
        Self::new(format!("HTTP/1.1 {status}"), headers, body)
    }

    fn new(start: String, headers: &[(&str, &str)], body: &str) -> Self {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Self { start, headers: headers.collect(), body: body.as_bytes().to_vec() }
    }

    /// The value of the header `name`, whatever its case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let field = self.headers.iter().find(|(field, _)| field.eq_ignore_ascii_case(name));
        field.map(|(_, value)| value.as_str())
    }

    /// The body as text; what is not UTF-8 is replaced.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// Reads one message; `None` when the peer has no more to say.
    async fn read<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut BufStream<S>) -> io::Result<Option<Self>> {
        let Some(start) = read_line(stream).await? else { return Ok(None) };
        let mut message = Self::new(start, &[], "");
        loop {
            let line = read_line(stream).await?.ok_or(io::ErrorKind::UnexpectedEof)?;
            if line.is_empty() {
                break;
            }
            let (name, value) = line.split_once(':').ok_or_else(|| malformed(&line))?;
            message.headers.push((name.to_owned(), value.trim().to_owned()));
        }
        if let Some(length) = message.header("content-length") {
            let length =
                length.parse().ok().filter(|length| *length <= LIMIT).ok_or_else(|| malformed(length))?;
            message.body.resize(length, 0);
            stream.read_exact(&mut message.body).await?;
        }
        Ok(Some(message))
    }

    async fn write<S: AsyncRead + AsyncWrite + Unpin>(&self, stream: &mut BufStream<S>) -> io::Result<()> {
        stream.write_all(format!("{}\r\n", self.start).as_bytes()).await?;
        for (name, value) in &self.headers {
            stream.write_all(format!("{name}: {value}\r\n").as_bytes()).await?;
        }
        stream.write_all(format!("Content-Length: {}\r\n\r\n", self.body.len()).as_bytes()).await?;
        stream.write_all(&self.body).await?;
        stream.flush().await
    }
}

/// One line without its end; `None` at the end of the stream.
async fn read_line<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut BufStream<S>,
) -> io::Result<Option<String>> {
    let mut line = String::new();
    if (&mut *stream).take(LIMIT as u64).read_line(&mut line).await? == 0 {
        return Ok(None);
    }
    let text = line.strip_suffix('\n').ok_or_else(|| malformed("a line without an end"))?;
    Ok(Some(text.trim_end_matches('\r').to_owned()))
}

fn malformed(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("not HTTP as we speak it: {what}"))
}

/// Answers every request on every connection with what `answer` returns, until it is dropped.
pub async fn serve<A>(listener: TcpListener, answer: A)
where
    A: Fn(&Message) -> Message + Clone + Send + 'static,
{
    // A failed accept is about that one connection, which has ended before it began.
    loop {
        if let Ok((stream, _)) = listener.accept().await {
            let answer = answer.clone();
            tokio::spawn(async move {
                let mut stream = BufStream::new(stream);
                while let Ok(Some(request)) = Message::read(&mut stream).await {
                    if answer(&request).write(&mut stream).await.is_err() {
                        break;
                    }
                }
            });
        }
    }
}

/// Sends `request` to `localhost:port` and returns the response.
pub async fn fetch(port: u16, request: &Message) -> io::Result<Message> {
    let mut stream = BufStream::new(TcpStream::connect(("localhost", port)).await?);
    request.write(&mut stream).await?;
    Message::read(&mut stream).await?.ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
}
