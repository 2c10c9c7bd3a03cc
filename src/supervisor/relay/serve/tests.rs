//! The relay between real sockets; what stands for ssh is a listener of the test's own.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream as Client};
use std::os::fd::AsRawFd;
use std::os::unix::net::{UnixListener as Remote, UnixStream};
use std::path::PathBuf;
use std::thread;

use nix::sys::socket::{MsgFlags, recv};
use tokio::net::TcpListener;

use super::*;

/// A relay on a thread of its own, and what it relays between.
struct Rig {
    directory: tempfile::TempDir,
    address: SocketAddr,
    link: watch::Sender<bool>,
}

impl Rig {
    fn new(up: bool) -> Self {
        Self::holding(up, Duration::from_secs(30))
    }

    fn holding(up: bool, hold: Duration) -> Self {
        Self::with_room(up, hold, 1000)
    }

    fn with_room(up: bool, hold: Duration, room: usize) -> Self {
        let directory = tempfile::Builder::new().prefix("sr").tempdir_in("/tmp").unwrap();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let (link, receiver) = watch::channel(up);
        let socket = directory.path().join("s");
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let room = Arc::new(Semaphore::new(room));
                let (pulse, meter) = (Arc::new(Pulse::new(5)), Arc::default());
                let guard = Guard::default();
                let way = Way { link: receiver, hold, room, guard, pulse, meter };
                serve(TcpListener::from_std(listener).unwrap(), socket, way).await;
            });
        });
        Self { directory, address, link }
    }

    fn socket(&self) -> PathBuf {
        self.directory.path().join("s")
    }

    /// Serves each connection to the socket with `service`.
    fn remote(&self, service: impl Fn(UnixStream) + Send + 'static) {
        let listener = Remote::bind(self.socket()).unwrap();
        thread::spawn(move || listener.incoming().flatten().for_each(service));
    }

    /// Takes one connection and returns it when `length` bytes wait in it; from then on nobody listens.
    fn take_unread(&self, length: usize) -> UnixStream {
        let (stream, _) = Remote::bind(self.socket()).unwrap().accept().unwrap();
        std::fs::remove_file(self.socket()).unwrap();
        let mut waiting = vec![0; length];
        while recv(stream.as_raw_fd(), &mut waiting, MsgFlags::MSG_PEEK).unwrap() < length {
            thread::yield_now();
        }
        stream
    }

    fn client(&self) -> Client {
        Client::connect(self.address).unwrap()
    }
}

fn read_all(stream: &mut impl Read) -> Vec<u8> {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    bytes
}

#[test]
fn each_direction_ends_by_itself() {
    let rig = Rig::new(true);
    rig.remote(|mut stream| {
        let sent = read_all(&mut stream);
        stream.write_all(&sent).unwrap();
    });
    let sent: Vec<u8> = (0..3_000_000u32).map(|n| n.to_le_bytes()[0]).collect();
    let mut client = rig.client();
    client.write_all(&sent).unwrap();
    client.shutdown(std::net::Shutdown::Write).unwrap();
    assert!(read_all(&mut client) == sent);
}

#[test]
fn an_answer_before_the_end_of_the_question_arrives() {
    let rig = Rig::new(true);
    let answer = vec![b'x'; 20_000];
    let expected = answer.clone();
    rig.remote(move |mut stream| {
        stream.read_exact(&mut [0; 10]).unwrap();
        stream.write_all(&answer).unwrap();
    });
    for _ in 0..50 {
        let mut client = rig.client();
        let mut uploading = client.try_clone().unwrap();
        // Goes on until the other side has had enough.
        let upload = thread::spawn(move || while uploading.write_all(&[0; 4096]).is_ok() {});
        let mut received = vec![0; expected.len()];
        client.read_exact(&mut received).unwrap();
        assert!(received == expected);
        client.shutdown(std::net::Shutdown::Both).unwrap();
        upload.join().unwrap();
    }
}

#[test]
fn a_connection_waits_for_the_link() {
    let rig = Rig::new(false);
    let mut client = rig.client();
    client.write_all(b"hello").unwrap();
    client.shutdown(std::net::Shutdown::Write).unwrap();
    rig.remote(|mut stream| {
        let sent = read_all(&mut stream);
        stream.write_all(&sent).unwrap();
    });
    rig.link.send_replace(true);
    assert_eq!(read_all(&mut client), b"hello");
}

