//! One HTTP/1.1 exchange as bytes: composing a request, parsing the answer. The caller moves the bytes; the
//! connection ends with the answer (`Connection: close`).

use httparse::{EMPTY_HEADER, Header, Status};

use crate::error::{Error, Result};

/// Longest answer, in bytes.
pub const RESPONSE_MAX: usize = 1 << 20;

/// Response of the daemon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// Status code.
    pub status: u16,
    /// Body without transfer coding.
    pub body: Vec<u8>,
}

/// Returns the bytes of `GET path` with `token` as Bearer token.
pub fn get(path: &str, token: Option<&str>) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\n{}\r\n", headers(token)).into_bytes()
}

/// Returns the bytes of `POST path` with the URL-encoded `form` as body.
pub fn post(path: &str, token: Option<&str>, form: &str) -> Vec<u8> {
    let kind = "Content-Type: application/x-www-form-urlencoded";
    format!(
        "POST {path} HTTP/1.1\r\n{}{kind}\r\nContent-Length: {}\r\n\r\n{form}",
        headers(token),
        form.len()
    )
    .into_bytes()
}

fn headers(token: Option<&str>) -> String {
    let agent = concat!("soong/", env!("CARGO_PKG_VERSION"));
    let mut headers = format!(
        "Host: localhost\r\nUser-Agent: {agent}\r\nAccept: application/json\r\nConnection: close\r\n"
    );
    if let Some(token) = token {
        headers.push_str(&format!("Authorization: Bearer {token}\r\n"));
    }
    headers
}

/// Parses a complete answer; the error describes the fault.
pub fn parse_response(bytes: &[u8]) -> Result<Response> {
    const HEADERS_MAX: usize = 64;
    let mut headers = [EMPTY_HEADER; HEADERS_MAX];
    let mut response = httparse::Response::new(&mut headers);
    let length = match response.parse(bytes) {
        Ok(Status::Complete(length)) => length,
        Ok(Status::Partial) if bytes.is_empty() => {
            return Err(Error::failed("the connection closed without an answer"));
        }
        Ok(Status::Partial) => return Err(Error::failed("the answer is incomplete")),
        Err(_) => return Err(Error::failed("the answer is not HTTP")),
    };
    let body = &bytes[length..];
    let body = match body_kind(response.headers)? {
        Body::Chunked => unchunk(body)?,
        Body::Sized(size) => {
            body.get(..size).ok_or_else(|| Error::failed("the answer is incomplete"))?.to_vec()
        }
        Body::UntilEnd => body.to_vec(),
    };
    Ok(Response { status: response.code.unwrap_or_default(), body })
}

enum Body {
    Chunked,
    Sized(usize),
    UntilEnd,
}

fn body_kind(headers: &[Header<'_>]) -> Result<Body> {
    let value = |name: &str| {
        let header = headers.iter().find(|header| header.name.eq_ignore_ascii_case(name));
        header.map(|header| String::from_utf8_lossy(header.value).trim().to_owned())
    };
    if value("Transfer-Encoding").is_some_and(|coding| coding.eq_ignore_ascii_case("chunked")) {
        return Ok(Body::Chunked);
    }
    match value("Content-Length") {
        Some(length) => length.parse().map(Body::Sized).map_err(|_| Error::failed("the answer is not HTTP")),
        None => Ok(Body::UntilEnd),
    }
}

fn unchunk(mut bytes: &[u8]) -> Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let Ok(Status::Complete((start, size))) = httparse::parse_chunk_size(bytes) else {
            return Err(Error::failed("the answer is incomplete"));
        };
        if size == 0 {
            return Ok(body);
        }
        let end = usize::try_from(size).ok().and_then(|size| start.checked_add(size));
        let chunk = end
            .and_then(|end| bytes.get(start..end))
            .ok_or_else(|| Error::failed("the answer is incomplete"))?;
        body.extend_from_slice(chunk);
        bytes = bytes[start + chunk.len()..].strip_prefix(b"\r\n").unwrap_or_default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_says_who_asks() {
        let text = String::from_utf8(post("/extend", Some("s3cret"), "hours=2")).unwrap();
        assert!(text.starts_with("POST /extend HTTP/1.1\r\nHost: localhost\r\n"), "{text}");
        assert!(text.contains("\r\nAuthorization: Bearer s3cret\r\n"), "{text}");
        assert!(text.ends_with("\r\nContent-Length: 7\r\n\r\nhours=2"), "{text}");
    }

    #[test]
    fn answers_come_in_three_shapes() {
        let sized = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokrest";
        assert_eq!(parse_response(sized).unwrap(), Response { status: 200, body: b"ok".to_vec() });
        let chunked =
            b"HTTP/1.1 401 X\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n3;x\r\ncde\r\n0\r\n\r\n";
        assert_eq!(parse_response(chunked).unwrap(), Response { status: 401, body: b"abcde".to_vec() });
        assert_eq!(parse_response(b"HTTP/1.0 200 OK\r\n\r\nall").unwrap().body, b"all");
    }

    #[test]
    fn what_is_no_answer_is_refused() {
        for bytes in [
            &b""[..],
            b"SSH-2.0-x\r\n",
            b"HTTP/1.1 200 OK\r\nContent-",
            b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort",
            b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\nx",
        ] {
            assert!(parse_response(bytes).is_err(), "{}", String::from_utf8_lossy(bytes));
        }
    }
}
