//! First data that was given to an ssh from which another one has taken over.

use super::*;
use crate::supervisor::relay::disconnect::is_closed;

/// Another ssh has taken over, and the former one goes on for other connections.
#[test]
fn what_a_former_ssh_has_not_read_goes_over_the_next_and_never_over_both() {
    for sent in ["hello", ""] {
        let rig = Rig::new(true);
        let mut client = rig.client();
        client.write_all(sent.as_bytes()).unwrap();
        let mut unread = rig.take_unread(sent.len());
        rig.remote(echo);
        rig.up();
        while !is_closed(&unread) {
            thread::yield_now();
        }
        assert_eq!(read_all(&mut unread), b"");
        client.write_all(b" again").unwrap();
        client.shutdown(std::net::Shutdown::Write).unwrap();
        assert_eq!(read_all(&mut client), format!("{sent} again").as_bytes());
    }
}

#[test]
fn what_a_former_ssh_has_read_or_answered_stays_with_it() {
    for (answer, is_read) in [("", true), ("greeting", false)] {
        let rig = Rig::new(true);
        let mut client = rig.client();
        client.write_all(b"hello").unwrap();
        let mut taken = rig.take_unread(5);
        taken.write_all(answer.as_bytes()).unwrap();
        if is_read {
            taken.read_exact(&mut [0; 5]).unwrap();
        }
        let next = Remote::bind(rig.socket()).unwrap();
        next.set_nonblocking(true).unwrap();
        rig.up();
        client.write_all(b" again").unwrap();
        taken.read_exact(&mut vec![0; if is_read { 6 } else { 11 }]).unwrap();
        taken.write_all(b"answer").unwrap();
        drop(taken);
        assert_eq!(read_all(&mut client), format!("{answer}answer").as_bytes());
        assert_eq!(next.accept().unwrap_err().kind(), io::ErrorKind::WouldBlock);
    }
}
