//! Requests that a SOCKS proxy refuses, compared with `ssh -D`.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::Stdio;

use super::{End, Seen, read_to_end};
use crate::support::instance::Instance;
use crate::support::sandbox::Sandbox;
use crate::support::sshd::ssh;
use crate::support::wait::DEADLINE;
use crate::support::{ports, wait};

/// Requests after the greeting, with commands and addresses that neither proxy supports (RFC 1928, section
/// 4).
const REQUESTS: [(&str, &[u8]); 4] = [
    ("BIND", &[5, 2, 0, 1, 127, 0, 0, 1, 0, 80]),
    ("UDP ASSOCIATE", &[5, 3, 0, 1, 0, 0, 0, 0, 0, 0]),
    ("an unknown command", &[5, 9, 0, 1, 127, 0, 0, 1, 0, 80]),
    ("an unknown kind of address", &[5, 1, 0, 9, 127, 0, 0, 1, 0, 80]),
];

/// Greets the proxy at `port` and asks for `request`; returns all that it says.
fn ask(port: u16, request: &[u8]) -> Seen {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    stream.write_all(&[5, 1, 0]).unwrap();
    let mut method = [0; 2];
    stream.read_exact(&mut method).unwrap();
    stream.write_all(request).unwrap();
    let (answer, end) = read_to_end(&stream);
    ([&method[..], &answer].concat(), end)
}

/// `ssh -D` closes the connection without a word; soong says why.
#[test]
fn what_ssh_refuses_is_refused_with_a_reason() {
    let instance = Instance::start();
    let sandbox = Sandbox::with(&instance);
    let [ours, theirs] = [ports::free(), ports::free()];
    let mut command = ssh(&instance.sshd);
    command.args(["-D", &format!("127.0.0.1:{theirs}")]).stderr(Stdio::null());
    let mut beside = command.spawn().unwrap();
    sandbox.tunnel(["start".to_owned(), format!("--socks={ours}")]).stdout_has("started").run();
    wait::until_true("ssh -D to listen", || ports::is_taken(theirs));
    let seen = REQUESTS.map(|(name, request)| (name, ask(ours, request), ask(theirs, request)));
    let _ = beside.kill();
    let _ = beside.wait();
    for (name, ours, theirs) in seen {
        assert!(ours.0.starts_with(&theirs.0), "{name}: {ours:?}, with ssh -D {theirs:?}");
        assert_eq!((ours.0.len(), ours.1), (12, End::Clean), "{name}: an answer, and the end");
        assert_ne!(ours.0[3], 0, "{name}: no success");
    }
}
