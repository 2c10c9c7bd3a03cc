//! ssh's own options, as far as soong must understand them: where options end and the host begins, and which
//! belong to the connection or to the session.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use crate::error::{Error, Result};
use crate::terminal::printable;

/// ssh's options without a value (`ssh.c`, OpenSSH 7.6 to 10).
const FLAGS: &str = "1246afgkqstvxyACGKMNTVXYn";
/// ssh's options with a value, in the same word or the next.
const WITH_VALUE: &str = "bceilmopBDEFIJLOPQRSwW";
/// Options that would make a tunnel's ssh do something else.
const NOT_FOR_TUNNELS: &str = "fGMNOQSVWs";
/// Forwards, as letters and as `-o` keywords: a tunnel has only soong's.
const FORWARDS: (&str, &[&str]) = ("LRDw", &["localforward", "remoteforward", "dynamicforward", "tunnel"]);
/// Options about a session, not its connection. For `-o`, see [`SESSION_KEYWORDS`].
const OF_A_SESSION: &str = "aefknqstvxyEGNQTVW";
/// `-o` keywords about a session, not its connection; lower case.
const SESSION_KEYWORDS: &[&str] = &[
    "batchmode",
    "connecttimeout",
    "escapechar",
    "forkafterauthentication",
    "loglevel",
    "remotecommand",
    "requesttty",
    "sessiontype",
    "stdinnull",
];
/// Options that a tunnel's connection never carries, as letters and keywords.
const NEVER_IN_A_TUNNEL: (&str, &[&str]) = ("AXY", &["forwardagent", "forwardx11", "forwardx11trusted"]);

/// An option as given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Given<'a> {
    /// Letter after the `-`.
    pub letter: char,
    /// Value, if the option takes one.
    pub value: Option<&'a OsStr>,
}

/// Reason why a word is not an option of ssh.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mistake {
    /// It does not begin with `-`, or is only `-`.
    NotAnOption(String),
    /// ssh has no such option.
    Unknown(String),
    /// The option's value is missing.
    NoValue(char),
}

impl std::fmt::Display for Mistake {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NotAnOption(word) => write!(f, "'{}' is not an ssh option", printable(word)),
            Self::Unknown(letter) => write!(f, "unknown ssh option -{}", printable(letter)),
            Self::NoValue(letter) => write!(f, "-{letter} needs a value"),
        }
    }
}

/// Takes one option, or several in one word, from the front of `words`, like `getopt`.
pub fn take<'a>(words: &mut impl Iterator<Item = &'a OsStr>) -> std::result::Result<Vec<Given<'a>>, Mistake> {
    let Some(word) = words.next() else { return Ok(Vec::new()) };
    let bytes = word.as_bytes();
    let Some(letters) = bytes.strip_prefix(b"-").filter(|rest| !rest.is_empty() && *rest != b"-") else {
        return Err(Mistake::NotAnOption(word.to_string_lossy().into_owned()));
    };
    let mut given = Vec::new();
    for (index, byte) in letters.iter().enumerate() {
        let letter = char::from(*byte);
        if WITH_VALUE.contains(letter) {
            let rest = &letters[index + 1..];
            let value = if rest.is_empty() { words.next() } else { Some(OsStr::from_bytes(rest)) };
            given.push(Given { letter, value: Some(value.ok_or(Mistake::NoValue(letter))?) });
            break;
        }
        if !FLAGS.contains(letter) {
            let rest = String::from_utf8_lossy(&letters[index..]);
            return Err(Mistake::Unknown(rest.chars().take(1).collect()));
        }
        given.push(Given { letter, value: None });
    }
    Ok(given)
}

/// Parses `words`, which must be ssh options only.
pub fn read<W: AsRef<OsStr>>(words: &[W]) -> std::result::Result<Vec<Given<'_>>, Mistake> {
    let mut words = words.iter().map(AsRef::as_ref).peekable();
    let mut given = Vec::new();
    while words.peek().is_some() {
        given.extend(take(&mut words)?);
    }
    Ok(given)
}

/// Checks that `words` are ssh options that a tunnel can have.
pub fn check(words: &[String]) -> Result<()> {
    let given = read(words).map_err(|mistake| {
        let hint = match &mistake {
            Mistake::NotAnOption(word) if word.contains('=') => {
                format!("write it as: -o {}", printable(word))
            }
            Mistake::NotAnOption(_) => "give options only; the host belongs in [instances.NAME]".to_owned(),
            Mistake::Unknown(_) => "list its options: man ssh".to_owned(),
            Mistake::NoValue(_) => "add the value".to_owned(),
        };
        at_fault(&mistake.to_string(), &hint)
    })?;
    for given in &given {
        let keyword = keyword(given);
        let is_forward = match &keyword {
            Some(keyword) => FORWARDS.1.contains(&keyword.as_str()),
            None => FORWARDS.0.contains(given.letter),
        };
        let what = keyword.unwrap_or_else(|| format!("-{}", given.letter));
        let message = format!("{} cannot be used with a tunnel", printable(&what));
        if is_forward {
            let hint = "use forward, remote or socks in [instances.NAME]: forward = [\"5432:db:5432\"]";
            return Err(at_fault(&message, hint));
        }
        if NOT_FOR_TUNNELS.contains(given.letter) {
            return Err(at_fault(&message, "remove it from ssh.options"));
        }
    }
    Ok(())
}

