//! Forwards beyond the services: to any host, to and from Unix sockets, from the instance to this side, and through
//! a SOCKS proxy.

mod live;
mod socks;
mod specs;

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::thread;

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::support::curl::{curl, get, output};
use crate::support::instance::Instance;
use crate::support::sandbox::Sandbox;
use crate::support::{ports, process, wait};

/// Returns the forwards of the only tunnel, each as `KIND LISTEN TARGET`.
fn told(sandbox: &Sandbox) -> Vec<String> {
    let status = sandbox.tunnel(["status", "--json"]).stdout_has("").run().stdout;
    let status: Value = serde_json::from_str(&status).unwrap();
    let extras = status["tunnels"][0]["extra"].as_array().unwrap().iter();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    extras
        .map(|extra| {
            ["kind", "listen", "target"].map(|name| text(&extra[name])).join(" ").trim_end().to_owned()
        })
        .collect()
}

/// Answers every connection to a socket at `path` with `text`, for as long as the test runs.
fn serve_socket(path: &Path, text: &'static str) {
    let listener = UnixListener::bind(path).unwrap();
    thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let _ = stream.write_all(text.as_bytes());
        }
    });
}

/// Everything that comes from `port`.
fn read_port(port: u16) -> String {
    let mut text = String::new();
    TcpStream::connect(("127.0.0.1", port)).unwrap().read_to_string(&mut text).unwrap();
    text
}

/// Returns the ID of the service behind a local Unix socket.
fn id_behind(socket: &Path) -> String {
    output(curl().arg("--unix-socket").arg(socket).arg("http://localhost/id"))
}

/// One forward of each kind.
struct Each {
    port: u16,
    socket: u16,
    from_socket: PathBuf,
    remote: u16,
    socks: u16,
}

impl Each {
    fn new(sandbox: &Sandbox) -> Self {
        let [port, socket, remote, socks] = [(); 4].map(|()| ports::free());
        Self { port, socket, from_socket: sandbox.path("tmp/local.sock"), remote, socks }
    }

    /// The options of a start. What stands for the database of the instance is its service n8n.
    fn options(&self, instance: &Instance, socket: &Path) -> Vec<String> {
        let target = format!("localhost:{}", instance.services[1].port);
        let here = format!("127.0.0.1:{}", instance.services[2].port);
        vec![
            format!("--forward={}:{target}", self.port),
            format!("--forward={}:{}", self.socket, socket.display()),
            format!("--forward={}:{target}", self.from_socket.display()),
            format!("--remote={}:{here}", self.remote),
            format!("--socks={}", self.socks),
        ]
    }

    /// Uses all of them, the remote one last: it is not held.
    fn check(&self, instance: &Instance) {
        assert_eq!(get(&format!("http://localhost:{}/id", self.port)), "n8n");
        assert_eq!(read_port(self.socket), "a socket");
        assert_eq!(id_behind(&self.from_socket), "n8n");
        let url = format!("http://localhost:{}/id", instance.services[0].port);
        assert_eq!(
            output(curl().arg("--socks5-hostname").arg(format!("localhost:{}", self.socks)).arg(url)),
            "sglang"
        );
        let url = format!("http://127.0.0.1:{}/id", self.remote);
        wait::until_true("the remote forward", || curl().arg(&url).output().unwrap().stdout == b"status");
    }
}

