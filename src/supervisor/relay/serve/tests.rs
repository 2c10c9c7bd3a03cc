//! The relay between real sockets; a listener of the test takes ssh's place.

#[cfg(target_os = "linux")]
mod former;
mod rig;

use std::io::{Read, Write};
use std::net::TcpStream as Client;
use std::os::unix::net::{UnixListener as Remote, UnixStream};
use std::thread;

use self::rig::Rig;
use super::*;

fn read_all(stream: &mut impl Read) -> Vec<u8> {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    bytes
}

/// Reads until the connection is reset.
fn read_until_reset(stream: &mut impl Read) -> Vec<u8> {
    let mut bytes = Vec::new();
    assert_eq!(stream.read_to_end(&mut bytes).unwrap_err().kind(), io::ErrorKind::ConnectionReset);
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
        // Continues until the peer stops reading.
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
    rig.up();
    assert_eq!(read_all(&mut client), b"hello");
}

#[test]
fn what_a_link_that_ended_had_delivered_arrives() {
    let rig = Rig::new(true);
    rig.remote(|mut stream| stream.write_all(b"half an ans").unwrap());
    let mut client = rig.client();
    assert_eq!(read_all(&mut client), b"half an ans");
    rig.down();
    // The relay closes its end although the client goes on sending: there is no receiver.
    while client.write_all(b"more").is_ok() {}
}

#[test]
fn a_connection_is_closed_when_it_has_waited_long_enough() {
    let rig = Rig::holding(false, Duration::from_millis(50));
    assert_eq!(read_all(&mut rig.client()), b"");
}

#[test]
fn a_connection_without_room_waits_for_another_to_end() {
    let rig = Rig::with_places(true, Duration::from_secs(30), 2);
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
            rig.down();
            drop(unread);
            rig.up();
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
    rig.down();
    drop(unread);
    rig.remote(echo);
    rig.up();
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
    rig.down();
    drop(taken);
    let next = Remote::bind(rig.socket()).unwrap();
    next.set_nonblocking(true).unwrap();
    rig.up();
    assert_eq!(read_until_reset(&mut client), b"");
    assert_eq!(next.accept().unwrap_err().kind(), io::ErrorKind::WouldBlock);
}

#[test]
fn a_service_that_refuses_is_not_asked_again() {
    let rig = Rig::new(true);
    let mut client = rig.client();
    client.write_all(b"hello").unwrap();
    drop(rig.take_unread(5));
    assert_eq!(read_until_reset(&mut client), b"");
}

#[test]
fn a_refused_client_that_has_said_nothing_sees_an_end() {
    let rig = Rig::new(true);
    let mut client = rig.client();
    drop(Remote::bind(rig.socket()).unwrap().accept().unwrap());
    assert_eq!(read_all(&mut client), b"");
}

/// A client that is still sending must not take that for an answer.
#[test]
fn a_large_upload_to_a_service_that_refuses_is_reset_soon() {
    let rig = Rig::new(true);
    let mut client = rig.client();
    let mut sent = 0;
    let refusing = thread::spawn(move || {
        drop(rig.take_unread(5000));
        rig
    });
    while let Ok(length) = client.write(&[0; 10_000]) {
        sent += length;
    }
    drop(refusing.join().unwrap());
    assert!(sent < 20 << 20, "{sent} bytes were taken");
}

#[test]
fn what_a_lost_link_cut_off_ends_with_a_reset_behind_what_had_come() {
    let rig = Rig::new(true);
    let mut client = rig.client();
    let (mut stream, _) = Remote::bind(rig.socket()).unwrap().accept().unwrap();
    stream.write_all(&vec![b'x'; 100_000]).unwrap();
    client.read_exact(&mut [0; 10]).unwrap();
    rig.down();
    drop(stream);
    assert_eq!(read_until_reset(&mut client).len(), 99_990);
}

