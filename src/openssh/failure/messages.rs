//! ssh's messages and their meanings. Wording of OpenSSH 7.6 to 10 and of the C libraries' error texts
//! (glibc, musl, macOS).

use super::kind::Kind;

/// Beginning of the line with which ssh repeats the server's farewell.
pub(super) const FAREWELL: &str = "Received disconnect from ";

/// Whole lines; `*` matches any text. The first match decides, so more telling lines come first.
const MESSAGES: &[(&str, Kind)] = &[
    ("@*WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!*@", Kind::HostKeyChanged),
    ("*host key for * has changed and you have requested strict checking.", Kind::HostKeyChanged),
    ("Host key for * has changed and you have requested strict checking.", Kind::HostKeyChanged),
    ("No * host key is known for * and you have requested strict checking.", Kind::HostKeyUnknown),
    ("Host key verification failed.", Kind::HostKeyUnknown),
    ("@*WARNING: UNPROTECTED PRIVATE KEY FILE!*@", Kind::KeyUnusable),
    ("Load key \"*\": *", Kind::KeyUnusable),
    ("sign_and_send_pubkey: signing failed*", Kind::SigningRefused),
    ("Received disconnect from *: Too many authentication failures*", Kind::TooManyKeys),
    ("Authenticated using \"*\" with partial success.", Kind::NeedsMoreThanKey),
    ("Authenticated with partial success.", Kind::NeedsMoreThanKey),
    ("*: Permission denied (*).", Kind::AuthenticationRefused),
    ("Permission denied (*).", Kind::AuthenticationRefused),
    (
        "Received disconnect from *: No supported authentication methods available*",
        Kind::AuthenticationRefused,
    ),
    ("*: Bad configuration option: *", Kind::Misconfigured),
    ("* line *: Bad *", Kind::Misconfigured),
    ("* line *: bad *", Kind::Misconfigured),
    ("* line *: *issing *", Kind::Misconfigured),
    ("* line *: *nsupported *", Kind::Misconfigured),
    ("* line *: *nvalid *", Kind::Misconfigured),
    ("* line *: *no argument *", Kind::Misconfigured),
    ("*unknown option -- *", Kind::Misconfigured),
    ("Bad owner or permissions on *", Kind::Misconfigured),
    ("Can't open user config file *", Kind::Misconfigured),
    ("Unable to negotiate with *: no matching *", Kind::Misconfigured),
    ("no matching *", Kind::Misconfigured),
    ("Bad SSH2 *", Kind::Misconfigured),
    ("* cannot listen to *", Kind::ForwardRefused),
    ("unix_listener: *", Kind::ForwardRefused),
    ("Could not request local forwarding.", Kind::ForwardRefused),
    ("*: Could not resolve hostname *", Kind::UnknownHost),
    ("ssh: connect to host * port *: Connection refused", Kind::Refused),
    ("ssh: connect to host * port *: *timed out", Kind::TimedOut),
    ("ssh: connect to host * port *: *", Kind::Unreachable),
    ("Connection timed out during banner exchange", Kind::TimedOut),
    ("Connection to * timed out", Kind::TimedOut),
    ("Timeout, server * not responding.", Kind::TimedOut),
    // Before the greeting: another program listens on the port, or the server blocks this address.
    ("*_exchange_identification: Connection closed by remote host", Kind::HungUp),
    ("*_exchange_identification: read: Connection reset by peer", Kind::HungUp),
    ("Connection closed by *", Kind::Lost),
    ("Connection reset by *", Kind::Lost),
    ("Connection to * closed by remote host.", Kind::Lost),
    ("*: Connection to * port *: *", Kind::Lost),
    ("client_loop: send disconnect: *", Kind::Lost),
    ("packet_write_wait: *", Kind::Lost),
    ("Write failed: *", Kind::Lost),
    ("Read from remote host *", Kind::Lost),
    ("Received disconnect from *", Kind::Lost),
    ("Disconnected from *", Kind::Lost),
    ("*: Broken pipe", Kind::Lost),
];

/// ssh's name for the far end of a connection through a proxy.
const PROXIED: &str = "* UNKNOWN port 65535*";

/// Returns true for ssh's report that the server closed the connection (`clientloop.c`).
pub(super) fn is_close(line: &str) -> bool {
    matches(line.trim(), "Connection to * closed by remote host.")
}

/// Returns true for ssh's transfer counts at its end.
pub(super) fn is_count(line: &str) -> bool {
    ["Transferred: sent *", "Bytes per second: sent *"].iter().any(|pattern| matches(line.trim(), pattern))
}

/// Returns the most telling line of `lines` with its meaning.
pub(super) fn find(lines: &[String]) -> Option<(&str, Kind)> {
    MESSAGES.iter().find_map(|(pattern, kind)| {
        let mut said = lines.iter().rev().filter(|line| !line.starts_with("debug"));
        let line = said.find(|line| matches(line.trim(), pattern))?;
        Some((line.as_str(), *kind))
    })
}

