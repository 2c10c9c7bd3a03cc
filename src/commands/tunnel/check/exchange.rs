//! Exchanges with what listens on a local port or socket of the tunnel, as clients make them.

use std::io::{Read, Write};
use std::time::Duration;

use crate::config::forwarding::{ForwardSpec, Listen};
use crate::error::{Error, io_reason};
use crate::runtime::check_connection;
use crate::runtime::control::{self, Supervisor};
use crate::runtime::directory::Directory;
use crate::system::deadline_stream::is_late;

/// Time for a service to answer.
pub(super) const PATIENCE: Duration = Duration::from_secs(3);
/// Time to see whether a connection closes although nothing was sent.
pub(super) const SECOND_LOOK: Duration = Duration::from_millis(700);
/// The reason for a connection that ends at once although the server connects to the service.
pub(super) const CLOSES: &str = "closes connections at once";
/// Longest answer, in bytes.
const RESPONSE_MAX: usize = 64 << 10;

/// Reply of a service.
#[derive(Debug)]
pub(super) enum Reply {
    /// Bytes.
    Said(Vec<u8>),
    /// The end of the connection.
    Closed,
    /// No answer in time.
    Silence,
    /// No connection, with the reason.
    Unreachable(String),
}

/// Returns the supervisor's reason why connections of `spec` fail; `None` if the server connects to its
/// target.
pub(super) fn obstacle(directory: &Directory, spec: &ForwardSpec) -> Option<String> {
    let asked = Supervisor::connect(directory).ok()?.change(control::WHY, spec);
    let Err(Error::Failed { message, .. }) = asked else { return None };
    let reason = message.strip_prefix("connect failed: ").unwrap_or(&message);
    Some(match reason {
        control::TOO_MANY_CONNECTIONS => reason.to_owned(),
        "Connection refused" => "refused on the instance".to_owned(),
        _ => format!("the instance cannot connect: {reason}"),
    })
}

/// Sends `bytes` and reads `length` bytes.
pub(super) fn listen_to(listen: &Listen, bytes: &[u8], length: usize, patience: Duration) -> Reply {
    converse(listen, bytes, patience, |said| said.len() >= length)
}

/// Connects as a client does, sends `bytes` and reads until `is_enough`.
pub(super) fn converse(
    listen: &Listen,
    bytes: &[u8],
    patience: Duration,
    is_enough: impl Fn(&[u8]) -> bool,
) -> Reply {
    let mut stream = match check_connection::open(listen, patience) {
        Ok(stream) => stream,
        Err(error) if is_late(&error) => return Reply::Silence,
        Err(error) => {
            return Reply::Unreachable(format!("cannot connect to {listen}: {}", io_reason(&error)));
        }
    };
    // A service that rejects the request may have sent an answer.
    let _ = stream.write_all(bytes);
    let (mut said, mut piece) = (Vec::new(), [0; 4096]);
    let mut is_silent = false;
    while said.len() < RESPONSE_MAX && !is_enough(&said) {
        match stream.read(&mut piece) {
            Ok(length @ 1..) => said.extend_from_slice(&piece[..length]),
            outcome => {
                is_silent = outcome.is_err_and(|error| is_late(&error));
                break;
            }
        }
    }
    match (said.is_empty(), is_silent) {
        (false, _) => Reply::Said(said),
        (true, false) => Reply::Closed,
        (true, true) => Reply::Silence,
    }
}
