//! Addresses of instances as users type them: `[USER@]HOST[:PORT]`, with brackets around an IPv6 address that
//! has a port, or the same after `ssh://`.

use std::fmt;
use std::net::Ipv6Addr;

use crate::terminal::printable;

/// A parsed address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// User name.
    pub user: Option<String>,
    /// Host name, IP address, or alias of `ssh_config`; see [`is_host`].
    pub host: String,
    /// Port of the SSH server.
    pub port: Option<u16>,
}

impl Address {
    /// Parses an address; the error describes the fault.
    pub fn parse(text: &str) -> Result<Self, String> {
        let refused = |what: &str| format!("'{}' is not an address: {what}", printable(text));
        let rest = text.strip_prefix("ssh://").map_or(text, |rest| rest.trim_end_matches('/'));
        let (user, rest) = match rest.rsplit_once('@') {
            Some((user, rest)) if is_user(user) => (Some(user.to_owned()), rest),
            Some(_) => return Err(refused("ssh does not accept this user name")),
            None => (None, rest),
        };
        let (host, port) = split_port(rest)
            .ok_or_else(|| refused("write [USER@]HOST[:PORT]; for IPv6 with a port: [ADDRESS]:PORT"))?;
        let port = match port.map(str::parse::<u16>) {
            None => None,
            Some(Ok(port)) if port > 0 => Some(port),
            Some(_) => return Err(refused("a port is a number from 1 to 65535")),
        };
        if !is_host(host) {
            return Err(refused("expected a host name or address"));
        }
        Ok(Self { user, host: host.to_owned(), port })
    }

    /// Returns the `config.toml` keys and values that set this address for the instance `name`.
    pub fn into_keys(self, name: &str) -> Vec<(Vec<String>, String)> {
        let values = [
            ("host", Some(self.host)),
            ("user", self.user),
            ("port", self.port.map(|port| port.to_string())),
        ];
        let place = |key: &str| vec!["instances".to_owned(), name.to_owned(), key.to_owned()];
        values.into_iter().filter_map(|(key, value)| Some((place(key), value?))).collect()
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(user) = &self.user {
            write!(f, "{user}@")?;
        }
        match self.port {
            Some(port) if is_ipv6(&self.host) => write!(f, "[{}]:{port}", self.host),
            Some(port) => write!(f, "{}:{port}", self.host),
            None => f.write_str(&self.host),
        }
    }
}

/// Splits `HOST:PORT`; `None` if that is ambiguous.
fn split_port(text: &str) -> Option<(&str, Option<&str>)> {
    if let Some(rest) = text.strip_prefix('[') {
        let (host, rest) = rest.split_once(']')?;
        return match (is_ipv6(host), rest.strip_prefix(':')) {
            (true, Some(port)) => Some((host, Some(port))),
            (true, None) if rest.is_empty() => Some((host, None)),
            _ => None,
        };
    }
    match text.split_once(':') {
        None => Some((text, None)),
        Some(_) if is_ipv6(text) => Some((text, None)),
        Some((host, port)) if !port.contains(':') => Some((host, Some(port))),
        Some(_) => None,
    }
}

/// Returns true if `text` is safe as a host for ssh: a name or address that ssh cannot take for an option or
/// URI and that has no meaning in a shell (ssh puts it into `ProxyCommand`).
pub fn is_host(text: &str) -> bool {
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | ':' | '%');
    text.len() <= 255
        && text.starts_with(|c: char| c.is_ascii_alphanumeric() || c == ':')
        && text.chars().all(legal)
        // Any other text with a colon has a port and is not a host.
        && (!text.contains(':') || is_ipv6(text))
}

/// Returns true if `text` is safe as a user for ssh; see [`is_host`].
pub fn is_user(text: &str) -> bool {
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '+' | '@');
    text.len() <= 64
        && text.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
        && text.chars().all(legal)
}

/// Returns true for an IPv6 address, with or without a zone.
pub(super) fn is_ipv6(text: &str) -> bool {
    text.split('%').next().is_some_and(|address| address.parse::<Ipv6Addr>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_taken_apart() {
        for (text, user, host, port) in [
            ("192.0.2.7", None, "192.0.2.7", None),
            ("192.0.2.7:2222", None, "192.0.2.7", Some(2222)),
            ("me@gpu.example:22", Some("me"), "gpu.example", Some(22)),
            ("me@corp@gpu", Some("me@corp"), "gpu", None),
            ("ssh://root@192.0.2.7:40001/", Some("root"), "192.0.2.7", Some(40001)),
            ("2001:db8::1", None, "2001:db8::1", None),
            ("[2001:db8::1]:2222", None, "2001:db8::1", Some(2222)),
            ("me@[::1]", Some("me"), "::1", None),
            ("fe80::1%eth0", None, "fe80::1%eth0", None),
            ("my_alias", None, "my_alias", None),
        ] {
            let expected = Address { user: user.map(str::to_owned), host: host.to_owned(), port };
            assert_eq!(Address::parse(text).as_ref(), Ok(&expected), "{text}");
            assert_eq!(Address::parse(&expected.to_string()), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_none_is_refused() {
        for text in [
            "",
            "@h",
            "me@",
            "h:",
            "h:0",
            "h:65536",
            "h:22:23",
            "h:x",
            "[h]:22",
            "[::1",
            "[::1]22",
            "1:2:3",
            "-oProxyCommand=x",
            "-l@h",
            "a b@h",
            "a b",
            "$(id)",
            "h\n",
            "http://h",
        ] {
            let refused = Address::parse(text).unwrap_err();
            assert!(refused.contains("is not an address: ") && !refused.contains('\n'), "{text}: {refused}");
        }
    }

    #[test]
    fn hosts_and_users_that_ssh_could_misread_are_refused() {
        for host in ["192.0.2.1", "gpu.example", "2001:db8::1", "fe80::1%eth0", "::1", "my_alias"] {
            assert!(is_host(host), "{host}");
        }
        for host in [
            "",
            "192.0.2.1:22",
            "h:22",
            "1:2",
            "-oProxyCommand=x",
            "a b",
            "$(x)",
            "a;b",
            "ssh://x",
            "user@host",
            "a\n",
            "[::1]",
            "`x`",
        ] {
            assert!(!is_host(host), "{host}");
        }
        for user in ["", "-l", "a b", "$(x)", "a;b", "a'b", "a\\b", "a/b"] {
            assert!(!is_user(user), "{user}");
        }
        assert!(is_user("ubuntu") && is_user("first.last@corp"));
    }
}