#[test]
fn forwards_lead_where_they_say_and_are_held_through_a_lost_link() {
    let instance = Instance::start();
    let sandbox = Sandbox::with(&instance);
    let (each, far) = (Each::new(&sandbox), sandbox.path("far.sock"));
    serve_socket(&far, "a socket");
    let options = each.options(&instance, &far);
    let started = sandbox.tunnel(["start"]).args(&options).stdout_has("SSH tunnel started").run().stdout;
    for line in [
        format!("  localhost:{} -> localhost:{}\n", each.port, instance.services[1].port),
        format!("  localhost:{} -> {}\n", each.socket, far.display()),
        format!("  {} -> localhost:{}\n", each.from_socket.display(), instance.services[1].port),
        format!("  instance:{} -> 127.0.0.1:{} on this machine\n", each.remote, instance.services[2].port),
        format!("  localhost:{} -> anywhere, as a SOCKS proxy\n", each.socks),
    ] {
        assert!(started.contains(&line), "{line}{started}");
        sandbox.tunnel(["status", "-v"]).stdout_has(sandbox.normalise(&line)).run();
    }
    each.check(&instance);
    let told = told(&sandbox);
    assert_eq!(told.len(), 5, "{told:?}");
    assert_eq!(told[4], format!("socks {}", each.socks));
    let short = sandbox.normalise(&format!(" {}->{} ", each.socket, far.display()));
    sandbox.tunnel(["list"]).stdout_has(short).run();
    for _ in 0..2 {
        let client = sandbox.clients()[0].pid;
        process::signal(client, Signal::SIGKILL);
        // Used as soon as ssh is dead: clients that connect meanwhile wait. Connections that a dying ssh
        // still accepts are lost with it.
        wait::until_true("ssh to die", || !process::is_alive(client));
        each.check(&instance);
        assert!(sandbox.clients().iter().all(|process| process.pid != client));
    }
    assert_eq!(self::told(&sandbox), told);
    sandbox.tunnel(["stop"]).stdout_has("Stopped").run();
    assert!(!each.from_socket.exists());
    for port in [each.port, each.socket, each.remote, each.socks] {
        wait::until_true(&format!("port {port} to be free"), || ports::is_free(port));
    }
    sandbox.assert_idle();
}

#[test]
fn a_dry_run_shows_them_all() {
    let instance = Instance::start();
    let sandbox = Sandbox::with(&instance);
    let (each, far) = (Each::new(&sandbox), sandbox.path("far.sock"));
    let shown = sandbox
        .tunnel(["start", "--dry-run"])
        .args(each.options(&instance, &far))
        .stdout_has("")
        .run()
        .stdout;
    for part in [
        format!("\n# localhost:{} -> localhost:{}\n", each.port, instance.services[1].port),
        format!("\n# localhost:{} -> {}\n", each.socket, far.display()),
        format!("\n# instance:{} -> 127.0.0.1:{} on", each.remote, instance.services[2].port),
        format!("\n# localhost:{} -> anywhere, as a SOCKS proxy\n", each.socks),
        format!("\n# {} -> localhost:", each.from_socket.display()),
    ] {
        assert!(shown.contains(&part), "{part}\n{shown}");
    }
    sandbox.assert_idle();
}

#[test]
fn a_port_that_is_taken_is_told_with_the_option_that_moves_it() {
    let instance = Instance::start();
    let sandbox = Sandbox::with(&instance);
    let port = ports::free();
    let _holder = ports::Holder::listen("127.0.0.1", port);
    let forward = format!("{port}:db.internal:5432");
    let in_use = ["Error starting tunnel: bind: Address already in use"];
    let start = |option: &str, value: &str| sandbox.tunnel(["start", option, value]).fails(1, in_use);
    start("--forward", &forward).hint(":db.internal:5432").hint("--forward ").run();
    start("--socks", &port.to_string()).hint("--socks ").run();
    let file = sandbox.path("tmp/precious");
    sandbox.write(&file, "precious");
    start("--forward", &format!("{}:h:1", file.display())).hint("precious").run();
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "precious");
    sandbox.assert_idle();
}

/// A port that is taken on every address of localhost: a server is content with one of them.
fn taken_everywhere() -> (u16, Vec<TcpListener>) {
    let port = ports::free();
    (port, ports::occupy(port))
}

/// The server has the port already, and ssh has words for that.
#[test]
fn a_remote_port_that_cannot_be_had_ends_the_start() {
    let instance = Instance::start();
    let sandbox = Sandbox::with(&instance);
    let (port, _holders) = taken_everywhere();
    sandbox
        .tunnel(["start", "--remote", &format!("{port}:localhost:1")])
        .fails(1, ["Error starting tunnel: ", "remote port forwarding failed", &port.to_string()])
        .run();
    sandbox.assert_idle();
}
