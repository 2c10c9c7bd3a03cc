//! Moves bytes from one socket to another without copying them through this process: `splice(2)` through a
//! pipe.
//!
//! It saves the supervisor half of its processor time in large uploads, a quarter in large downloads, and nothing
//! in small ones; [`copy`](super::copy) chooses. Linux only; elsewhere there are no pipes to use.

use std::cell::{Cell, RefCell};
use std::io;
use std::os::fd::{AsFd, OwnedFd};

/// Largest number of pipes, of two files each: a connection with a slow receiver holds one.
const PIPES_MAX: usize = 4;
/// Bytes to move at a time. More is cheaper, but other connections wait longer for their turn.
const LENGTH: usize = 256 * 1024;
/// Size of a pipe, in bytes. The kernel uses a slot for each page or less.
#[cfg(target_os = "linux")]
const SIZE: libc::c_int = 1024 * 1024;

thread_local! {
    /// Empty pipes.
    static SPARE: RefCell<Vec<Pipe>> = const { RefCell::new(Vec::new()) };
    /// Number of existing pipes.
    static COUNT: Cell<usize> = const { Cell::new(0) };
}

/// The pipes of one thread.
#[derive(Debug)]
pub struct Pipe {
    entrance: OwnedFd,
    exit: OwnedFd,
    filled: usize,
}

impl Pipe {
    /// Returns an empty pipe; `None` at the limit, or if no files are left.
    pub fn take() -> Option<Self> {
        if let Some(pipe) = SPARE.with_borrow_mut(Vec::pop) {
            return Some(pipe);
        }
        if COUNT.get() >= PIPES_MAX {
            return None;
        }
        let (exit, entrance) = open().ok()?;
        COUNT.set(COUNT.get() + 1);
        Some(Self { entrance, exit, filled: 0 })
    }

    /// Returns an empty pipe to the pool.
    pub fn give_back(self) {
        if self.filled == 0 {
            SPARE.with_borrow_mut(|spare| spare.push(self));
        }
    }

    /// Reads what `from` has; returns its length, 0 at its end.
    pub fn fill(&mut self, from: &impl AsFd) -> io::Result<usize> {
        let length = splice(from, &self.entrance, LENGTH)?;
        self.filled += length;
        Ok(length)
    }

    /// Writes everything to `to`; fails with `WouldBlock` once `to` accepts no more.
    pub fn empty(&mut self, to: &impl AsFd) -> io::Result<()> {
        while self.filled > 0 {
            match splice(&self.exit, to, self.filled) {
                Ok(length) => self.filled -= length,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

impl Drop for Pipe {
    fn drop(&mut self) {
        let _ = COUNT.try_with(|count| count.set(count.get().saturating_sub(1)));
    }
}

#[cfg(target_os = "linux")]
fn open() -> io::Result<(OwnedFd, OwnedFd)> {
    use nix::fcntl::{FcntlArg, OFlag, fcntl};

    let (exit, entrance) = nix::unistd::pipe2(OFlag::O_NONBLOCK | OFlag::O_CLOEXEC)?;
    // A smaller pipe works, too; the system limits each user's.
    let _ = fcntl(&entrance, FcntlArg::F_SETPIPE_SZ(SIZE));
    Ok((exit, entrance))
}

#[cfg(not(target_os = "linux"))]
fn open() -> io::Result<(OwnedFd, OwnedFd)> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(target_os = "linux")]
fn splice(from: &impl AsFd, to: &impl AsFd, length: usize) -> io::Result<usize> {
    use nix::fcntl::SpliceFFlags;

    let flags = SpliceFFlags::SPLICE_F_NONBLOCK | SpliceFFlags::SPLICE_F_MOVE;
    Ok(nix::fcntl::splice(from, None, to, None, length, flags)?)
}

#[cfg(not(target_os = "linux"))]
fn splice(_from: &impl AsFd, _to: &impl AsFd, _length: usize) -> io::Result<usize> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::os::unix::net::UnixStream;

    use crate::supervisor::relay::pipe::*;
    use crate::supervisor::relay::stream::is_momentary;

    #[test]
    fn what_goes_in_comes_out_in_order() {
        let ((mut sender, from), (to, mut receiver)) =
            (UnixStream::pair().unwrap(), UnixStream::pair().unwrap());
        let mut pipe = Pipe::take().unwrap();
        sender.write_all(b"one ").unwrap();
        assert_eq!(pipe.fill(&from).unwrap(), 4);
        sender.write_all(b"two").unwrap();
        assert_eq!(pipe.fill(&from).unwrap(), 3);
        pipe.empty(&to).unwrap();
        let mut bytes = [0; 7];
        receiver.read_exact(&mut bytes).unwrap();
        assert_eq!(&bytes, b"one two");
        from.set_nonblocking(true).unwrap();
        assert!(is_momentary(&pipe.fill(&from).unwrap_err()));
        drop(sender);
        assert_eq!(pipe.fill(&from).unwrap(), 0);
        pipe.give_back();
        assert_eq!((COUNT.get(), SPARE.with_borrow(Vec::len)), (1, 1));
    }

    #[test]
    fn a_receiver_that_is_full_keeps_the_rest_in_the_pipe() {
        let ((mut sender, from), (to, mut receiver)) =
            (UnixStream::pair().unwrap(), UnixStream::pair().unwrap());
        let mut filler = to.try_clone().unwrap();
        filler.set_nonblocking(true).unwrap();
        let mut before = 0;
        while let Ok(length) = filler.write(&[b'-'; 4096]) {
            before += length;
        }
        let mut pipe = Pipe::take().unwrap();
        sender.write_all(b"rest").unwrap();
        pipe.fill(&from).unwrap();
        assert!(is_momentary(&pipe.empty(&to).unwrap_err()));
        receiver.read_exact(&mut vec![0; before]).unwrap();
        pipe.empty(&to).unwrap();
        let mut bytes = [0; 4];
        receiver.read_exact(&mut bytes).unwrap();
        assert_eq!(&bytes, b"rest");
    }

    #[test]
    fn pipes_with_something_in_them_are_not_used_again() {
        let (mut sender, from) = UnixStream::pair().unwrap();
        let mut pipes: Vec<Pipe> = std::iter::from_fn(Pipe::take).collect();
        assert_eq!(pipes.len(), PIPES_MAX);
        sender.write_all(b"x").unwrap();
        pipes[0].fill(&from).unwrap();
        pipes.into_iter().for_each(Pipe::give_back);
        assert_eq!(SPARE.with_borrow(Vec::len), PIPES_MAX - 1);
        assert_eq!(COUNT.get(), PIPES_MAX - 1);
    }
}
