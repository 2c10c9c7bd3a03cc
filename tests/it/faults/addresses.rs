//! Changes of the network under a link: packets that are lost, addresses that go.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::Command;

use super::wait_for;
use crate::support::curl::get;
use crate::support::instance::Instance;
use crate::support::namespaces::{self, CABLE, HERE, THERE};
use crate::support::sandbox::Sandbox;
use crate::support::sshd::Options;
use crate::support::tools::tool;
use crate::support::wait;
use crate::support::wait::DEADLINE;

fn instance() -> Instance {
    Instance::with(Options::default().line(&format!("ListenAddress {THERE}")))
}

/// A sandbox of this thread's namespace whose tunnel leads to `instance`, and is up.
fn tunnel_to(instance: &Instance) -> Sandbox {
    let mut sandbox = Sandbox::with(instance);
    sandbox.configure(|config| {
        config.instance("dev", THERE, instance.sshd.port);
    });
    sandbox.tunnel(["start"]).stdout_has("SSH tunnel started").run();
    sandbox
}

/// How often the kernel has sent again what the instance has not acknowledged; each time takes twice as long.
fn retransmissions() -> u32 {
    let output = Command::new(tool("ss")).args(["-tinH", "dst", THERE]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let backoff = text.split("backoff:").nth(1).and_then(|rest| rest.split_whitespace().next());
    backoff.map_or(0, |number| number.parse().unwrap())
}

/// As with `ssh -L`: a connection outlives an outage that shows as a change of the network, too.
#[test]
fn a_stream_outlives_a_cable_that_was_out_for_a_while() {
    const TEST: &str = "faults::addresses::a_stream_outlives_a_cable_that_was_out_for_a_while";
    /// More than what may be on its way at a time.
    const LENGTH: usize = 20_000_000;
    namespaces::across(TEST, instance, |instance| {
        let sandbox = tunnel_to(instance);
        let mut stream = TcpStream::connect(("127.0.0.1", sandbox.config.local[0])).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        stream.write_all(format!("GET /bytes/{LENGTH} HTTP/1.1\r\n\r\n").as_bytes()).unwrap();
        stream.read_exact(&mut [0; 1000]).unwrap();
        // Packets to the instance are lost from now on; and something changes here that has nothing to do with it.
        namespaces::ip_at(instance.sshd.pid(), &format!("address del {THERE}/24 dev {CABLE}"));
        namespaces::ip(&format!("address add 198.51.100.1/24 dev {CABLE}"));
        // Longer than an unused link lasts.
        wait::until_true("some retransmissions", || retransmissions() >= 5);
        namespaces::ip_at(instance.sshd.pid(), &format!("address add {THERE}/24 dev {CABLE}"));
        let mut answer = vec![0; LENGTH - 1000];
        stream.read_exact(&mut answer).unwrap();
        let logged = || sandbox.tunnel(["logs"]).stdout_has("").run().stdout;
        // A second ssh may be faster than the next retransmission.
        let ends = ["the network changed: the link is alive", "the second ssh takes over"];
        wait::until_true("the check to end", || ends.iter().any(|end| logged().contains(end)));
        assert!(!logged().contains("link lost"), "{}", logged());
    });
}

/// Connections in progress cannot survive that, so the next link does not wait for them.
#[test]
fn a_link_without_its_address_is_replaced() {
    const TEST: &str = "faults::addresses::a_link_without_its_address_is_replaced";
    namespaces::across(TEST, instance, |instance| {
        let sandbox = tunnel_to(instance);
        let mut stream = TcpStream::connect(("127.0.0.1", sandbox.config.local[0])).unwrap();
        stream.write_all(b"GET /bytes/10 HTTP/1.1\r\n").unwrap();
        namespaces::ip(&format!("address add 192.0.2.3/24 dev {CABLE}"));
        namespaces::ip(&format!("address del {HERE}/24 dev {CABLE}"));
        namespaces::ip(&format!("address replace 192.0.2.3/24 dev {CABLE}"));
        wait::until_true("another link", || instance.sshd.logins() == 2);
        wait_for(&sandbox, "up");
        assert_eq!(get(&sandbox.url(1, "id")), "n8n");
        sandbox.tunnel(["logs"]).stdout_has("the network changed; the link did not survive").run();
    });
}
