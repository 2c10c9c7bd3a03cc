//! Waits until the SSH server of an instance answers.
//!
//! A provider reports an instance as active before its server runs, so the server's greeting counts: a line
//! that begins with `SSH-` (RFC 4253, section 4.2). Firewalls block addresses that connect six times in half
//! a minute, so this connects at most four times and leaves one for the tunnel.

use std::io::{self, Read};
use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::time::{Duration, Instant};

use super::Login;
use super::failure::{self, Kind, SshOutput};
use super::login::SINGLE_TRY;
use super::route::{self, Endpoint};
use crate::error::{Error, Result, io_reason};
use crate::instances::inventory::{Progress, WAIT_MAX};
use crate::system::child::{self, Limits};
use crate::system::deadline_stream::{DeadlineStream, is_late};
use crate::system::name_service;
use crate::system::signals::Watch;
use crate::terminal::printable;

/// Pauses before the second and later tries; the last one repeats.
const PAUSES: [Duration; 3] = [Duration::from_secs(3), Duration::from_secs(7), Duration::from_secs(10)];
/// Time for one address to accept a connection, and then to send its greeting.
const PATIENCE: Duration = Duration::from_secs(3);
/// Time for ssh to report its route, or to connect through a jump host.
const LIMITS: Limits = Limits { time: Duration::from_secs(15), output: 1 << 16 };
/// Longest text before a greeting, in bytes.
const PREAMBLE_MAX: usize = 8 << 10;

/// Waits until the SSH server for `login` answers, at most `limit` from `begun`, with a spinner unless
/// `quiet`. Returns the times of its connections. The error gives the last failure.
pub fn wait(login: &Login, limit: Duration, begun: Instant, quiet: bool) -> Result<Vec<Instant>> {
    let watch = Watch::new()?;
    let server = Server::find(login, &watch);
    let mut tries = vec![Instant::now()];
    let Err(reason) = server.greets(&watch) else { return Ok(tries) };
    let name = printable(&login.instance.name).into_owned();
    let left = limit.saturating_sub(begun.elapsed());
    let progress = Progress::new(&name, &format!("the SSH server of {name}"), left, quiet);
    let outcome = poll(&server, reason, begun + limit, &watch, &mut tries);
    progress.finish(outcome.is_ok().then_some("answers"));
    match outcome? {
        None => Ok(tries),
        Some(reason) => Err(too_late(&name, &reason, limit)),
    }
}

/// Retries until `deadline`, and adds the times to `tries`; returns the reason of the last failure.
fn poll(
    server: &Server<'_>,
    first: String,
    deadline: Instant,
    watch: &Watch,
    tries: &mut Vec<Instant>,
) -> Result<Option<String>> {
    let mut reason = first;
    let mut pauses = PAUSES.into_iter().chain(std::iter::repeat(PAUSES[PAUSES.len() - 1]));
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let pause = pauses.next().unwrap_or_default().min(left);
        if watch.sleep(pause) {
            return Err(Error::interrupted());
        }
        if left.is_zero() {
            return Ok(Some(reason));
        }
        tries.push(Instant::now());
        match server.greets(watch) {
            Ok(()) => return Ok(None),
            Err(next) => reason = next,
        }
        if watch.interrupted() {
            return Err(Error::interrupted());
        }
    }
}

fn too_late(name: &str, reason: &str, limit: Duration) -> Error {
    let shown = humantime::format_duration(limit);
    let error = Error::failed(format!("the SSH server of {name} did not answer within {shown}: {reason}"));
    match limit.as_secs() {
        WAIT_MAX.. => error,
        seconds => error.with_hint(format!("wait longer: --wait={}", (seconds * 2).min(WAIT_MAX))),
    }
}

/// Way to the server.
enum Server<'a> {
    /// A direct connection.
    Direct(Endpoint),
    /// Only through ssh: a proxy or jump host is in between.
    Through(&'a Login),
}

impl<'a> Server<'a> {
    fn find(login: &'a Login, watch: &Watch) -> Self {
        endpoint(login, watch).map_or(Self::Through(login), Self::Direct)
    }

    /// Returns true if the server answers, and an error with the reason if a retry can help.
    fn greets(&self, watch: &Watch) -> std::result::Result<(), String> {
        match self {
            Self::Direct(endpoint) => greets_directly(endpoint),
            Self::Through(login) => greets_ssh(login, watch),
        }
    }
}

fn greets_directly(endpoint: &Endpoint) -> std::result::Result<(), String> {
    let mut reason = String::new();
    for address in look_up(endpoint)? {
        match greeting(address) {
            Ok(()) => return Ok(()),
            Err(why) => reason = why,
        }
    }
    Err(reason)
}

