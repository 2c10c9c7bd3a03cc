//! Requests to the status daemon: through the forward of a running tunnel, or over an ssh of their own.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use crate::config::instance::Instance;
use crate::daemon::http::RESPONSE_MAX;
use crate::error::{Error, Result};
use crate::openssh::{Login, failure, log_lines};
use crate::system::deadline_stream::{DeadlineStream, is_late};
use crate::terminal::printable;

/// Time limit of one exchange.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// Sends `request` through the Unix socket that the tunnel forwards to the daemon; returns the answer.
pub fn through_tunnel(socket: &Path, instance: &Instance, request: &[u8]) -> Result<Vec<u8>> {
    let exchange = || -> io::Result<Vec<u8>> {
        let mut stream = DeadlineStream::new(UnixStream::connect(socket)?, PATIENCE);
        stream.write_all(request)?;
        read_answer(&mut stream)
    };
    match exchange() {
        Ok(answer) if answer.is_empty() => Err(absent(instance)),
        Ok(answer) => Ok(answer),
        Err(source) => Err(match source.kind() {
            _ if is_late(&source) => silent(instance),
            io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => absent(instance),
            _ => Error::cannot("reach the status daemon through the tunnel", source),
        }),
    }
}

/// Sends `request` to `port` on the instance over a separate ssh; returns the answer.
pub fn through_ssh(login: &Login, port: u16, request: &[u8]) -> Result<Vec<u8>> {
    let at_fault = |source| Error::cannot("run ssh", source);
    let mut child = Command::new(&login.program)
        .args(login.stdio_arguments("localhost", port))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(at_fault)?;
    let answer = converse(&mut child, request, Duration::from_secs(login.connect_timeout) + PATIENCE);
    // After the last output, ssh's exit code tells whether ssh or the daemon closed the connection.
    let is_mute = matches!(&answer, Ok(answer) if answer.is_empty());
    let hung_up = is_mute && ended(&mut child).is_some_and(|status| status.success());
    // Our own child, not reaped yet; has usually ended by itself.
    let _ = child.kill();
    let mut said = String::new();
    if let Some(stderr) = child.stderr.take() {
        let _ = stderr.take(1 << 16).read_to_string(&mut said);
    }
    let _ = child.wait();
    match answer {
        Ok(_) if hung_up => Err(absent(&login.instance)),
        Ok(answer) if answer.is_empty() => Err(refused(&said, login)),
        Ok(answer) => Ok(answer),
        Err(error) if error.kind() == io::ErrorKind::TimedOut => Err(silent(&login.instance)),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Err(refused(&said, login)),
        Err(error) => Err(at_fault(error)),
    }
}

/// Waits for `child`, which is about to end; returns its exit code.
fn ended(child: &mut Child) -> Option<ExitStatus> {
    const GRACE: Duration = Duration::from_secs(2);
    const PAUSE: Duration = Duration::from_millis(5);
    let end = Instant::now() + GRACE;
    loop {
        match child.try_wait() {
            Ok(None) if Instant::now() < end => thread::sleep(PAUSE),
            status => return status.ok().flatten(),
        }
    }
}

fn converse(child: &mut Child, request: &[u8], patience: Duration) -> io::Result<Vec<u8>> {
    let (Some(mut input), Some(mut output)) = (child.stdin.take(), child.stdout.take()) else {
        return Err(io::Error::other("ssh has no standard streams"));
    };
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || sender.send(read_answer(&mut output)));
    input.write_all(request)?;
    // Stays open: a daemon may take the end of the request as a cancellation.
    let answer = receiver.recv_timeout(patience).map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?;
    drop(input);
    answer
}

fn read_answer(stream: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut answer = Vec::new();
    stream.take(RESPONSE_MAX as u64).read_to_end(&mut answer)?;
    Ok(answer)
}

fn silent(instance: &Instance) -> Error {
    Error::failed("the status daemon is not answering")
        .with_hint(format!("check it: soong ssh {} -- systemctl status status-daemon", quoted(instance)))
}

/// Returns the instance's name quoted for a shell.
fn quoted(instance: &Instance) -> String {
    printable(&shell_words::quote(&instance.name)).into_owned()
}

/// Returns the error for a connection that closed without an answer.
fn absent(instance: &Instance) -> Error {
    Error::failed("nothing listens on the status daemon's port on the instance").with_hint(format!(
        "check that the daemon is running: soong ssh {}; its port is 'status' in [services] of config.toml",
        quoted(instance)
    ))
}

/// ssh reports a port without a listener; other messages are about ssh itself.
fn refused(said: &str, login: &Login) -> Error {
    let lines: Vec<String> = said.lines().map(str::to_owned).collect();
    if lines.is_empty() || log_lines::is_forward_failure(&lines) {
        return absent(&login.instance);
    }
    let failure = failure::classify(&failure::SshOutput { log: lines, others: Vec::new() });
    let error = Error::failed(format!("cannot reach the instance: {}", failure.reason));
    failure::hints(&failure, login, 0).into_iter().fold(error, Error::with_hint)
}
