//! Traffic through a tunnel, as its supervisor counts it.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::support::instance::Instance;
use crate::support::sandbox::Sandbox;
use crate::support::{process, wait};

/// Returns the entry of `status --json` for the forward at `index`.
fn flow(sandbox: &Sandbox, index: usize) -> Value {
    let answer = sandbox.tunnel(["status", "--json"]).stdout_has("").run().stdout;
    let answer: Value = serde_json::from_str(&answer).unwrap();
    let flows = answer["tunnels"][0]["traffic"].as_array().unwrap().clone();
    let local = sandbox.config.local[index];
    flows.into_iter().find(|flow| flow["local"] == local).unwrap()
}

#[test]
fn bytes_and_connections_are_counted() {
    let instance = Instance::start();
    let sandbox = Sandbox::with(&instance);
    sandbox.start(&instance);
    assert_eq!(flow(&sandbox, 0)["connections"], 0);
    let mut stream = TcpStream::connect(("127.0.0.1", sandbox.config.local[0])).unwrap();
    let request = b"GET /bytes/100000 HTTP/1.1\r\n\r\n";
    stream.write_all(request).unwrap();
    let mut answer = vec![0; 100_000];
    stream.read_exact(&mut answer).unwrap();
    let now = flow(&sandbox, 0);
    assert_eq!((&now["open"], &now["connections"]), (&1.into(), &1.into()), "{now}");
    assert_eq!(now["sent"], request.len());
    assert!(now["received"].as_u64().unwrap() >= 100_000, "{now}");
    assert_eq!(flow(&sandbox, 1)["connections"], 0);
    let local = sandbox.config.local[0];
    let line = format!(
        "  localhost:{local} -> 127.0.0.1:{}\n    1 open, 30 B up, 100 kB down\n",
        instance.services[0].port
    );
    sandbox.tunnel(["status", "--verbose"]).stdout_has(line).run();
    drop(stream);
    wait::until_true("the connection to be gone", || flow(&sandbox, 0)["open"] == 0);
}

#[test]
fn a_supervisor_that_hangs_does_not_hang_whoever_asks() {
    let instance = Instance::start();
    let sandbox = Sandbox::with(&instance);
    let pid = sandbox.start(&instance);
    process::signal(pid, Signal::SIGSTOP);
    let answer = sandbox.tunnel(["status", "--json"]).code(1).stdout_has("").run().stdout;
    process::signal(pid, Signal::SIGCONT);
    let answer: Value = serde_json::from_str(&answer).unwrap();
    assert_eq!(answer["running"], true);
    assert!(answer["tunnels"][0]["traffic"].is_null());
}
