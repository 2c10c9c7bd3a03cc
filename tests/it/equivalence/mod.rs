//! For every case that a client or a server can make, soong does what `ssh -L` does, or better: a table of clients
//! and servers that goes through both, over one ssh and one tunnel. What both sides saw is compared: bytes, their
//! order, and how it ended.

mod real;
mod rows;
mod scripts;
mod socks;

use std::io::{ErrorKind, Read as _};
use std::net::{TcpListener, TcpStream};
use std::process::Child;
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use nix::sys::signal::Signal;

use self::rows::{CUT, ROWS, Row};
use crate::support::config::forward;
use crate::support::instance::Instance;
use crate::support::sandbox::Sandbox;
use crate::support::sshd::ssh;
use crate::support::wait::DEADLINE;
use crate::support::{ports, process, wait};

/// How a direction ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    Clean,
    Reset,
}

/// View of one side: the bytes that arrived, and how they ended.
pub type Seen = (Vec<u8>, End);

/// Reads to the end, whichever it is.
pub fn read_to_end(mut stream: &TcpStream) -> Seen {
    let mut bytes = Vec::new();
    match stream.read_to_end(&mut bytes) {
        Ok(_) => (bytes, End::Clean),
        Err(error) if error.kind() == ErrorKind::ConnectionReset => (bytes, End::Reset),
        Err(error) => panic!("after {} bytes: {error}", bytes.len()),
    }
}

/// Runs `row` for a client of `port`; returns what the client and the server saw.
fn run(row: &Row, port: u16, told: &Receiver<Seen>) -> (Seen, Option<Seen>) {
    let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    let seen = (row.client)(&stream);
    drop(stream);
    let served = row.server.map(|_| told.recv_timeout(DEADLINE).expect("the server is not done"));
    (seen, served)
}

/// Serves `row` on its own port. A row without a server gets a port without a listener.
fn serve(row: &Row) -> (u16, Receiver<Seen>) {
    let (tell, told) = channel();
    let Some(server) = row.server else { return (ports::free(), told) };
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let tell = tell.clone();
            thread::spawn(move || {
                stream.set_read_timeout(Some(DEADLINE)).unwrap();
                let _ = tell.send(server(&stream));
            });
        }
    });
    (port, told)
}

/// The two ways to some servers.
struct Ways {
    sandbox: Sandbox,
    ssh: Child,
    ours: Vec<u16>,
    theirs: Vec<u16>,
    _instance: Instance,
}

impl Ways {
    /// Opens ways to `servers`, ports of this machine.
    fn open(servers: &[u16]) -> Self {
        let instance = Instance::start();
        let mut sandbox = Sandbox::with(&instance);
        let mut command = ssh(&instance.sshd);
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for (index, &port) in servers.iter().enumerate() {
            let (our, their) = (ports::free(), ports::free());
            command.args(["-L", &format!("127.0.0.1:{their}:127.0.0.1:{port}")]);
            sandbox.configure(|config| {
                config.set(["services", &format!("row{index}")], forward(port, our));
            });
            ours.push(our);
            theirs.push(their);
        }
        let ssh = command.stderr(std::process::Stdio::null()).spawn().unwrap();
        sandbox.tunnel(["start"]).stdout_has("SSH tunnel started").run();
        wait::until_true("ssh -L to listen", || theirs.iter().all(|&port| ports::is_taken(port)));
        Self { sandbox, ssh, ours, theirs, _instance: instance }
    }
}

impl Drop for Ways {
    fn drop(&mut self) {
        let _ = self.ssh.kill();
        let _ = self.ssh.wait();
    }
}

fn summary((bytes, end): &Seen) -> String {
    format!("{} bytes, {end:?}", bytes.len())
}

#[test]
fn every_row_is_as_with_ssh_or_better() {
    let (servers, served): (Vec<u16>, Vec<Receiver<Seen>>) = ROWS.iter().map(serve).unzip();
    let ways = Ways::open(&servers);
    let mut worse = Vec::new();
    for (index, row) in ROWS.iter().enumerate() {
        let theirs = run(row, ways.theirs[index], &served[index]);
        let ours = run(row, ways.ours[index], &served[index]);
        let accepted = row.accepted.contains(&ours.0.1) && ours.0.0.starts_with(&theirs.0.0);
        if ours.0 != theirs.0 && !accepted || ours.1 != theirs.1 {
            let served = [&ours, &theirs].map(|seen| seen.1.as_ref().map(summary));
            worse.push(format!(
                "{}: client: {}, with ssh -L: {}; server: {served:?}",
                row.name,
                summary(&ours.0),
                summary(&theirs.0),
            ));
        }
    }
    assert!(worse.is_empty(), "{}", worse.join("\n"));
}

/// All bytes that had come arrive, as with `ssh -L`. The reset shows that some are missing, which `ssh -L`
/// does not.
#[test]
fn a_link_that_is_cut_in_the_middle_is_a_reset_behind_all_bytes_that_had_come() {
    let (servers, _served): (Vec<u16>, Vec<Receiver<Seen>>) = CUT.iter().map(serve).unzip();
    let mut ways = Ways::open(&servers);
    let begin = |ports: &[u16]| -> Vec<(TcpStream, Vec<u8>)> {
        let begun = CUT.iter().zip(ports).map(|(row, &port)| {
            let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
            stream.set_read_timeout(Some(DEADLINE)).unwrap();
            let (bytes, _) = (row.client)(&stream);
            (stream, bytes)
        });
        begun.collect()
    };
    let (ours, theirs) = (begin(&ways.ours), begin(&ways.theirs));
    process::signal(ways.sandbox.clients()[0].pid, Signal::SIGKILL);
    ways.ssh.kill().unwrap();
    for ((row, ours), theirs) in CUT.iter().zip(ours).zip(theirs) {
        let [ours, theirs] = [ours, theirs].map(|(stream, mut bytes)| {
            let (rest, end) = read_to_end(&stream);
            bytes.extend(rest);
            (bytes, end)
        });
        assert_eq!(ours.0, theirs.0, "{}", row.name);
        assert_eq!(ours.1, End::Reset, "{}; with ssh -L: {:?}", row.name, theirs.1);
    }
}
