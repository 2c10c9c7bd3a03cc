//! A connection over which a command asks something, and does not wait for longer than it may.
//!
//! For commands, which ask once and end. The supervisor, which has much to wait for at a time, does
//! so with tokio.

use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use nix::sys::socket::{AddressFamily, SockFlag, SockType, UnixAddr, connect, socket};

/// A connection whose every wait ends with its time.
#[derive(Debug)]
pub struct Line {
    stream: UnixStream,
    end: Instant,
}

impl Line {
    /// Connects to `path`. All that is done with the connection has to be done within `patience`.
    pub fn open(path: &Path, patience: Duration) -> io::Result<Self> {
        let end = Instant::now() + patience;
        let socket: OwnedFd = socket(AddressFamily::Unix, SockType::Stream, SockFlag::empty(), None)?;
        let stream = UnixStream::from(socket);
        // One who does not take connections any more is not waited for.
        stream.set_nonblocking(true)?;
        connect(stream.as_raw_fd(), &UnixAddr::new(path)?)?;
        stream.set_nonblocking(false)?;
        Ok(Self { stream, end })
    }

    /// The connection itself.
    pub fn stream(&self) -> &UnixStream {
        &self.stream
    }

    fn left(&self) -> io::Result<Option<Duration>> {
        let left = self.end.saturating_duration_since(Instant::now());
        if left.is_zero() { Err(ErrorKind::TimedOut.into()) } else { Ok(Some(left)) }
    }
}

impl Read for Line {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            self.stream.set_read_timeout(self.left()?)?;
            match self.stream.read(buffer) {
                // Who was stopped for a while goes on waiting.
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                read => return read,
            }
        }
    }
}

impl Write for Line {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.stream.set_write_timeout(self.left()?)?;
        self.stream.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Whether this is the error of somebody who was waited for in vain.
pub fn is_late(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;
    use std::thread;

    use nix::sys::socket::{Backlog, listen};

    use super::*;

    #[test]
    fn an_answer_is_read() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("s");
        let listener = UnixListener::bind(&path).unwrap();
        let other = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut asked = [0; 3];
            stream.read_exact(&mut asked).unwrap();
            stream.write_all(&asked).unwrap();
        });
        let mut line = Line::open(&path, Duration::from_secs(600)).unwrap();
        line.write_all(b"who").unwrap();
        let mut answer = String::new();
        line.read_to_string(&mut answer).unwrap();
        assert_eq!(answer, "who");
        other.join().unwrap();
    }

    #[test]
    fn nobody_is_waited_for_in_vain() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("s");
        assert!(!is_late(&Line::open(&path, Duration::from_secs(600)).unwrap_err()));
        // Takes a few connections and says nothing.
        let listener = UnixListener::bind(&path).unwrap();
        listen(&listener, Backlog::new(1).unwrap()).unwrap();
        let mut line = Line::open(&path, Duration::from_millis(20)).unwrap();
        assert!(is_late(&line.read(&mut [0]).unwrap_err()));
        assert!(is_late(&line.write(&[0]).unwrap_err()));
        let lines: Vec<_> = (0..10).map(|_| Line::open(&path, Duration::from_secs(600))).collect();
        assert!(lines.last().unwrap().is_err());
    }
}
