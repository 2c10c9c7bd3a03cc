//! Lines of ssh's log about channels (`channels.c`, `channel_input_open_failure`; `clientloop.c`).

/// Returns the reason of a channel that the server could not open, if `line` reports one: for example
/// `connect failed: Connection refused`.
pub fn open_failure(line: &str) -> Option<&str> {
    let (number, reason) = line.strip_prefix("channel ")?.split_once(": open failed: ")?;
    number.bytes().all(|byte| byte.is_ascii_digit()).then_some(reason)
}

/// Returns true if the reason of a channel means that the server refuses to connect, not that it cannot (RFC 4254,
/// 5.1).
pub fn is_forbidding(reason: &str) -> bool {
    !reason.starts_with("connect failed")
}

/// Returns true if the reason of a channel means that the server reached a port without a listener.
pub fn has_no_listener(reason: &str) -> bool {
    reason.to_ascii_lowercase().contains("refused")
}

/// Returns true if the lines of an ssh with `-W` report that the server did not connect to the target. The login has
/// succeeded then.
pub fn is_forward_failure(lines: &[String]) -> bool {
    let words = ["open failed", "stdio forwarding failed"];
    lines.iter().any(|line| words.iter().any(|words| line.contains(words)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prohibition_is_told_from_a_service_that_does_not_run() {
        for (line, expected) in [
            ("channel 2: open failed: administratively prohibited: open failed", Some(true)),
            ("channel 12: open failed: unknown channel type: ", Some(true)),
            ("channel 2: open failed: connect failed: Connection refused", Some(false)),
            ("channel 2: open failed: connect failed: open failed", Some(false)),
            ("channel x: open failed: administratively prohibited: open failed", None),
            ("channel 2: administratively prohibited", None),
            ("Upload a key: channel 2: open failed: x", None),
        ] {
            assert_eq!(open_failure(line).map(is_forbidding), expected, "{line}");
        }
    }
}
