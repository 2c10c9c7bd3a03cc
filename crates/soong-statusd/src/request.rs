//! `soong-statusd keep` and `extend`: requests by a user of the machine to the daemon that runs there.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use crate::config::Config;
use crate::error::{Error, Result};

/// Time for the daemon to answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// Longest answer, in bytes.
const ANSWER_MAX: u64 = 1 << 16;

/// Asks for no idle shutdown for `time`. Returns a sentence about the result.
pub fn keep(config: &Path, time: Duration) -> Result<String> {
    let minutes = time.as_secs().div_ceil(60);
    let answer = post(config, "/keep", &format!("minutes={minutes}"))?;
    Ok(sentence("no idle shutdown until", &answer, "kept_until"))
}

/// Extends the lease by `time`. Returns a sentence about the result.
pub fn extend(config: &Path, time: Duration) -> Result<String> {
    let hours = time.as_secs_f64() / 3600.0;
    let answer = post(config, "/extend", &format!("hours={hours}"))?;
    Ok(sentence("the lease ends at", &answer, "new_shutdown_at"))
}

fn sentence(what: &str, answer: &Value, key: &str) -> String {
    let time = answer[key].as_str().unwrap_or("an unknown time");
    let message = answer["message"].as_str().map(|message| format!("; {message}"));
    format!("{what} {time}{}", message.unwrap_or_default())
}

/// Sends `form` to the daemon that runs with `config`; returns its answer.
fn post(config: &Path, path: &str, form: &str) -> Result<Value> {
    let (config, token) = Config::load_with_token(config)?;
    let address = reachable(config.listen);
    let request = format!(
        "POST {path} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{form}",
        form.len()
    );
    let answer = exchange(address, &request).map_err(|error| {
        let error = Error::new(format!("the daemon at {address} does not answer: {error}"));
        error.with_hint("see whether it runs: systemctl status soong-statusd")
    })?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let body: Value = serde_json::from_str(body).unwrap_or_default();
    if head.split(' ').nth(1) == Some("200") {
        return Ok(body);
    }
    let reason = body["error"]
        .as_str()
        .map_or_else(|| head.lines().next().unwrap_or_default().to_owned(), str::to_owned);
    Err(Error::new(reason))
}

fn exchange(address: SocketAddr, request: &str) -> io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.write_all(request.as_bytes())?;
    let mut answer = String::new();
    stream.take(ANSWER_MAX).read_to_string(&mut answer)?;
    Ok(answer)
}

/// Returns an address of this machine at which a daemon that listens on `listen` is reached.
fn reachable(listen: SocketAddr) -> SocketAddr {
    match listen {
        SocketAddr::V4(v4) if v4.ip().is_unspecified() => (Ipv4Addr::LOCALHOST, v4.port()).into(),
        SocketAddr::V6(v6) if v6.ip().is_unspecified() => (Ipv6Addr::LOCALHOST, v6.port()).into(),
        own => own,
    }
}
