//! Reads ssh's output, line by line.

use std::collections::VecDeque;
use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::net::unix::pipe::Receiver;
use tokio::time::sleep;

/// Number of lines to keep as the reason for ssh's end.
const LINES_KEPT: usize = 40;
/// Longest line, in bytes; the rest of a longer one is another line.
const LINE_MAX: usize = 4096;

/// Bytes to read in one turn. Other tasks run in between, and ssh waits: a server can make it write without
/// end.
const TURN_MAX: usize = 64 << 10;
const PAUSE: Duration = Duration::from_millis(10);

/// Use of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// It may be the reason for ssh's end.
    Keep,
    /// It says nothing about the link.
    Drop,
}

/// Handler of each line.
pub type LineHandler = Box<dyn FnMut(&str) -> Use + Send>;

/// Reader of one of ssh's outputs. Copies share it.
#[derive(Debug, Clone)]
pub struct LineReader {
    lines: Arc<Mutex<Lines>>,
}

struct Lines {
    source: Arc<File>,
    /// Beginning of an incomplete line.
    begun: Vec<u8>,
    kept: VecDeque<String>,
    handler: LineHandler,
}

impl fmt::Debug for Lines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lines").field("source", &self.source).finish_non_exhaustive()
    }
}

impl LineReader {
    /// Reads the nonblocking pipe `source`.
    pub fn new(source: OwnedFd, handler: LineHandler) -> Self {
        let lines =
            Lines { source: Arc::new(File::from(source)), begun: Vec::new(), kept: VecDeque::new(), handler };
        Self { lines: Arc::new(Mutex::new(lines)) }
    }

    /// Reads until the source ends.
    pub async fn listen(self) -> io::Result<()> {
        let source = self.lines().source.try_clone()?;
        let source = Receiver::from_file(source)?;
        loop {
            source.readable().await?;
            // Only its own read clears the pipe's readiness.
            let end = self.lines().read(|buffer| source.try_read(buffer));
            match end {
                End::Reached => return Ok(()),
                End::Open => {}
                End::More => sleep(PAUSE).await,
            }
        }
    }

    /// Reads the lines written so far, at most [`TURN_MAX`] bytes.
    pub fn catch_up(&self) -> End {
        self.lines().catch_up()
    }

    /// Returns the kept lines.
    pub fn kept(&self) -> Vec<String> {
        self.lines().kept.iter().cloned().collect()
    }

    /// Drops the kept lines.
    pub fn forget(&self) {
        self.lines().kept.clear();
    }

    fn lines(&self) -> MutexGuard<'_, Lines> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// State of the source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// It may have more later.
    Open,
    /// It has more, for the next turn.
    More,
    /// It has ended.
    Reached,
}

impl Lines {
    fn catch_up(&mut self) -> End {
        let source = Arc::clone(&self.source);
        self.read(|buffer| (&*source).read(buffer))
    }

    /// Reads `source` until it has no more or the turn is over.
    fn read(&mut self, mut source: impl FnMut(&mut [u8]) -> io::Result<usize>) -> End {
        let mut buffer = [0; LINE_MAX];
        let mut taken = 0;
        while taken < TURN_MAX {
            match source(&mut buffer) {
                Ok(0) => {
                    self.finish_line();
                    return End::Reached;
                }
                Ok(read) => {
                    taken += read;
                    self.take(&buffer[..read]);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return End::Open,
                Err(_) => return End::Reached,
            }
        }
        End::More
    }

    fn take(&mut self, bytes: &[u8]) {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.begun.extend_from_slice(piece);
            if piece.ends_with(b"\n") || self.begun.len() >= LINE_MAX {
                self.finish_line();
            }
        }
    }

    fn finish_line(&mut self) {
        if self.begun.is_empty() {
            return;
        }
        let line = String::from_utf8_lossy(&self.begun).trim_end().to_owned();
        self.begun.clear();
        if (self.handler)(&line) == Use::Keep {
            if self.kept.len() == LINES_KEPT {
                self.kept.pop_front();
            }
            self.kept.push_back(line);
        }
    }
}

/// Limits the lines of one ssh in the log and for a waiting start: a burst, then a trickle.
#[derive(Debug)]
pub struct Quota {
    left: u32,
    /// Time at which a line was last added to the rest.
    filled: Instant,
}

