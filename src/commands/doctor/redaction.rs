//! Removes from a report what is the user's business: names, addresses, the home directory.

use crate::config::instance::Instance;
use crate::system::paths::Paths;

/// Returns `text` with the instance, host names, addresses and the user's home replaced by words.
pub(super) fn redacted(text: &str, instance: Option<&Instance>, paths: &Paths) -> String {
    let home = paths.expand("~/");
    let text = replaced(text, instance, home.to_string_lossy().trim_end_matches('/'));
    let is_end = |c: char| c.is_whitespace() || matches!(c, ',' | '(' | ')' | '\'');
    text.split_inclusive(is_end).map(without_address).collect()
}

fn replaced(text: &str, instance: Option<&Instance>, home: &str) -> String {
    let mut text = text.to_owned();
    let mut replace = |what: &str, word: &str| {
        // A short name would be found inside other words.
        if what.len() >= 3 {
            text = text.replace(what, word);
        }
    };
    replace(home, "~");
    if let Some(instance) = instance {
        replace(&instance.host, "HOST");
        replace(&instance.id, "ID");
        replace(&instance.user, "USER");
        replace(&instance.name, "NAME");
    }
    text
}

/// Returns `word`, or `ADDRESS` and its port if it is an IP address.
fn without_address(word: &str) -> String {
    let end =
        word.trim_end_matches(|c: char| c.is_whitespace() || matches!(c, ',' | '(' | ')' | '\'' | ':' | ';'));
    let rest = &word[end.len()..];
    if end.parse::<std::net::SocketAddr>().is_ok() {
        let port = end.rsplit(':').next().unwrap_or_default();
        return format!("ADDRESS:{port}{rest}");
    }
    if end.parse::<std::net::IpAddr>().is_ok() { format!("ADDRESS{rest}") } else { word.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_names_no_instance_and_no_address() {
        let instance = Instance {
            name: "secret-project".into(),
            id: "0920582c7ff0".into(),
            host: "gpu.example.com".into(),
            user: "ubuntu".into(),
            user_is_default: true,
            port: None,
            key: None,
        };
        let text = "name: gpu.example.com is 203.0.113.7, 2001:db8::7 (3 ms)\n\
            login: ubuntu@gpu.example.com\nconnection: 203.0.113.7:22: timed out; secret-project 0920582c7ff0\n";
        let replaced = replaced(text, Some(&instance), "/home/me");
        assert_eq!(
            replaced.split_inclusive(char::is_whitespace).map(without_address).collect::<String>(),
            "name: HOST is ADDRESS, ADDRESS (3 ms)\nlogin: USER@HOST\nconnection: ADDRESS:22: timed out; NAME ID\n"
        );
    }
}
