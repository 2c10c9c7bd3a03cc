//! Kinds of ssh failures.

use serde::{Deserialize, Serialize};

/// Kinds of failures, by their remedy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// The server's key is not the pinned one.
    HostKeyChanged,
    /// The server's key is unknown, and the policy refuses unknown keys.
    HostKeyUnknown,
    /// The server accepts none of the offered keys.
    AuthenticationRefused,
    /// The server gave up before all keys were offered.
    TooManyKeys,
    /// The agent or security key did not sign with an accepted key.
    SigningRefused,
    /// The server accepts the key and asks for more; no answer was possible.
    NeedsMoreThanKey,
    /// ssh needs a passphrase; no answer was possible.
    NeedsPassphrase,
    /// ssh or the server asks a question; no answer was possible.
    NeedsAnswer,
    /// The passphrase is wrong.
    WrongPassphrase,
    /// The server rejected the answer.
    AnswerRefused,
    /// The key file exists but is unusable.
    KeyUnusable,
    /// ssh rejects its options, or both sides have no common algorithm.
    Misconfigured,
    /// The tunnel's own files were deleted.
    Displaced,
    /// ssh could not set up a forward on this machine.
    ForwardRefused,
    /// The server refused to listen for a remote forward.
    ListenRefused,
    /// The server forbids connections to a forward's target.
    ForwardForbidden,
    /// The host name does not resolve.
    UnknownHost,
    /// The SSH port refuses connections.
    Refused,
    /// The SSH port closes connections before an SSH greeting.
    HungUp,
    /// The proxy or jump host failed.
    ProxyFailed,
    /// The proxy or jump host refused the login.
    ProxyRefused,
    /// No route to the host.
    Unreachable,
    /// The host did not answer in time.
    TimedOut,
    /// The connection ended, before or after it was established.
    Lost,
    /// Unknown reason.
    Other,
}

impl Kind {
    /// Returns true if a retry of the same request cannot help.
    pub fn is_permanent(self) -> bool {
        matches!(
            self,
            Self::HostKeyChanged
                | Self::HostKeyUnknown
                | Self::AuthenticationRefused
                | Self::TooManyKeys
                | Self::SigningRefused
                | Self::NeedsMoreThanKey
                | Self::ProxyRefused
                | Self::NeedsPassphrase
                | Self::NeedsAnswer
                | Self::WrongPassphrase
                | Self::AnswerRefused
                | Self::Displaced
                | Self::KeyUnusable
                | Self::Misconfigured
        )
    }

    /// Returns true if the user must mend something, here or on the server, before an attempt can succeed.
    pub fn needs_user(self) -> bool {
        let is_of_forward =
            matches!(self, Self::ForwardRefused | Self::ListenRefused | Self::ForwardForbidden);
        is_of_forward || self.is_permanent()
    }

    /// Returns what a user must mend, for prompts: words of `[a-z-]`, joined by `-`.
    pub fn word(self) -> &'static str {
        match self {
            Self::HostKeyChanged => "host-key-changed",
            Self::HostKeyUnknown => "host-key-unknown",
            Self::NeedsPassphrase => "needs-passphrase",
            Self::WrongPassphrase => "wrong-passphrase",
            Self::NeedsMoreThanKey | Self::NeedsAnswer => "needs-answer",
            Self::KeyUnusable => "key-unusable",
            Self::Misconfigured => "misconfigured",
            Self::ForwardRefused | Self::ListenRefused | Self::ForwardForbidden => "forward-refused",
            Self::AuthenticationRefused
            | Self::TooManyKeys
            | Self::SigningRefused
            | Self::AnswerRefused
            | Self::ProxyRefused => "login-refused",
            _ => "failing",
        }
    }
}

/// Reason why ssh ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// Kind of failure.
    pub kind: Kind,
    /// The most telling line of ssh's messages, or our own description if there is none.
    pub reason: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_retry_can_mend_is_retried() {
        assert!(Kind::AuthenticationRefused.is_permanent() && Kind::HostKeyChanged.is_permanent());
        assert!(
            !Kind::Refused.is_permanent() && !Kind::Lost.is_permanent() && !Kind::UnknownHost.is_permanent()
        );
    }
}
