//! Whether the server connects to somewhere: what [`super::connect`] finds out, for a command that
//! asks once and waits for nothing else meanwhile.

use std::io::{self, IoSlice, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use nix::sys::socket::{ControlMessage, MsgFlags, sendmsg};

use super::message::{
    FAILURE, Fields, HELLO, PERMISSION_DENIED, REQUEST, SESSION_OPENED, VERSION, hello, stdio_forward,
};
use super::{MESSAGE_MAX, Refusal};
use crate::forwarding::Target;
use crate::tunnel::line::Line;

/// Has the server connect to `target`, by way of the ssh behind `control`, and hang up again.
pub fn reach(control: &Path, target: &Target, patience: Duration) -> Result<(), Refusal> {
    // ssh has the other ends, and closes the connection when these are closed.
    let ((_up, theirs_in), (_down, theirs_out)) = (UnixStream::pair()?, UnixStream::pair()?);
    let mut line = Line::open(control, patience)?;
    line.write_all(&[hello(), stdio_forward(target)].concat())?;
    for end in [theirs_in, theirs_out] {
        send_descriptor(&line, &end)?;
    }
    loop {
        let answer = receive(&mut line)?;
        let mut fields = Fields(&answer);
        match (fields.number(), fields.number()) {
            (Some(HELLO), Some(VERSION)) => {}
            (Some(HELLO), _) => {
                return Err(io::Error::other("it speaks another version of its protocol").into());
            }
            (Some(SESSION_OPENED), Some(REQUEST)) => return Ok(()),
            (Some(PERMISSION_DENIED | FAILURE), Some(REQUEST)) => {
                return Err(Refusal::Refused(fields.text().unwrap_or_default()));
            }
            // About something that was not asked.
            _ => {}
        }
    }
}

fn receive(line: &mut Line) -> io::Result<Vec<u8>> {
    let mut length = [0; 4];
    line.read_exact(&mut length)?;
    let length = u32::from_be_bytes(length);
    if length > MESSAGE_MAX {
        return Err(io::Error::other("its answer is too long"));
    }
    let mut message = vec![0; usize::try_from(length).unwrap_or_default()];
    line.read_exact(&mut message)?;
    Ok(message)
}

/// Descriptors travel one by one, each with a byte of its own.
fn send_descriptor(line: &Line, end: &UnixStream) -> io::Result<()> {
    let descriptors = [end.as_raw_fd()];
    let rights = [ControlMessage::ScmRights(&descriptors)];
    let stream = line.stream().as_raw_fd();
    sendmsg::<()>(stream, &[IoSlice::new(&[0])], &rights, MsgFlags::empty(), None)?;
    Ok(())
}
