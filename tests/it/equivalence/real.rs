//! Real clients and servers, of the packages that people use: TLS, gRPC, WebSocket, `openai`, `aiohttp`.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use super::Ways;
use crate::support::wait::DEADLINE;

/// The interpreter with the packages that `tests/install-requirements.sh` installs.
fn python() -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("python-clients-1/bin/python");
    assert!(
        path.exists(),
        "{} is missing; run tests/install-requirements.sh (make test does)",
        path.display()
    );
    path
}

fn script() -> Command {
    let mut command = Command::new(python());
    command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/equivalence/clients.py"));
    command.env("HOME", env!("CARGO_TARGET_TMPDIR")).stdin(Stdio::null());
    command
}

/// All servers, in one process that ends with its standard input.
struct Servers {
    child: Child,
    _stdin: Option<ChildStdin>,
    lines: Receiver<(String, String)>,
}

impl Servers {
    fn start() -> Self {
        let mut child = script().arg("serve").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let (tell, lines) = channel();
        thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                let (name, rest) = line.split_once(' ').unwrap();
                let _ = tell.send((name.to_owned(), rest.to_owned()));
            }
        });
        Self { _stdin: child.stdin.take(), child, lines }
    }

    /// The next line of the server called `name`.
    fn line(&self) -> (String, String) {
        self.lines.recv_timeout(DEADLINE).expect("the servers say nothing")
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs the client `name`; returns what it and its server saw.
fn converse(name: &str, port: u16, servers: &Servers) -> [String; 2] {
    let output = script().args([name, &port.to_string()]).output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{name}: {error}");
    let (who, served) = servers.line();
    assert_eq!(who, name);
    [String::from_utf8(output.stdout).unwrap(), served]
}

#[test]
fn real_clients_and_servers_see_what_they_see_with_ssh() {
    let servers = Servers::start();
    let mut rows = Vec::new();
    loop {
        let (name, port) = servers.line();
        if name.is_empty() {
            break;
        }
        rows.push((name, port.parse::<u16>().unwrap()));
    }
    assert_eq!(rows.len(), 6);
    let ways = Ways::open(&rows.iter().map(|(_, port)| *port).collect::<Vec<_>>());
    for (index, (name, _)) in rows.iter().enumerate() {
        let theirs = converse(name, ways.theirs[index], &servers);
        let ours = converse(name, ways.ours[index], &servers);
        assert_eq!(ours, theirs, "{name}");
    }
}
