//! What ssh tells of its channels, when it is asked to: which of them are new, and which of them it writes
//! to no more.
//!
//! Of a socket that serves both directions ssh cannot close one; it closes its copy and says so in
//! a line meant for debugging. `LogVerbose` (OpenSSH 8.5 and later) has it write the lines of two
//! functions and no others. The wording is that of `channels.c` and `nchan.c`, from 8.5 to 10.5; whoever
//! relies on it makes sure first that the lines come (see `tunnel::channels`).

use std::fs;
use std::path::Path;

/// The option that makes ssh tell.
const OPTION: &str = "LogVerbose=channels.c:channel_new():*,nchan.c:chan_shutdown_write():*";

/// What stands in every program that knows the option: its name in the table of `readconf.c`.
const KEYWORD: &[u8] = b"logverbose";

/// No ssh is larger, in bytes.
const PROGRAM_MAX: u64 = 32 << 20;

/// What a line of ssh's tells of a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// There is a new channel of this number.
    Opened(u32),
    /// Nothing more will be written to what the channel of this number stands for.
    Ended(u32),
    /// Nothing that matters.
    Nothing,
}

/// The value of `-o` that has `program` tell, if it knows it: an option that ssh does not know ends it.
/// The file is looked through, because asking the program for its version takes as long as starting it.
/// Elsewhere than on Linux nobody would listen.
pub fn option(program: &Path) -> Option<&'static str> {
    if !cfg!(target_os = "linux") {
        return None;
    }
    let is_small = fs::metadata(program).is_ok_and(|file| file.is_file() && file.len() < PROGRAM_MAX);
    (is_small && fs::read(program).is_ok_and(|bytes| knows(&bytes))).then_some(OPTION)
}

/// What `line` tells; `None` for a line that is not about channels.
pub fn told(line: &str) -> Option<Told> {
    let (level, rest) = line.split_once(": ")?;
    if !level.starts_with("debug") {
        return None;
    }
    if let Some(rest) = rest.strip_prefix("nchan.c:chan_shutdown_write():") {
        return Some(number_behind(rest, ": channel ", ':').map_or(Told::Nothing, Told::Ended));
    }
    let rest = rest.strip_prefix("channels.c:channel_new():")?;
    let is_new = rest.split_once(": channel ").is_some_and(|(_, channel)| channel.contains(": new "));
    let number = number_behind(rest, ": channel ", ':').filter(|_| is_new);
    Some(number.map_or(Told::Nothing, Told::Opened))
}

fn number_behind(text: &str, mark: &str, end: char) -> Option<u32> {
    text.split_once(mark)?.1.split_once(end)?.0.parse().ok()
}

/// Whether a program has the keyword in a table of names, each of which ends with a zero.
fn knows(program: &[u8]) -> bool {
    program.split(|byte| *byte == 0).any(|text| text == KEYWORD)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_about_channels_are_understood() {
        for (line, expected) in [
            // 9.2
            (
                "debug1: channels.c:channel_new():383 (pid=6004): channel 2: new direct-tcpip [stdio-forward] (inactive timeout: 0)",
                Some(Told::Opened(2)),
            ),
            (
                "debug2: nchan.c:chan_shutdown_write():381 (pid=6004): channel 2: (i0 o1 sock -1 wfd 7 efd -1 [closed])",
                Some(Told::Ended(2)),
            ),
            // 10.x
            (
                "debug2: nchan.c:chan_shutdown_write():381 (bin=ssh, pid=1): channel 13: (i3 o1 sock 5 wfd 5 efd -1 [closed])",
                Some(Told::Ended(13)),
            ),
            // 8.5
            ("debug1: channels.c:channel_new():369: channel 40: new [stdio-forward]", Some(Told::Opened(40))),
            ("debug2: channels.c:channel_new():340 (pid=6004): channel: expanding 10", Some(Told::Nothing)),
            ("debug2: channels.c:channel_new():340 (pid=6004): channel 7: something", Some(Told::Nothing)),
            ("debug2: nchan.c:chan_shutdown_write():381 (pid=6004): channel x", Some(Told::Nothing)),
            ("debug1: something else", None),
            ("channel 3: open failed: connect failed: Connection refused", None),
            ("nchan.c:chan_shutdown_write():381 (pid=6004): channel 2: (i0 o1", None),
            ("", None),
        ] {
            assert_eq!(told(line), expected, "{line}");
        }
    }

    #[test]
    fn the_option_is_asked_for_where_it_is_known() {
        assert!(knows(b"\x7fELF\x01loglevel\0logverbose\0dynamicforward\0"));
        assert!(!knows(b"\x7fELF\0loglevel\0dynamicforward\0"));
        assert!(!knows(b"#!/bin/sh\n# logverbose\nexec ssh \"$@\"\n"));
    }

    #[test]
    fn what_is_no_ssh_is_not_asked() {
        assert_eq!(option(Path::new("/dev/null")), None);
        assert_eq!(option(Path::new("/nonexistent/ssh")), None);
    }
}