#[test]
fn what_a_link_that_ended_had_delivered_arrives() {
    let rig = Rig::new(true);
    rig.remote(|mut stream| stream.write_all(b"half an ans").unwrap());
    let mut client = rig.client();
    assert_eq!(read_all(&mut client), b"half an ans");
    rig.link.send_replace(false);
    // The relay closes its end although the client goes on sending: nobody is left to send to.
    while client.write_all(b"more").is_ok() {}
}

#[test]
fn a_connection_is_closed_when_it_has_waited_long_enough() {
    let rig = Rig::holding(false, Duration::from_millis(50));
    assert_eq!(read_all(&mut rig.client()), b"");
}

#[test]
fn a_connection_without_room_waits_for_another_to_end() {
    let rig = Rig::with_room(true, Duration::from_secs(30), 2);
    rig.remote(|mut stream| {
        thread::spawn(move || stream.write_all(b"hello").and_then(|()| stream.read(&mut [0])));
    });
    let mut clients: Vec<Client> = (0..4).map(|_| rig.client()).collect();
    for client in &mut clients[..2] {
        client.read_exact(&mut [0; 5]).unwrap();
    }
    clients[2].set_nonblocking(true).unwrap();
    assert_eq!(clients[2].read(&mut [0]).unwrap_err().kind(), io::ErrorKind::WouldBlock);
    clients[2].set_nonblocking(false).unwrap();
    for first in (0..2).rev() {
        drop(clients.remove(first));
    }
    for mut client in clients {
        client.read_exact(&mut [0; 5]).unwrap();
    }
}

fn echo(mut stream: UnixStream) {
    let sent = read_all(&mut stream);
    stream.write_all(&sent).unwrap();
}

#[test]
#[cfg(target_os = "linux")]
fn what_a_lost_link_had_not_begun_to_carry_goes_over_the_next() {
    for rounds in 1..3 {
        let rig = Rig::new(true);
        let mut client = rig.client();
        client.write_all(b"hello").unwrap();
        for _ in 0..rounds {
            let unread = rig.take_unread(5);
            rig.link.send_replace(false);
            drop(unread);
            rig.link.send_replace(true);
        }
        rig.remote(echo);
        client.write_all(b" again").unwrap();
        client.shutdown(std::net::Shutdown::Write).unwrap();
        assert_eq!(read_all(&mut client), b"hello again");
    }
}

#[test]
#[cfg(target_os = "linux")]
fn so_does_much_of_which_only_the_beginning_is_kept() {
    let rig = Rig::new(true);
    let sent: Vec<u8> = (0..3_000_000u32).map(|n| n.to_le_bytes()[0]).collect();
    let mut client = rig.client();
    let mut uploading = client.try_clone().unwrap();
    let expected = sent.clone();
    let upload = thread::spawn(move || {
        uploading.write_all(&sent).unwrap();
        uploading.shutdown(std::net::Shutdown::Write).unwrap();
    });
    let unread = rig.take_unread(5000);
    rig.link.send_replace(false);
    drop(unread);
    rig.remote(echo);
    rig.link.send_replace(true);
    assert!(read_all(&mut client) == expected);
    upload.join().unwrap();
}

#[test]
fn what_a_lost_link_had_begun_to_carry_is_not_said_twice() {
    let rig = Rig::new(true);
    let mut client = rig.client();
    client.write_all(b"hello").unwrap();
    let mut taken = rig.take_unread(5);
    taken.read_exact(&mut [0; 5]).unwrap();
    rig.link.send_replace(false);
    drop(taken);
    let next = Remote::bind(rig.socket()).unwrap();
    next.set_nonblocking(true).unwrap();
    rig.link.send_replace(true);
    assert_eq!(read_all(&mut client), b"");
    assert_eq!(next.accept().unwrap_err().kind(), io::ErrorKind::WouldBlock);
}

#[test]
fn a_service_that_refuses_is_not_asked_again() {
    let rig = Rig::new(true);
    let mut client = rig.client();
    client.write_all(b"hello").unwrap();
    drop(rig.take_unread(5));
    assert_eq!(read_all(&mut client), b"");
}
