//! Whether the server connects to somewhere: what [`super::connect`] finds out, for a command that
//! asks once and waits for nothing else meanwhile.

use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use super::message::{SESSION_OPENED, check_hello, hello, send_descriptor, stdio_forward, verdict};
use super::{MESSAGE_MAX, Refusal};
use crate::config::forwarding::Target;
use crate::system::deadline_stream::DeadlineStream;

/// Has the server connect to `target`, by way of the ssh behind `control`, and hang up again.
pub fn reach(control: &Path, target: &Target, patience: Duration) -> Result<(), Refusal> {
    // ssh has the other ends, and closes the connection when these are closed.
    let ((_up, theirs_in), (_down, theirs_out)) = (UnixStream::pair()?, UnixStream::pair()?);
    let mut line = DeadlineStream::open(control, patience)?;
    line.write_all(&[hello(), stdio_forward(target)].concat())?;
    for end in [theirs_in, theirs_out] {
        send_descriptor(line.stream().as_fd(), end.as_fd())?;
    }
    check_hello(&receive(&mut line)?)?;
    loop {
        if let Some(verdict) = verdict(&receive(&mut line)?, SESSION_OPENED) {
            return verdict;
        }
    }
}

fn receive(line: &mut DeadlineStream) -> io::Result<Vec<u8>> {
    let mut length = [0; 4];
    line.read_exact(&mut length)?;
    let length = u32::from_be_bytes(length);
    if length > MESSAGE_MAX {
        return Err(io::Error::other("the answer is too long"));
    }
    let mut message = vec![0; usize::try_from(length).unwrap_or_default()];
    line.read_exact(&mut message)?;
    Ok(message)
}
