//! Reading what ssh says when it fails. A pure function from its words to a [`Kind`], which says
//! whether trying again makes sense. What the user can do is [`advice`].

mod advice;

use serde::{Deserialize, Serialize};

pub use self::advice::{hints, timeout_hints};
use crate::terminal::printable;

/// Why an ssh ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// The sort of trouble.
    pub kind: Kind,
    /// The most telling line of what ssh said, or our words where it said nothing.
    pub reason: String,
}

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
    /// A forward could not be set up.
    ForwardRefused,
    /// The name of the host leads nowhere.
    UnknownHost,
    /// Nothing listens on the SSH port, or only a relay in front of it that hangs up.
    Refused,
    /// There is no way to the host.
    Unreachable,
    /// The host did not answer in time.
    TimedOut,
    /// The connection ended, before or after it was established.
    Lost,
    /// ssh ended without a reason that is known here.
    Other,
}

impl Failure {
    /// Whether the connection itself was refused or had no way, before any server saw it.
    pub fn is_of_connecting(&self) -> bool {
        matches!(self.kind, Kind::Refused | Kind::Unreachable) && self.reason.starts_with("connect to ")
    }
}

impl Kind {
    /// Whether trying again with the same request cannot help.
    pub fn is_permanent(self) -> bool {
        matches!(
            self,
            Self::HostKeyChanged
                | Self::HostKeyUnknown
                | Self::AuthenticationRefused
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

/// What ssh says, in lower case, and what it means; the first that is found decides, so what is
/// more telling stands first. Read off the sources of OpenSSH 7.6 to 10 and of the C libraries'
/// error texts (glibc, musl, macOS).
const MESSAGES: &[(&str, Kind)] = &[
    ("remote host identification has changed", Kind::HostKeyChanged),
    ("host key for .* has changed", Kind::HostKeyChanged),
    ("host key is known for", Kind::HostKeyUnknown),
    ("host key verification failed", Kind::HostKeyUnknown),
    ("unprotected private key file", Kind::KeyUnusable),
    ("load key ", Kind::KeyUnusable),
    ("permission denied (", Kind::AuthenticationRefused),
    ("too many authentication failures", Kind::AuthenticationRefused),
    ("no supported authentication methods", Kind::AuthenticationRefused),
    ("bad configuration option", Kind::Misconfigured),
    ("unknown option", Kind::Misconfigured),
    ("bad owner or permissions on", Kind::Misconfigured),
    ("unable to negotiate", Kind::Misconfigured),
    ("no matching ", Kind::Misconfigured),
    ("bad ssh2 cipher spec", Kind::Misconfigured),
    ("unsupported option", Kind::Misconfigured),
    ("cannot listen to", Kind::ForwardRefused),
    ("unix_listener:", Kind::ForwardRefused),
    ("could not request local forwarding", Kind::ForwardRefused),
    ("could not resolve hostname", Kind::UnknownHost),
    ("connection refused", Kind::Refused),
    ("no route to host", Kind::Unreachable),
    ("network is unreachable", Kind::Unreachable),
    ("host is down", Kind::Unreachable),
    ("network is down", Kind::Unreachable),
    ("can't assign requested address", Kind::Unreachable),
    ("timed out", Kind::TimedOut),
    // Before it said who it is: something else that takes connections in place of a server.
    ("_exchange_identification: connection closed", Kind::Refused),
    ("_exchange_identification: read: connection reset", Kind::Refused),
    ("not responding", Kind::TimedOut),
    ("connection closed by", Kind::Lost),
    ("connection reset", Kind::Lost),
    ("broken pipe", Kind::Lost),
    ("closed by remote host", Kind::Lost),
    ("disconnected from", Kind::Lost),
    ("received disconnect", Kind::Lost),
    ("software caused connection abort", Kind::Lost),
];

/// Reads the last lines that ssh wrote to stderr before it ended.
pub fn classify(lines: &[String]) -> Failure {
    for (pattern, kind) in MESSAGES {
        if let Some(line) = lines.iter().rev().find(|line| contains(&line.to_lowercase(), pattern)) {
            return Failure { kind: *kind, reason: told(line, *kind) };
        }
    }
    let reason = lines.iter().rev().find(|line| !line.trim().is_empty());
    let reason = reason.map_or_else(|| "ssh ended without a word".to_owned(), |line| tidy(line));
    Failure { kind: Kind::Other, reason }
}

/// Whether `line` contains the parts of `pattern`, which `.*` separates, in their order.
fn contains(line: &str, pattern: &str) -> bool {
    let mut rest = line;
    pattern.split(".*").all(|part| match rest.find(part) {
        Some(at) => {
            rest = &rest[at + part.len()..];
            true
        }
        None => false,
    })
}

/// The line as a reason. Where ssh's line is the frame of a banner, a sentence of ours.
fn told(line: &str, kind: Kind) -> String {
    match kind {
        Kind::HostKeyChanged => "the host key has changed".to_owned(),
        Kind::KeyUnusable if line.to_lowercase().contains("unprotected") => {
            "the private key can be read by other users".to_owned()
        }
        _ => tidy(line),
    }
}

/// One line without ssh's own name before it, its full stop, and anything a terminal could obey.
fn tidy(line: &str) -> String {
    let line = line.trim().trim_start_matches("ssh: ").trim_end_matches('.');
    printable(line).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(text: &str) -> Kind {
        classify(&text.lines().map(str::to_owned).collect::<Vec<_>>()).kind
    }

    #[test]
    fn real_messages_are_understood() {
        let table = [
            ("ssh: connect to host 192.0.2.1 port 22: Connection refused", Kind::Refused),
            ("ssh: connect to host 192.0.2.1 port 22: No route to host", Kind::Unreachable),
            ("ssh: connect to host 192.0.2.1 port 22: Network is unreachable", Kind::Unreachable),
            ("ssh: connect to host 192.0.2.1 port 22: Connection timed out", Kind::TimedOut),
            ("ssh: connect to host 192.0.2.1 port 22: Operation timed out", Kind::TimedOut),
            (
                "Connection timed out during banner exchange\nConnection to 192.0.2.1 port 22 timed out",
                Kind::TimedOut,
            ),
            ("Timeout, server 192.0.2.1 not responding.", Kind::TimedOut),
            ("ssh: Could not resolve hostname nowhere: Name or service not known", Kind::UnknownHost),
            (
                "ssh: Could not resolve hostname x: nodename nor servname provided, or not known",
                Kind::UnknownHost,
            ),
            ("ssh: Could not resolve hostname x: Temporary failure in name resolution", Kind::UnknownHost),
            ("ubuntu@192.0.2.1: Permission denied (publickey).", Kind::AuthenticationRefused),
            (
                "Received disconnect from 192.0.2.1 port 22:2: Too many authentication failures\nDisconnected from 192.0.2.1 port 22",
                Kind::AuthenticationRefused,
            ),
            (
                "@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @\nIT IS POSSIBLE THAT SOMEONE IS DOING SOMETHING NASTY!\nHost key verification failed.",
                Kind::HostKeyChanged,
            ),
            (
                "No ED25519 host key is known for gpu and you have requested strict checking.\nHost key verification failed.",
                Kind::HostKeyUnknown,
            ),
            (
                "Load key \"/home/u/.ssh/id\": invalid format\nu@h: Permission denied (publickey).",
                Kind::KeyUnusable,
            ),
            (
                "Load key \"/home/u/.ssh/id\": error in libcrypto\nu@h: Permission denied (publickey).",
                Kind::KeyUnusable,
            ),
            (
                "@         WARNING: UNPROTECTED PRIVATE KEY FILE!          @\nPermissions 0644 for '/k' are too open.\nu@h: Permission denied (publickey).",
                Kind::KeyUnusable,
            ),
            (
                "kex_exchange_identification: Connection closed by remote host\nConnection closed by 192.0.2.1 port 22",
                Kind::Refused,
            ),
            (
                "kex_exchange_identification: read: Connection reset by peer\nConnection reset by 192.0.2.1 port 22",
                Kind::Refused,
            ),
            ("client_loop: send disconnect: Broken pipe", Kind::Lost),
            ("Connection to 192.0.2.1 closed by remote host.", Kind::Lost),
            ("command-line: line 0: Bad configuration option: nosuch", Kind::Misconfigured),
            (
                "Unable to negotiate with 192.0.2.1 port 22: no matching host key type found. Their offer: ssh-rsa",
                Kind::Misconfigured,
            ),
            (
                "unix_listener: cannot bind to path /x/8000.sock: No such file or directory\nCould not request local forwarding.",
                Kind::ForwardRefused,
            ),
            ("", Kind::Other),
            ("something new", Kind::Other),
        ];
        for (text, expected) in table {
            assert_eq!(kind(text), expected, "{text}");
        }
    }

    #[test]
    fn the_reason_is_one_clean_line() {
        let said = [
            "Warning: x".to_owned(),
            "ssh: connect to host \u{1b}[31mh port 22: Connection refused".to_owned(),
        ];
        assert_eq!(classify(&said).reason, "connect to host \\u{1b}[31mh port 22: Connection refused");
        assert_eq!(classify(&[]).reason, "ssh ended without a word");
    }

    #[test]
    fn only_what_a_retry_can_mend_is_retried() {
        assert!(Kind::AuthenticationRefused.is_permanent() && Kind::HostKeyChanged.is_permanent());
        assert!(
            !Kind::Refused.is_permanent() && !Kind::Lost.is_permanent() && !Kind::UnknownHost.is_permanent()
        );
    }
}