impl Quota {
    /// Lines in a burst. A login has a few, a long banner some hundred.
    const BURST: u32 = 1000;
    /// Time for one more line.
    const REFILL: Duration = Duration::from_millis(100);

    /// Returns the quota of a new ssh.
    pub fn new() -> Self {
        Self { left: Self::BURST, filled: Instant::now() }
    }

    /// Counts a line; returns whether it passes, and whether it is the last one for now.
    pub fn take(&mut self) -> (bool, bool) {
        let more = self.filled.elapsed().as_millis() / Self::REFILL.as_millis();
        if more > 0 {
            self.filled = Instant::now();
            self.left = self.left.saturating_add(u32::try_from(more).unwrap_or(u32::MAX)).min(Self::BURST);
        }
        let passes = self.left > 0;
        self.left = self.left.saturating_sub(1);
        (passes, passes && self.left == 0)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use nix::fcntl::OFlag;

    use super::*;

    fn reader() -> (File, LineReader, Arc<Mutex<Vec<String>>>) {
        let (ours, theirs) = nix::unistd::pipe2(OFlag::O_NONBLOCK | OFlag::O_CLOEXEC).unwrap();
        let lines = Arc::new(Mutex::new(Vec::new()));
        let recorder = Arc::clone(&lines);
        let handler = move |line: &str| {
            recorder.lock().unwrap().push(line.to_owned());
            if line.starts_with("debug") { Use::Drop } else { Use::Keep }
        };
        (File::from(theirs), LineReader::new(ours, Box::new(handler)), lines)
    }

    fn long(length: usize) -> String {
        "x".repeat(length)
    }

    #[test]
    fn lines_are_handled_when_they_are_whole_and_some_are_kept() {
        let (mut ssh, reader, lines) = reader();
        ssh.write_all(b"one\r\ndebug2: t").unwrap();
        assert_eq!(reader.catch_up(), End::Open);
        assert_eq!(*lines.lock().unwrap(), ["one"]);
        ssh.write_all(b"wo\nthree").unwrap();
        drop(ssh);
        assert_eq!(reader.catch_up(), End::Reached);
        assert_eq!(*lines.lock().unwrap(), ["one", "debug2: two", "three"]);
        assert_eq!(reader.kept(), ["one", "three"]);
        reader.forget();
        assert!(reader.kept().is_empty());
    }

    #[test]
    fn neither_a_line_without_an_end_nor_many_lines_take_much_memory() {
        let (mut ssh, reader, lines) = reader();
        ssh.write_all(long(2 * LINE_MAX + 10).as_bytes()).unwrap();
        reader.catch_up();
        assert_eq!(*lines.lock().unwrap(), [long(LINE_MAX), long(LINE_MAX)]);
        for number in 0..2 * LINES_KEPT {
            writeln!(ssh, "{number}").unwrap();
        }
        reader.catch_up();
        assert_eq!(reader.kept().len(), LINES_KEPT);
        assert_eq!(reader.kept().last().unwrap(), "79");
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_flood_is_taken_in_turns() {
        let (mut ssh, reader, lines) = reader();
        nix::fcntl::fcntl(&ssh, nix::fcntl::FcntlArg::F_SETPIPE_SZ(1 << 20)).unwrap();
        let flood = format!("{}\n", long(99)).repeat(1000);
        ssh.write_all(flood.as_bytes()).unwrap();
        assert_eq!(reader.catch_up(), End::More);
        assert!(lines.lock().unwrap().len() * 100 <= TURN_MAX);
        assert_eq!(reader.catch_up(), End::Open);
        assert_eq!(lines.lock().unwrap().len(), 1000);
    }

    #[test]
    fn a_flood_is_passed_on_in_part() {
        let mut quota = Quota::new();
        let taken: Vec<_> = (0..10 * Quota::BURST).map(|_| quota.take()).collect();
        let passed = taken.iter().filter(|(passes, _)| *passes).count();
        assert!((1000..1100).contains(&passed), "{passed}");
        assert!(taken[999].1 && !taken[998].1);
    }

    #[test]
    fn listening_ends_with_the_source() {
        let (mut ssh, reader, lines) = reader();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listening = tokio::spawn(reader.listen());
            tokio::task::yield_now().await;
            ssh.write_all(b"one\ntwo").unwrap();
            drop(ssh);
            listening.await.unwrap().unwrap();
        });
        assert_eq!(*lines.lock().unwrap(), ["one", "two"]);
    }
}
