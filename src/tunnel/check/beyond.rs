//! Asking forwards beyond the services. What protocol is spoken there is not known, so nothing is
//! sent: that the far end takes a connection is all there is to find out.

use std::path::Path;

use tokio::time::timeout;

use super::{Condition, Finding, PATIENCE};
use crate::forwarding::Forwarding;
use crate::runtime::extra::Extra;
use crate::term::printable;
use crate::tunnel::extras::path_of;
use crate::tunnel::mux::{self, Refusal};

/// Asks where `extra` leads, by way of the ssh behind `control`.
pub async fn ask(control: &Path, extra: &Extra) -> Finding {
    match (&extra.error, &extra.forwarding) {
        (Some(error), _) => finding(extra, Condition::NotAnswering, Some(error)),
        (None, Forwarding::Local(_, target)) => {
            match timeout(PATIENCE, mux::connect(control, target)).await {
                Ok(Ok(_)) => finding(extra, Condition::Open, None),
                Ok(Err(Refusal::Refused(_))) => {
                    finding(extra, Condition::NotAnswering, Some("the instance cannot connect to it"))
                }
                Ok(Err(Refusal::Silent(_))) => {
                    finding(extra, Condition::NotAnswering, Some("ssh does not answer"))
                }
                Err(_) => finding(extra, Condition::NotAnswering, Some("it does not take a connection")),
            }
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
