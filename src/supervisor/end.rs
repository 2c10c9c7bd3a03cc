//! Ends of attempts and links, and the reasons to check a link.

use std::fmt;

use super::link::liveness::ProbeReason;
use super::protocol::location::Relocation;
use super::system_events::SystemEvent;
use crate::openssh::failure::{Failure, Kind};

/// End of an attempt or a link.
pub(super) enum End {
    /// The tunnel must stop.
    Stop,
    /// ssh failed.
    Failed(Failure),
    /// The provider has news of the instance.
    Relocated(Relocation),
    /// The server answers other connections, but not the waiting ssh.
    Answered,
    /// ssh waits at a silent address while another one answers; the option makes ssh use that.
    Detour(String),
}

/// Reason to check a link.
#[derive(Debug, Clone, Copy)]
pub(super) enum Reason {
    /// The machine woke up, or the network changed.
    System(SystemEvent),
    Probe(ProbeReason),
}

impl Reason {
    /// Returns the failure of a link that did not answer.
    pub(super) fn failure(self) -> Failure {
        let reason = match self {
            Self::System(what) => format!("{what}; the link did not survive"),
            Self::Probe(_) => "no more data from the link".to_owned(),
        };
        Failure { kind: Kind::Lost, reason }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::System(what) => what.fmt(f),
            Self::Probe(ProbeReason::NoAnswer) => f.write_str("a request got no answer"),
            Self::Probe(ProbeReason::Renewal) => f.write_str("periodic check"),
        }
    }
}
