//! Checks of forwards other than the services. Their protocol is unknown, so the check sends nothing to them.
//!
//! | forward | check | open means |
//! |---|---|---|
//! | local | a connection; then the supervisor asks the server to connect | the far end takes connections |
//! | SOCKS | the greeting | the proxy answers |
//! | remote | a connection to the target here | the server said that it listens, and the target takes connections |

use std::io;
use std::net::TcpStream;

use super::exchange::{CLOSES, PATIENCE, Reply, SECOND_LOOK, listen_to, obstacle};
use super::finding::{Condition, Finding};
use crate::config::forwarding::{ForwardSpec, Target};
use crate::error::io_reason;
use crate::runtime::directory::Directory;
use crate::runtime::forward::Forward;
use crate::system::deadline_stream::DeadlineStream;
use crate::system::name_service;
use crate::terminal::printable;

/// Offers SOCKS 5 without authentication (RFC 1928), and the length of the answer.
const GREETING: ([u8; 3], usize) = ([5, 1, 0], 2);

/// Checks the target of `forward`.
pub(super) fn check(directory: &Directory, forward: &Forward) -> Finding {
    let fault = match (&forward.error, &forward.spec) {
        (Some(error), _) => Some(error.clone()),
        (None, spec @ ForwardSpec::Local(..)) => fault_of_local(directory, spec),
        (None, spec @ ForwardSpec::Socks(_)) => fault_of_proxy(directory, spec),
        (None, ForwardSpec::Remote(_, target)) => connect(target).err().map(|error| {
            format!("cannot connect to {}: {}", printable(&target.to_string()), io_reason(&error))
        }),
    };
    let condition = if fault.is_some() { Condition::NotAnswering } else { Condition::Open };
    Finding { reason: fault, ..Finding::new(forward, condition) }
}

/// A silent service looks like one that the server has not reached yet, so the supervisor is asked, too.
fn fault_of_local(directory: &Directory, spec: &ForwardSpec) -> Option<String> {
    match listen_to(&spec.listen(), &[], 1, SECOND_LOOK) {
        Reply::Said(_) => None,
        Reply::Silence => obstacle(directory, spec),
        Reply::Closed => Some(obstacle(directory, spec).unwrap_or_else(|| CLOSES.to_owned())),
        Reply::Unreachable(reason) => Some(reason),
    }
}

fn fault_of_proxy(directory: &Directory, spec: &ForwardSpec) -> Option<String> {
    let (greeting, length) = GREETING;
    match listen_to(&spec.listen(), &greeting, length, PATIENCE) {
        Reply::Said(_) => None,
        Reply::Unreachable(reason) => Some(reason),
        Reply::Silence | Reply::Closed => {
            Some(obstacle(directory, spec).unwrap_or_else(|| "the proxy does not answer".to_owned()))
        }
    }
}

/// Connects to the target of a remote forward as ssh does, and closes the connection.
fn connect(target: &Target) -> io::Result<()> {
    match target {
        Target::Socket(path) => DeadlineStream::open(path, PATIENCE).map(drop),
        Target::Port(host, port) => {
            let mut outcome = Err(io::ErrorKind::NotFound.into());
            for address in name_service::addresses(host, *port)? {
                outcome = TcpStream::connect_timeout(&address, PATIENCE).map(drop);
                if outcome.is_ok() {
                    break;
                }
            }
            outcome
        }
    }
}