/// Returns true if `lines` report a connection through a proxy that ended before the server's greeting.
pub(super) fn is_of_proxy(lines: &[String]) -> bool {
    let is_early = |line: &str| {
        line.contains("_exchange_identification: ")
            // The proxy ended before ssh could send its own greeting.
            || line.starts_with("banner exchange: ")
            || line == "Connection timed out during banner exchange"
    };
    lines.iter().any(|line| is_early(line.trim())) && lines.iter().any(|line| matches(line, PROXIED))
}

/// Returns true if `pattern` matches the whole `line`; each `*` matches any text.
fn matches(line: &str, pattern: &str) -> bool {
    let Some((start, rest)) = pattern.split_once('*') else { return line == pattern };
    let Some(mut line) = line.strip_prefix(start) else { return false };
    let Some((middle, end)) = rest.rsplit_once('*') else { return line.ends_with(rest) };
    for part in middle.split('*') {
        let Some(at) = line.find(part) else { return false };
        line = &line[at + part.len()..];
    }
    line.ends_with(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(text: &str) -> Option<Kind> {
        let lines: Vec<String> = text.lines().map(str::to_owned).collect();
        find(&lines).map(|(_, kind)| kind)
    }

    #[test]
    fn real_messages_are_understood() {
        let table = [
            ("ssh: connect to host 192.0.2.1 port 22: Connection refused", Kind::Refused),
            ("ssh: connect to host 192.0.2.1 port 22: No route to host", Kind::Unreachable),
            ("ssh: connect to host 192.0.2.1 port 22: Network is unreachable", Kind::Unreachable),
            ("ssh: connect to host 192.0.2.1 port 22: Host is unreachable", Kind::Unreachable),
            ("ssh: connect to host 192.0.2.1 port 22: Operation not permitted", Kind::Unreachable),
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
            ("Permission denied (publickey).", Kind::AuthenticationRefused),
            (
                "Received disconnect from 192.0.2.1 port 22:2: Too many authentication failures\nDisconnected from 192.0.2.1 port 22",
                Kind::TooManyKeys,
            ),
            (
                "sign_and_send_pubkey: signing failed for ED25519 \"/k\" from agent: agent refused operation\nu@h: Permission denied (publickey).",
                Kind::SigningRefused,
            ),
            (
                "sign_and_send_pubkey: signing failed: agent refused operation\nu@h: Permission denied (publickey).",
                Kind::SigningRefused,
            ),
            (
                "Authenticated using \"publickey\" with partial success.\nu@h: Permission denied (keyboard-interactive).",
                Kind::NeedsMoreThanKey,
            ),
            (
                "@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @\nIT IS POSSIBLE THAT SOMEONE IS DOING SOMETHING NASTY!\nHost key verification failed.",
                Kind::HostKeyChanged,
            ),
            (
                "ED25519 host key for gpu has changed and you have requested strict checking.\nHost key verification failed.",
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
                Kind::HungUp,
            ),
            (
                "kex_exchange_identification: read: Connection reset by peer\nConnection reset by 192.0.2.1 port 22",
                Kind::HungUp,
            ),
            ("ssh_exchange_identification: Connection closed by remote host", Kind::HungUp),
            ("client_loop: send disconnect: Broken pipe", Kind::Lost),
            ("Connection to 192.0.2.1 closed by remote host.", Kind::Lost),
            ("ssh_dispatch_run_fatal: Connection to 192.0.2.1 port 22: Broken pipe", Kind::Lost),
            ("command-line: line 0: Bad configuration option: nosuch", Kind::Misconfigured),
            ("/home/u/.ssh/config line 3: missing argument.", Kind::Misconfigured),
            (
                "Unable to negotiate with 192.0.2.1 port 22: no matching host key type found. Their offer: ssh-rsa",
                Kind::Misconfigured,
            ),
            (
                "unix_listener: cannot bind to path /x/8000.sock: No such file or directory\nCould not request local forwarding.",
                Kind::ForwardRefused,
            ),
        ];
        for (text, expected) in table {
            assert_eq!(kind(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_only_resembles_a_message_is_none() {
        for text in [
            "",
            "something new",
            "Upload key first",
            "Your session is timed out after 15 minutes",
            "debug1: ssh: connect to host x port 1: Connection refused",
            "This is not: Host key verification failed. Really",
            "Permission denied, please try again.",
        ] {
            assert_eq!(kind(text), None, "{text}");
        }
    }

    #[test]
    fn a_bad_option_is_told_with_its_file_and_line() {
        let lines = [
            "/home/u/.ssh/config: line 3: Bad configuration option: nosuch".to_owned(),
            "/home/u/.ssh/config: terminating, 1 bad configuration options".to_owned(),
        ];
        let (line, kind) = find(&lines).unwrap();
        assert_eq!((line, kind), (lines[0].as_str(), Kind::Misconfigured));
    }

    #[test]
    fn a_pattern_is_the_whole_line() {
        for (line, pattern, expected) in [
            ("abc", "abc", true),
            ("abcd", "abc", false),
            ("abc", "*c", true),
            ("abc", "a*", true),
            ("abc", "a*b*c", true),
            ("acb", "a*b*c", false),
            ("ac", "a*c*c", false),
            ("", "*", true),
        ] {
            assert_eq!(matches(line, pattern), expected, "{line} {pattern}");
        }
    }
}
