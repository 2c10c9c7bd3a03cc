//! Kinds of failures of ssh.

use serde::{Deserialize, Serialize};

/// Sorts of trouble, by what can be done about them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// The server's key is not the one that was pinned.
    HostKeyChanged,
    /// The server's key is not known, and unknown keys are not accepted.
    HostKeyUnknown,
    /// The server accepts none of the keys that were offered.
    AuthenticationRefused,
    /// The server gave up before every key was offered.
    TooManyKeys,
    /// The agent, or the security key, did not sign with a key that the server accepts.
    SigningRefused,
    /// The server accepts the key and asks for more, and nobody answered.
    NeedsMoreThanKey,
    /// ssh needs the passphrase of the key, and nobody was there to type it.
    NeedsPassphrase,
    /// ssh or the server has a question, and nobody answered it.
    NeedsAnswer,
    /// The passphrase that was typed is not that of the key.
    WrongPassphrase,
    /// The server did not accept what was typed.
    AnswerRefused,
    /// The key file is there but cannot be used.
    KeyUnusable,
    /// ssh does not understand its options, or the two sides have no algorithm in common.
    Misconfigured,
    /// The tunnel's own files were deleted.
    Displaced,
    /// ssh could not set a forward up on this machine.
    ForwardRefused,
    /// The server does not listen for a remote forward.
    ListenRefused,
    /// The server does not let clients connect to the target of a forward.
    ForwardForbidden,
    /// The name of the host leads nowhere.
    UnknownHost,
    /// Nothing listens on the SSH port.
    Refused,
    /// What listens on the SSH port ends connections before it says that it is a server.
    HungUp,
    /// The proxy or jump host on the way failed.
    ProxyFailed,
    /// The proxy or jump host on the way lets nobody through.
    ProxyRefused,
    /// There is no way to the host.
    Unreachable,
    /// The host did not answer in time.
    TimedOut,
    /// The connection ended, before or after it was established.
    Lost,
    /// ssh ended without a reason that is known here.
    Other,
}

impl Kind {
    /// Whether trying again with the same request cannot help.
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