/// Returns the addresses of `endpoint` that ssh uses, at least one; the error is a sentence.
pub fn look_up(endpoint: &Endpoint) -> std::result::Result<Vec<SocketAddr>, String> {
    let Endpoint { host, port, families } = endpoint;
    let found = name_service::addresses(host, *port);
    let found = found.map_err(|error| format!("cannot look up {host}: {}", io_reason(&error)))?;
    let is_used = |address: &SocketAddr| if address.is_ipv4() { families.0 } else { families.1 };
    let used: Vec<SocketAddr> = found.into_iter().filter(is_used).collect();
    if used.is_empty() { Err(format!("{host} has no address")) } else { Ok(used) }
}

/// Connects to `address` and reads up to the greeting.
fn greeting(address: SocketAddr) -> std::result::Result<(), String> {
    read_greeting(connect(address)?).map(drop)
}

/// Connects to `address`; the error is the reason in a few words.
pub fn connect(address: SocketAddr) -> std::result::Result<TcpStream, String> {
    TcpStream::connect_timeout(&address, PATIENCE).map_err(|error| reason_of(&error))
}

/// Returns the greeting of the server behind `stream`, without its line end: unchecked text, for example
/// `SSH-2.0-OpenSSH_9.2`. The error is the reason in a few words.
pub fn read_greeting(stream: TcpStream) -> std::result::Result<String, String> {
    let mut stream = DeadlineStream::new(stream, PATIENCE);
    let (mut said, mut piece) = (Vec::new(), [0; 256]);
    while said.len() < PREAMBLE_MAX {
        match stream.read(&mut piece) {
            Ok(0) => break,
            Ok(length) => said.extend_from_slice(&piece[..length]),
            Err(error) if is_late(&error) => {
                return Err(format!("no SSH greeting in {} s", PATIENCE.as_secs()));
            }
            Err(error) => return Err(reason_of(&error)),
        }
        if let Some(line) = said.split(|byte| *byte == b'\n').find(|line| line.starts_with(b"SSH-")) {
            return Ok(String::from_utf8_lossy(line).trim_end().to_owned());
        }
    }
    Err(if said.is_empty() { "it closes the connection" } else { "it is not an SSH server" }.to_owned())
}

fn reason_of(error: &io::Error) -> String {
    if is_late(error) { "timed out".to_owned() } else { io_reason(error) }
}

/// Returns the end point that ssh connects to for `login`; `None` if a proxy or jump host is in between, or ssh
/// connects in another way.
pub fn endpoint(login: &Login, watch: &Watch) -> Option<Endpoint> {
    let mut lookup = Command::new(&login.program);
    let outcome = child::run(lookup.args(login.lookup_arguments()), LIMITS, watch).ok()?;
    route::direct(&String::from_utf8_lossy(&outcome.stdout))
}

/// Makes ssh connect without logging in.
fn greets_ssh(login: &Login, watch: &Watch) -> std::result::Result<(), String> {
    let mut command = Command::new(&login.program);
    command
        .args(["-o", "PreferredAuthentications=none", "-o", SINGLE_TRY])
        .args(login.stdio_arguments("localhost", 22));
    let outcome = child::run(&mut command, LIMITS, watch).map_err(|fault| fault.to_string())?;
    let log = outcome.stderr.lines().map(str::to_owned).collect();
    let failure = failure::classify(&SshOutput { log, others: Vec::new() });
    let is_absent = matches!(
        failure.kind,
        Kind::Refused
            | Kind::HungUp
            | Kind::ProxyFailed
            | Kind::Unreachable
            | Kind::TimedOut
            | Kind::UnknownHost
            | Kind::Lost
            | Kind::Other
    );
    if outcome.status.success() || !is_absent { Ok(()) } else { Err(failure.reason) }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::net::{Ipv4Addr, TcpListener};
    use std::thread;

    use super::*;

    /// Classifies what a server sent before it closed the connection.
    fn found(said: &'static [u8]) -> std::result::Result<(), String> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let server = thread::spawn(move || listener.accept().unwrap().0.write_all(said));
        let found = greeting(address);
        let _ = server.join();
        found
    }

    #[test]
    fn only_a_greeting_is_one() {
        assert_eq!(found(b"SSH-2.0-OpenSSH_9.2\r\n"), Ok(()));
        assert_eq!(found(b"Welcome to SSH-\r\nSSH-2.0-x\r\n"), Ok(()));
        assert_eq!(found(b"HTTP/1.1 400 SSH-\r\n\r\n").unwrap_err(), "it is not an SSH server");
        assert_eq!(found(b"").unwrap_err(), "it closes the connection");
        let unused_address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap();
        assert_eq!(greeting(unused_address).unwrap_err(), "Connection refused");
    }

    #[test]
    fn no_firewall_counts_more_than_five_in_half_a_minute() {
        let pauses = PAUSES.into_iter().chain(std::iter::repeat(PAUSES[2])).take(20);
        let mut times = vec![Duration::ZERO];
        for pause in pauses {
            times.push(*times.last().unwrap() + pause);
        }
        for begin in &times {
            let window = *begin..*begin + Duration::from_secs(30);
            let tries = times.iter().filter(|time| window.contains(time)).count();
            // The tunnel's own connection follows the last.
            assert!(tries < 5, "{tries} from {begin:?} on");
        }
    }
}
