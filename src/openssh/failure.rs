//! Parses ssh's messages after a failure into a [`Kind`], which decides whether to retry. [`advice`] has the
//! hints.

mod advice;
mod kind;
mod messages;

pub use self::advice::{NO_GREETING, TIMED_OUT, doctor_hint, forward_hints, hints, how_far, timeout_hints};
pub use self::kind::{Failure, Kind};
use crate::terminal::printable;

/// Output of an ssh that ended.
#[derive(Debug, Clone, Default)]
pub struct SshOutput {
    /// Its log, line by line.
    pub log: Vec<String>,
    /// Everything else on its standard error: the server's banners, and output of a ProxyCommand, a jump
    /// host's ssh or another helper.
    pub others: Vec<String>,
}

/// Parses the output of an ssh that ended. Only ssh's own lines decide; the rest can complete them.
pub fn classify(said: &SshOutput) -> Failure {
    let log = trustworthy(&said.log);
    let found = messages::find(log);
    if messages::is_of_proxy(log) {
        return of_proxy(&said.others, found);
    }
    match found {
        Some((line, Kind::Lost)) => Failure { kind: Kind::Lost, reason: with_last_words(line, &said.others) },
        Some((line, kind)) => Failure { kind, reason: reason_of(line, kind) },
        None => unknown(log, &said.others),
    }
}

/// Returns true if a line of the tunnel's log reports a refused login.
pub fn is_denial(text: &str) -> bool {
    let reason = text.strip_prefix("failed: ").or_else(|| text.strip_prefix("link lost: "));
    reason.is_some_and(|reason| {
        reason.contains(": Permission denied (") || reason.ends_with("Too many authentication failures")
    })
}

/// Splits the lines at the server's farewell. It can contain line breaks, so the lines after it may be the
/// server's.
fn trustworthy(log: &[String]) -> &[String] {
    let farewell = log.iter().position(|line| line.starts_with(messages::FAREWELL));
    &log[..farewell.map_or(log.len(), |at| at + 1)]
}

/// Returns the failure of a connection through a proxy that ended before the server answered. The proxy has
/// the reason, and the server cannot have sent a banner.
fn of_proxy(others: &[String], found: Option<(&str, Kind)>) -> Failure {
    let proxy = messages::find(others);
    let permanent = proxy.is_some_and(|(_, kind)| kind.is_permanent());
    let line = proxy.map(|(line, _)| line).or_else(|| last(others)).or(found.map(|(line, _)| line));
    let reason = format!("the proxy or jump host failed: {}", tidy(line.unwrap_or("it said nothing")));
    Failure { kind: if permanent { Kind::ProxyRefused } else { Kind::ProxyFailed }, reason }
}

/// Returns the failure without a known line. ssh reports faults of its command line before it opens its log
/// and before any server can send anything.
fn unknown(log: &[String], others: &[String]) -> Failure {
    if log.is_empty()
        && let Some((line, kind @ Kind::Misconfigured)) = messages::find(others)
    {
        return Failure { kind, reason: reason_of(line, kind) };
    }
    // ssh writes this one past its log. A server that imitates it would only claim that it closed the
    // connection.
    if let Some(line) = last(others).filter(|line| messages::is_close(line)) {
        return Failure { kind: Kind::Lost, reason: tidy(line) };
    }
    let reason = last_reason(log).or_else(|| last(others));
    Failure {
        kind: Kind::Other,
        reason: reason.map_or_else(|| "ssh ended without a message".to_owned(), tidy),
    }
}

fn last(lines: &[String]) -> Option<&str> {
    lines.iter().rev().map(String::as_str).find(|line| !line.trim().is_empty())
}

/// Returns the last line of ssh's log that can be a reason, skipping transfer counts.
fn last_reason(log: &[String]) -> Option<&str> {
    let mut lines = log.iter().rev().map(String::as_str);
    lines.find(|line| !line.trim().is_empty() && !messages::is_count(line))
}

/// Returns the line as a reason. If ssh's line only introduces a banner, returns a sentence of ours.
fn reason_of(line: &str, kind: Kind) -> String {
    match kind {
        Kind::HostKeyChanged => "the host key has changed".to_owned(),
        Kind::KeyUnusable if line.contains("UNPROTECTED") => {
            "the private key can be read by other users".to_owned()
        }
        _ => tidy(line),
    }
}

/// Returns the line with the server's last message, which can explain why it refuses the login (`nologin`, an
/// expired account).
fn with_last_words(line: &str, others: &[String]) -> String {
    const SHOWN: usize = 200;
    match last(others) {
        Some(words) => {
            let words: String = words.trim().chars().take(SHOWN).collect();
            format!("{}; the server said: {}", tidy(line), tidy(&words))
        }
        None => tidy(line),
    }
}

