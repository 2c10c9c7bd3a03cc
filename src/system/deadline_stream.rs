//! Streams with one deadline for all reads and writes.
//!
//! For commands, which send one request and end. The supervisor uses tokio.

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use nix::sys::socket::{AddressFamily, SockFlag, SockType, UnixAddr, connect, socket};

/// A stream with time limits.
pub trait Timed: Read + Write {
    /// Sets the time limit of a read.
    fn set_read_timeout(&self, time: Option<Duration>) -> io::Result<()>;
    /// Sets the time limit of a write.
    fn set_write_timeout(&self, time: Option<Duration>) -> io::Result<()>;
}

macro_rules! timed {
    ($($stream:ty),*) => {$(
        impl Timed for $stream {
            fn set_read_timeout(&self, time: Option<Duration>) -> io::Result<()> {
                <$stream>::set_read_timeout(self, time)
            }

            fn set_write_timeout(&self, time: Option<Duration>) -> io::Result<()> {
                <$stream>::set_write_timeout(self, time)
            }
        }
    )*};
}

timed!(UnixStream, TcpStream);

impl Timed for &UnixStream {
    fn set_read_timeout(&self, time: Option<Duration>) -> io::Result<()> {
        UnixStream::set_read_timeout(self, time)
    }

    fn set_write_timeout(&self, time: Option<Duration>) -> io::Result<()> {
        UnixStream::set_write_timeout(self, time)
    }
}

impl Timed for Box<dyn Timed> {
    fn set_read_timeout(&self, time: Option<Duration>) -> io::Result<()> {
        (**self).set_read_timeout(time)
    }

    fn set_write_timeout(&self, time: Option<Duration>) -> io::Result<()> {
        (**self).set_write_timeout(time)
    }
}

/// A stream with a deadline.
#[derive(Debug)]
pub struct DeadlineStream<S = UnixStream> {
    stream: S,
    deadline: Instant,
}

impl DeadlineStream<UnixStream> {
    /// Connects to `path`. `patience` limits everything that follows.
    pub fn open(path: &Path, patience: Duration) -> io::Result<Self> {
        let deadline = Instant::now() + patience;
        let socket: OwnedFd = socket(AddressFamily::Unix, SockType::Stream, SockFlag::empty(), None)?;
        let stream = UnixStream::from(socket);
        // Connecting fails at once if the listener's backlog is full.
        stream.set_nonblocking(true)?;
        connect(stream.as_raw_fd(), &UnixAddr::new(path)?)?;
        stream.set_nonblocking(false)?;
        Ok(Self { stream, deadline })
    }
}

impl<S: Timed> DeadlineStream<S> {
    /// Gives `stream` a deadline, `patience` from now.
    pub fn new(stream: S, patience: Duration) -> Self {
        Self { stream, deadline: Instant::now() + patience }
    }

    /// Returns the stream itself.
    pub fn stream(&self) -> &S {
        &self.stream
    }

    fn left(&self) -> io::Result<Option<Duration>> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        if left.is_zero() { Err(ErrorKind::TimedOut.into()) } else { Ok(Some(left)) }
    }
}

impl<S: Timed> Read for DeadlineStream<S> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            self.stream.set_read_timeout(self.left()?)?;
            match self.stream.read(buffer) {
                // A resumed process keeps waiting.
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                read => return read,
            }
        }
    }
}

impl<S: Timed> Write for DeadlineStream<S> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.stream.set_write_timeout(self.left()?)?;
        self.stream.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Returns true for the error of a deadline that passed.
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
        let mut stream = DeadlineStream::open(&path, Duration::from_secs(600)).unwrap();
        stream.write_all(b"who").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert_eq!(answer, "who");
        other.join().unwrap();
    }

    #[test]
    fn a_wait_ends_at_the_deadline() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("s");
        assert!(!is_late(&DeadlineStream::open(&path, Duration::from_secs(600)).unwrap_err()));
        // Accepts a few connections and is silent.
        let listener = UnixListener::bind(&path).unwrap();
        listen(&listener, Backlog::new(1).unwrap()).unwrap();
        let mut stream = DeadlineStream::open(&path, Duration::from_millis(20)).unwrap();
        assert!(is_late(&stream.read(&mut [0]).unwrap_err()));
        assert!(is_late(&stream.write(&[0]).unwrap_err()));
        let all: Vec<_> = (0..10).map(|_| DeadlineStream::open(&path, Duration::from_secs(600))).collect();
        assert!(all.last().unwrap().is_err());
    }
}
