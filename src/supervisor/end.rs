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
    /// No client used an on-demand tunnel's link for its time.
    Unused,
    /// The provider has news of the instance.
    Relocated(Relocation),
    /// The server answers other connections, but not the waiting ssh.
    Answered,
    /// ssh waits at a silent address while another one answers; the option makes ssh use that.
    Detour(String),
}

/// Reason why an on-demand tunnel has no link.
#[derive(Debug)]
pub(super) enum Rest<'a> {
    /// Nothing has connected yet.
    New,
    /// Nothing has used the link for its time.
    Unused,
    /// The link was lost while nothing used it, or no attempt succeeded while something waited.
    Failed(&'a Failure),
    /// Nothing can succeed before the user mends something.
    Blocked(&'a Failure),
}

impl Rest<'_> {
    /// Returns the failure, if there was one.
    pub(super) fn failure(&self) -> Option<&Failure> {
        match self {
            Self::New | Self::Unused => None,
            Self::Failed(failure) | Self::Blocked(failure) => Some(failure),
        }
    }
}

/// Reason to check a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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