/// Returns true if a session with these options is the same over another ssh's connection. Options matter
/// that the master ignores unless it has them too (`-A`, `-o SendEnv=…`), that outlive the session (`-L`), or
/// that change the connection (`-J`, `-p`). From `mux.c`, OpenSSH 7.6 to 9.9.
pub fn go_over_any_connection(given: &[Given]) -> bool {
    given.iter().all(|given| match keyword(given) {
        Some(keyword) => SESSION_KEYWORDS.contains(&keyword.as_str()),
        None => OF_A_SESSION.contains(given.letter),
    })
}

/// Returns true if ssh only prints something (`-G`, `-Q`, `-V`) and opens no session.
pub fn are_query_only(given: &[Given]) -> bool {
    given.iter().any(|given| "GQV".contains(given.letter))
}

/// Returns true if these options of the config apply to sessions but not to a tunnel's connection, even one
/// made with them.
pub fn want_more_than_a_tunnel(given: &[Given]) -> bool {
    let (letters, keywords) = NEVER_IN_A_TUNNEL;
    given.iter().any(|given| match keyword(given) {
        Some(keyword) => keywords.contains(&keyword.as_str()),
        None => letters.contains(given.letter),
    })
}

/// Returns the keyword of an `-o` in lower case; `None` for other options.
pub fn keyword(given: &Given) -> Option<String> {
    let value = given.value.filter(|_| given.letter == 'o')?.to_string_lossy();
    let ends = |c: char| c == '=' || c.is_ascii_whitespace();
    Some(value.trim_start().split(ends).next().unwrap_or_default().to_ascii_lowercase())
}

fn at_fault(message: &str, hint: &str) -> Error {
    Error::failed(format!("ssh.options: {message}")).with_hint(hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        shell_words::split(text).unwrap()
    }

    fn verdict(text: &str) -> std::result::Result<(), String> {
        check(&words(text)).map_err(|error| error.to_string())
    }

    #[test]
    fn options_with_and_without_values_pass() {
        for text in ["", "-C", "-o ProxyJump=b -C", "-oProxyJump=b", "-vC4", "-J 'a b' -6", "-vo Port=1"] {
            assert_eq!(verdict(text), Ok(()), "{text}");
        }
    }

    #[test]
    fn words_that_ssh_would_take_for_the_host_do_not() {
        for text in ["ProxyJump=b", "host", "-C host", "--", "-", "-o A=b host", "''"] {
            assert!(verdict(text).is_err(), "{text}");
        }
        assert!(verdict("-o").unwrap_err().contains("needs a value"));
        for text in ["-f", "-L 1:a:2", "-R1:a:2", "-o RemoteForward=1", "'-oLocalForward 1 a:2'"] {
            assert!(verdict(text).unwrap_err().contains("cannot be used with a tunnel"), "{text}");
        }
        assert!(verdict("-Z").unwrap_err().contains("ssh option -Z"));
        assert!(verdict("-vé").unwrap_err().contains("ssh option -é"));
    }

    #[test]
    fn options_are_read_as_getopt_reads_them() {
        let given = |text: &str| -> Vec<(char, Option<String>)> {
            let words = words(text);
            let given = read(&words).unwrap();
            given
                .iter()
                .map(|given| (given.letter, given.value.map(|value| value.to_string_lossy().into())))
                .collect()
        };
        assert_eq!(given("-vvt"), [('v', None), ('v', None), ('t', None)]);
        assert_eq!(
            given("-to A=b -p -1"),
            [('t', None), ('o', Some("A=b".into())), ('p', Some("-1".into()))]
        );
        assert_eq!(
            given("-oA=b -L -- -e ''"),
            [('o', Some("A=b".into())), ('L', Some("--".into())), ('e', Some(String::new()))]
        );
    }

    #[test]
    fn a_session_shares_a_connection_unless_its_options_are_about_the_connection() {
        let shared = |text: &str| go_over_any_connection(&read(&words(text)).unwrap());
        for text in
            ["", "-tt", "-vT", "-q -e none", "-o RequestTTY=yes", "-o 'LogLevel ERROR'", "-W h:1", "-s"]
        {
            assert!(shared(text), "{text}");
        }
        for text in ["-A", "-tA", "-X", "-C", "-L 1:h:2", "-D 1", "-p 22", "-l root", "-i k", "-J b", "-F f"]
        {
            assert!(!shared(text), "{text}");
        }
        for text in ["-M", "-S x", "-O check", "-o ForwardAgent=yes", "-o ' Port 22'", "-oSendEnv=A", "-4"] {
            assert!(!shared(text), "{text}");
        }
    }

    #[test]
    fn what_the_config_asks_of_a_tunnel_in_vain_is_known() {
        let more = |text: &str| want_more_than_a_tunnel(&read(&words(text)).unwrap());
        assert!(more("-A") && more("-CX") && more("-o forwardagent=yes"));
        assert!(!more("-C -J bastion -o ProxyJump=b -a"));
    }
}
