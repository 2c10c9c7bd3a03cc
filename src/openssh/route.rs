//! Route of a connection, from the output of `ssh -G`: one lower-case keyword and value per line.

use crate::config::address::is_host;

/// End point of a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// Host name or address.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// Address families in use.
    pub families: (bool, bool),
}

/// Returns the end point that ssh connects to directly; `None` if a proxy is in between or ssh connects in
/// another way.
pub fn direct(answer: &str) -> Option<Endpoint> {
    let value = |wanted: &str| {
        let mut lines = answer.lines().filter_map(|line| line.split_once(' '));
        lines.find(|(keyword, _)| *keyword == wanted).map(|(_, value)| value.trim())
    };
    let special = ["proxyjump", "proxycommand", "bindaddress", "bindinterface", "canonicalizehostname"];
    let is_plain = |value: &str| matches!(value, "none" | "no" | "false");
    if special.into_iter().any(|keyword| value(keyword).is_some_and(|value| !is_plain(value))) {
        return None;
    }
    let families = match value("addressfamily") {
        Some("inet") => (true, false),
        Some("inet6") => (false, true),
        _ => (true, true),
    };
    let host = value("hostname").filter(|host| is_host(host))?.to_owned();
    Some(Endpoint { host, port: value("port")?.parse().ok()?, families })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: &str = "user me\nhostname 198.51.100.3\nport 2200\naddressfamily any\n\
        canonicalizehostname false\nproxyusefdpass no\n";

    #[test]
    fn a_host_that_ssh_connects_to_itself_is_known() {
        let endpoint = direct(PLAIN).unwrap();
        assert_eq!(
            (endpoint.host.as_str(), endpoint.port, endpoint.families),
            ("198.51.100.3", 2200, (true, true))
        );
        let only = |family: &str| direct(&PLAIN.replace("family any", family)).unwrap().families;
        assert_eq!([only("family inet"), only("family inet6")], [(true, false), (false, true)]);
    }

    #[test]
    fn one_that_something_stands_before_is_not() {
        for more in ["proxyjump b", "proxycommand nc %h %p", "bindaddress 192.0.2.1", "bindinterface eth0"] {
            assert_eq!(direct(&format!("{PLAIN}{more}\n")), None, "{more}");
        }
        assert!(direct(&format!("{PLAIN}proxyjump none\nproxycommand none\n")).is_some());
        assert_eq!(direct(&PLAIN.replace("hostname false", "hostname true")), None);
        assert_eq!(direct(&PLAIN.replace("port 2200", "port x")), None);
        assert_eq!(direct("hostname -x\nport 22\n"), None);
        assert_eq!(direct(""), None);
    }
}
