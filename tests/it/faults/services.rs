//! Services that come and go, and clients that behave badly: the tunnel stays up, and no other client
//! suffers.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use super::{told, wait_for};
use crate::support::curl::{curl, get};
use crate::support::instance::Instance;
use crate::support::sandbox::Sandbox;
use crate::support::service::Service;
use crate::support::wait::DEADLINE;

#[test]
fn a_service_that_dies_and_returns_answers_again() {
    let mut instance = Instance::start();
    let sandbox = Sandbox::with(&instance);
    sandbox.start(&instance);
    let port = instance.services[0].port;
    assert_eq!(get(&sandbox.url(0, "id")), "sglang");
    instance.services[0].stop();
    let refused = curl().arg(sandbox.url(0, "id")).output().unwrap();
    assert!(!refused.status.success(), "nothing listens there");
    assert_eq!(told(&sandbox)["state"], "up", "the link is");
    assert_eq!(get(&sandbox.url(1, "id")), "n8n");
    instance.services[0] = Service::start_on("sglang", port);
    assert_eq!(get(&sandbox.url(0, "id")), "sglang");
    assert_eq!(instance.sshd.logins(), 1);
    wait_for(&sandbox, "up");
}

/// ssh and the server stop reading from a service whose client takes nothing; the other connections go on.
#[test]
fn a_client_that_never_reads_holds_nobody_up() {
    let instance = Instance::start();
    let sandbox = Sandbox::with(&instance);
    sandbox.start(&instance);
    let mut clients = Vec::new();
    for _ in 0..4 {
        let mut client = TcpStream::connect(("127.0.0.1", sandbox.config.local[0])).unwrap();
        client.write_all(b"GET /bytes/1000000000 HTTP/1.1\r\n\r\n").unwrap();
        client.set_read_timeout(Some(DEADLINE)).unwrap();
        assert!(client.read(&mut [0]).unwrap() > 0);
        clients.push(client);
    }
    for (index, service) in instance.services.iter().enumerate() {
        assert_eq!(get(&sandbox.url(index, "id")), service.name);
    }
    assert_eq!(told(&sandbox)["state"], "up");
}

/// Neither those that say nothing, nor those that said all they will, nor those that stop in the middle.
#[test]
fn clients_that_never_close_hold_nobody_up() {
    let instance = Instance::start();
    let sandbox = Sandbox::with(&instance);
    sandbox.start(&instance);
    let beginnings: [&[u8]; 3] = [b"", b"GET /id HTTP/1.1\r\n\r\n", b"POST /digest HTTP/1.1\r\nContent-Le"];
    let clients: Vec<TcpStream> = (0..60)
        .map(|number| {
            let mut client = TcpStream::connect(("127.0.0.1", sandbox.config.local[number % 3])).unwrap();
            client.write_all(beginnings[number / 3 % 3]).unwrap();
            client
        })
        .collect();
    for (index, service) in instance.services.iter().enumerate() {
        assert_eq!(get(&sandbox.url(index, "id")), service.name);
    }
    sandbox.tunnel(["stop"]).stdout("Stopped tunnel (PID: [PID])\n").run();
    drop(clients);
    sandbox.assert_idle();
}