/// A second ssh has taken over and is lost. The former one still carries the connection.
#[test]
fn the_end_of_a_service_behind_a_former_ssh_is_an_end() {
    for is_up_again in [false, true] {
        let rig = Rig::new(true);
        let mut client = rig.client();
        let (mut stream, _) = Remote::bind(rig.socket()).unwrap().accept().unwrap();
        stream.write_all(b"answer").unwrap();
        client.read_exact(&mut [0; 6]).unwrap();
        rig.up();
        rig.down();
        if is_up_again {
            rig.up();
        }
        stream.write_all(b" and more").unwrap();
        drop(stream);
        assert_eq!(read_all(&mut client), b" and more");
    }
}

#[test]
fn what_a_former_ssh_cut_off_ends_with_a_reset() {
    let rig = Rig::new(true);
    let mut client = rig.client();
    let (mut stream, _) = Remote::bind(rig.socket()).unwrap().accept().unwrap();
    stream.write_all(b"answer").unwrap();
    client.read_exact(&mut [0; 6]).unwrap();
    rig.up().unwrap().end();
    drop(stream);
    assert_eq!(read_until_reset(&mut client), b"");
}

/// Otherwise a stream over the former ssh would hide that the present one is dead.
#[test]
fn data_over_a_former_ssh_is_no_sign_of_life_of_the_present_one() {
    let rig = Rig::new(true);
    let mut client = rig.client();
    let (mut stream, _) = Remote::bind(rig.socket()).unwrap().accept().unwrap();
    // A connection without any data would go over to the present one.
    stream.write_all(b"x").unwrap();
    client.read_exact(&mut [0]).unwrap();
    let former = rig.up().unwrap();
    let (before, began) = (former.liveness.last_received(), rig.present().liveness.last_received());
    while former.liveness.last_received() == before {
        stream.write_all(b"x").unwrap();
        client.read_exact(&mut [0]).unwrap();
    }
    assert_eq!(rig.present().liveness.last_received(), began);
}

#[test]
fn the_end_of_a_service_leaves_the_other_direction_open() {
    let rig = Rig::new(true);
    let (told, read) = std::sync::mpsc::channel();
    rig.remote(move |mut stream| {
        stream.write_all(b"answer").unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        told.send(read_all(&mut stream).len()).unwrap();
    });
    let mut client = rig.client();
    assert_eq!(read_all(&mut client), b"answer");
    client.write_all(&vec![0; 3_000_000]).unwrap();
    drop(client);
    assert_eq!(read.recv().unwrap(), 3_000_000);
}

#[test]
#[cfg(target_os = "linux")]
fn what_a_client_asked_for_that_gave_up_is_not_carried_out_later() {
    let rig = Rig::new(false);
    let mut gave_up = rig.client();
    gave_up.write_all(b"gave up").unwrap();
    drop(gave_up);
    // A client that only shuts down sending waits for the answer.
    let mut waits = rig.client();
    waits.write_all(b"waits").unwrap();
    waits.shutdown(std::net::Shutdown::Write).unwrap();
    wait_for_connections(&rig, (1, 2));
    rig.remote(echo);
    rig.up();
    assert_eq!(read_all(&mut waits), b"waits");
}

/// Also one whose request was lost with its link.
#[test]
#[cfg(target_os = "linux")]
fn a_request_of_a_client_that_has_gone_does_not_go_over_the_next_link() {
    let rig = Rig::new(true);
    let mut client = rig.client();
    client.write_all(b"hello").unwrap();
    let unread = rig.take_unread(5);
    drop(client);
    rig.down();
    drop(unread);
    wait_for_connections(&rig, (0, 1));
}

#[test]
fn finished_connections_make_room() {
    let rig = Rig::with_places(true, Duration::from_secs(30), 2);
    rig.remote(|mut stream| {
        thread::spawn(move || {
            stream.write_all(b"hello").unwrap();
            stream.shutdown(std::net::Shutdown::Write).unwrap();
            let _ = stream.read(&mut [0]);
        });
    });
    // They read to the end and keep their own end open.
    let kept: Vec<Client> = (0..6)
        .map(|_| {
            let mut client = rig.client();
            assert_eq!(read_all(&mut client), b"hello");
            client
        })
        .collect();
    drop(kept);
}

/// Waits until this many connections are open, of this many in total.
#[cfg(target_os = "linux")]
fn wait_for_connections(rig: &Rig, count: (u64, u64)) {
    while rig.counters.connections() != count {
        thread::yield_now();
    }
}
