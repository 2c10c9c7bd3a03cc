//! Talking to the daemon, for commands: over the forward of a running tunnel, else through an ssh
//! of its own that carries this one exchange.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use super::PATIENCE;
use super::http::ANSWER_MAX;
use crate::error::{Error, Result};
use crate::ssh::Login;
use crate::ssh::failure;

/// Sends `request` to the Unix socket that a tunnel forwards to the daemon; returns the answer.
pub fn through_tunnel(socket: &Path, request: &[u8]) -> Result<Vec<u8>> {
    let exchange = || -> io::Result<Vec<u8>> {
        let mut stream = UnixStream::connect(socket)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        stream.write_all(request)?;
        read_answer(&mut stream)
    };
    exchange().map_err(|source| match source.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => silent(),
        io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => absent(),
        _ => Error::Io {
            action: "cannot reach the status daemon through the tunnel".into(),
            source,
            hint: None,
        },
    })
}

/// Sends `request` to the daemon on `port` of the instance through an ssh of its own; returns the
/// answer.
pub fn through_ssh(login: &Login, port: u16, request: &[u8]) -> Result<Vec<u8>> {
    let at_fault = |source| Error::Io { action: "cannot run ssh".into(), source, hint: None };
    let mut child = Command::new(&login.program)
        .args(login.stdio_arguments("localhost", port))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(at_fault)?;
    let answer = converse(&mut child, request, Duration::from_secs(login.connect_timeout) + PATIENCE);
    // Our own child, not yet waited for; when all went well it has ended already.
    let _ = child.kill();
    let mut said = String::new();
    if let Some(stderr) = child.stderr.take() {
        let _ = stderr.take(1 << 16).read_to_string(&mut said);
    }
    let _ = child.wait();
    match answer {
        Ok(answer) if answer.is_empty() => Err(refused(&said, login)),
        Ok(answer) => Ok(answer),
        Err(error) if error.kind() == io::ErrorKind::TimedOut => Err(silent()),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Err(refused(&said, login)),
        Err(error) => Err(at_fault(error)),
    }
}

fn converse(child: &mut Child, request: &[u8], patience: Duration) -> io::Result<Vec<u8>> {
    let (Some(mut input), Some(mut output)) = (child.stdin.take(), child.stdout.take()) else {
        return Err(io::Error::other("ssh has no standard streams"));
    };
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || sender.send(read_answer(&mut output)));
    input.write_all(request)?;
    // Kept open: a daemon may take the end of the request for the end of interest in the answer.
    let answer = receiver.recv_timeout(patience).map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?;
    drop(input);
    answer
}

fn read_answer(stream: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut answer = Vec::new();
    stream.take(ANSWER_MAX as u64).read_to_end(&mut answer)?;
    Ok(answer)
}

fn silent() -> Error {
    Error::failed("the status daemon does not answer")
        .with_hint("see how it is doing: soong ssh -- systemctl status status-daemon")
}

/// The error for a connection that was closed without an answer.
pub fn absent() -> Error {
    Error::failed("nothing answers on the status daemon's port of the instance").with_hint(
        "see whether the daemon runs: soong ssh; its port is set below [services] in config.toml: status = PORT",
    )
}

/// ssh reports a port that nobody listens on; anything else is trouble with ssh itself.
fn refused(said: &str, login: &Login) -> Error {
    let lines: Vec<String> = said.lines().map(str::to_owned).collect();
    if lines.is_empty()
        || lines.iter().any(|line| line.contains("open failed") || line.contains("stdio forwarding failed"))
    {
        return absent();
    }
    let failure = failure::classify(&lines);
    let error = Error::failed(format!("cannot reach the instance: {}", failure.reason));
    failure::hints(failure.kind, login).into_iter().fold(error, Error::with_hint)
}
