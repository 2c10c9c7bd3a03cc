//! Copying into a receiver that is full for a moment.

use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;
use crate::supervisor::link::carrier::Carrier;

/// A socket that refuses the first write.
struct Full {
    socket: UnixStream,
    refused: AtomicBool,
}

impl Stream for Full {
    async fn readable(&self) -> io::Result<()> {
        self.socket.readable().await
    }
    async fn writable(&self) -> io::Result<()> {
        self.socket.writable().await
    }
    fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.socket.try_read(buffer)
    }
    fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        if self.refused.swap(true, Ordering::Relaxed) {
            self.socket.try_write(bytes)
        } else {
            Err(io::ErrorKind::WouldBlock.into())
        }
    }
    fn try_io<T>(&self, interest: Interest, work: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        self.socket.try_io(interest, work)
    }
}

impl AsFd for Full {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// ssh that accepts data again is not stuck, but what it accepts last needs an answer like all data before:
/// otherwise nothing would notice a link that dies with it.
#[test]
fn the_last_piece_of_an_upload_owes_an_answer_although_it_had_to_wait() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let ((mut client, from), (to, mut ssh)) = (UnixStream::pair().unwrap(), UnixStream::pair().unwrap());
        let to = Full { socket: to, refused: AtomicBool::new(false) };
        let carrier = Arc::new(Carrier::new(5));
        let (exchange, counters, sent) =
            (Exchange::new(Arc::clone(&carrier)), Counters::default(), AtomicU64::new(0));
        client.write_all(b"last piece").await.unwrap();
        let mut taken = [0; 10];
        tokio::select! {
            _ = copy(&from, &to, Direction::Up(&exchange, &counters, &sent)) => panic!("it has ended"),
            read = ssh.read_exact(&mut taken) => drop(read.unwrap()),
        }
        assert_eq!(&taken, b"last piece");
        assert!(carrier.liveness.owes_answer());
    });
}
