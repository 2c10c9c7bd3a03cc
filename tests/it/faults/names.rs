//! Host names with more than one address, of which one drops what is sent to it.

use std::net::Ipv4Addr;
use std::os::fd::{AsRawFd as _, OwnedFd};

use nix::sys::socket::{
    AddressFamily, Backlog, SockFlag, SockType, SockaddrIn, bind, connect, listen, socket,
};

use crate::support::config::path;
use crate::support::curl::get;
use crate::support::instance::Instance;
use crate::support::network::Network;
use crate::support::run::Run;
use crate::support::sandbox::Sandbox;
use crate::support::{ports, tools};

/// The addresses of the name, in the order in which the resolver gives them.
const ADDRESSES: [Ipv4Addr; 2] = [Ipv4Addr::LOCALHOST, Ipv4Addr::new(127, 0, 0, 2)];

/// An address that drops new connections: a listener whose queue is full.
struct Silent {
    _sockets: Vec<OwnedFd>,
}

impl Silent {
    fn at(address: Ipv4Addr, port: u16) -> Self {
        let [a, b, c, d] = address.octets();
        let address = SockaddrIn::new(a, b, c, d, port);
        let tcp = |flags| socket(AddressFamily::Inet, SockType::Stream, flags, None).unwrap();
        let listener = tcp(SockFlag::SOCK_CLOEXEC);
        bind(listener.as_raw_fd(), &address).unwrap();
        listen(&listener, Backlog::new(0).unwrap()).unwrap();
        let mut sockets = vec![listener];
        sockets.extend((0..4).map(|_| {
            let socket = tcp(SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC);
            let _ = connect(socket.as_raw_fd(), &address);
            socket
        }));
        Self { _sockets: sockets }
    }
}

/// Runs the command where `gpu.test` has both addresses.
fn with_hosts<'a>(sandbox: &Sandbox, command: Run<'a>) -> Run<'a> {
    let file = sandbox.path("hosts");
    let lines = ADDRESSES.map(|address| format!("{address} gpu.test\n"));
    sandbox.write(&file, format!("{}127.0.0.1 localhost\n", lines.concat()));
    let script = "mount --bind \"$0\" /etc/hosts && exec \"$@\"";
    let namespaces = if tools::is_root() { "-m" } else { "-rm" };
    command.through(&tools::tool("unshare"), [namespaces, "sh", "-c", script, path(&file)])
}

fn connects_with_silence_at(silent: usize) {
    let instance = Instance::start();
    let port = ports::free();
    let _silent = Silent::at(ADDRESSES[silent], port);
    let network = Network::at((ADDRESSES[1 - silent], port), instance.sshd.port);
    let mut sandbox = Sandbox::with(&instance);
    sandbox.configure(|config| {
        config.instance("dev", "gpu.test", port).set(["ssh", "connect-timeout"], 6);
    });
    let ssh = sandbox.soong(["ssh", "dev", "echo", "here"]).stdout("here\n").stderr_has("");
    with_hosts(&sandbox, ssh).run();
    with_hosts(&sandbox, sandbox.tunnel(["start"]).stdout_has("SSH tunnel started")).run();
    assert_eq!(get(&sandbox.url(0, "id")), "sglang");
    assert!(network.connections() >= 2);
}

#[test]
fn a_name_whose_first_address_is_silent_connects_to_the_second() {
    connects_with_silence_at(0);
}

#[test]
fn a_name_whose_second_address_is_silent_connects_to_the_first() {
    connects_with_silence_at(1);
}