/// Returns one line without ssh's program name, the full stop, and terminal control characters.
fn tidy(line: &str) -> String {
    let line = line.trim().trim_start_matches("ssh: ").trim_end_matches('.');
    printable(line).into_owned()
}

#[cfg(test)]
mod tests {
    use crate::openssh::failure::*;

    fn lines(text: &str) -> Vec<String> {
        text.lines().map(str::to_owned).collect()
    }

    fn failure(log: &str, others: &str) -> Failure {
        classify(&SshOutput { log: lines(log), others: lines(others) })
    }

    #[test]
    fn only_sshs_own_lines_decide() {
        let banner = "Upload key first\nLoad key \"x\": invalid format\nHost key verification failed.\nConnection timed out";
        let closed = failure("Connection closed by 192.0.2.1 port 22", banner);
        assert_eq!(closed.kind, Kind::Lost);
        let denied = failure("u@192.0.2.1: Permission denied (publickey).", banner);
        assert_eq!(denied.kind, Kind::AuthenticationRefused);
        assert_eq!(denied.reason, "u@192.0.2.1: Permission denied (publickey)");
        assert_eq!(failure("something new", banner).kind, Kind::Other);
        assert_eq!(failure("", banner).kind, Kind::Other);
    }

    #[test]
    fn a_farewell_cannot_add_lines_of_ssh() {
        let log = "Received disconnect from 192.0.2.1 port 22:11: bye\nHost key verification failed.\nDisconnected from 192.0.2.1 port 22";
        assert_eq!(failure(log, "").kind, Kind::Lost);
    }

    #[test]
    fn what_the_server_says_when_it_closes_is_told() {
        let failure = failure("Connection closed by 192.0.2.1 port 22", "\"System is booting up.\"\n");
        assert_eq!(
            failure.reason,
            "Connection closed by 192.0.2.1 port 22; the server said: \"System is booting up.\""
        );
    }

    #[test]
    fn counts_of_bytes_are_no_reason() {
        let log = "Transferred: sent 2608, received 2464 bytes, in 0.1 seconds\nBytes per second: sent 78297.3, received 73804.8";
        let closed = failure(log, "Connection to 192.0.2.1 closed by remote host.");
        assert_eq!(
            (closed.kind, closed.reason.as_str()),
            (Kind::Lost, "Connection to 192.0.2.1 closed by remote host")
        );
        assert_eq!(failure(log, "").reason, "ssh ended without a message");
        assert_eq!(failure(log, "Welcome").reason, "Welcome");
    }

    #[test]
    fn a_proxys_own_words_tell_why_it_failed() {
        let log = "kex_exchange_identification: Connection closed by remote host\nConnection closed by UNKNOWN port 65535";
        let told = |others| failure(log, others);
        let silent = told("");
        assert_eq!(silent.kind, Kind::ProxyFailed);
        let own = told("nc: cannot reach it");
        assert_eq!(own.kind, Kind::ProxyFailed);
        assert_eq!(own.reason, "the proxy or jump host failed: nc: cannot reach it");
        let broken =
            failure("banner exchange: Connection to UNKNOWN port 65535: Broken pipe", "nc: cannot reach it");
        assert_eq!((broken.kind, broken.reason), (own.kind, own.reason));
        let denied = told("Welcome to the bastion\nme@bastion: Permission denied (publickey).");
        assert_eq!(denied.kind, Kind::ProxyRefused);
        assert_eq!(denied.reason, "the proxy or jump host failed: me@bastion: Permission denied (publickey)");
    }

    #[test]
    fn a_refused_login_is_known_from_its_reason() {
        let denied = failure("u@h: Permission denied (publickey).", "").reason;
        assert!(is_denial(&format!("failed: {denied}")) && is_denial(&format!("link lost: {denied}")));
        assert!(!is_denial(&format!("server or proxy: {denied}")) && !is_denial("failed: timed out"));
    }

    #[test]
    fn the_reason_is_one_clean_line() {
        let log = "Warning: x\nssh: connect to host \u{1b}[31mh port 22: Connection refused";
        assert_eq!(failure(log, "").reason, "connect to host \\u{1b}[31mh port 22: Connection refused");
        assert_eq!(failure("", "").reason, "ssh ended without a message");
    }

    #[test]
    fn a_mistake_on_the_command_line_comes_before_there_is_a_log() {
        let failure = failure("", "command-line: line 0: Bad configuration option: nosuch");
        assert_eq!(failure.kind, Kind::Misconfigured);
    }
}
