//! Asking forwards beyond the services. What protocol is spoken there is not known, so nothing is
//! sent: that the far end takes a connection is all there is to find out.

use super::{Condition, Finding, PATIENCE, why_refused};
use crate::config::forwarding::Forwarding;
use crate::config::forwarding::display::path_of;
use crate::runtime::directory::Directory;
use crate::runtime::extra::Extra;
use crate::supervisor::link::mux::{self, Refusal};
use crate::system::deadline_stream::is_late;
use crate::terminal::printable;

/// Asks where `extra` leads, by way of the ssh of the tunnel in `directory`.
pub fn ask(directory: &Directory, extra: &Extra) -> Finding {
    match (&extra.error, &extra.forwarding) {
        (Some(error), _) => finding(extra, Condition::NotAnswering, Some(error)),
        (None, Forwarding::Local(_, target)) => {
            let reason = match mux::reach(&directory.ssh_control(), target, PATIENCE) {
                Ok(()) => return finding(extra, Condition::Open, None),
                Err(Refusal::Refused(_)) => why_refused(directory, &extra.forwarding),
                Err(Refusal::Silent(error)) if is_late(&error) => "connection refused".to_owned(),
                Err(Refusal::Silent(_)) => "ssh does not answer".to_owned(),
            };
            finding(extra, Condition::NotAnswering, Some(&reason))
        }
        // Where these lead is for whoever uses them to say.
        (None, Forwarding::Remote(..) | Forwarding::Socks(_)) => finding(extra, Condition::Open, None),
    }
}

fn finding(extra: &Extra, condition: Condition, reason: Option<&str>) -> Finding {
    Finding {
        service: extra.forwarding.to_string(),
        local: extra.forwarding.listen(),
        shown: printable(&path_of(&extra.forwarding)).into_owned(),
        condition,
        http_status: None,
        model: None,
        reason: reason.map(str::to_owned),
    }
}
