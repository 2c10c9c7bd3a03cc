//! The `Host soong-NAME` blocks for ssh and programs that use it: a pure function from logins to text.
//! [`super::hosts`] writes it.
//!
//! Names and other values can come from a provider. An instance is left out if a value could end a line or
//! begin one.

use std::path::{Path, PathBuf};

use crate::config::address::{is_host, is_user};
use crate::openssh::host_alias::alias;
use crate::openssh::quoting::{in_config, quoted};
use crate::openssh::{Login, options};
use crate::terminal::printable;

/// `ssh_config` keywords for ssh's options, with the value for those that take none. Options about the call
/// (`-v`, `-F`) and forwards, which belong to the tunnel, are left out.
const KEYWORDS: &[(char, &str)] = &[
    ('4', "AddressFamily inet"),
    ('6', "AddressFamily inet6"),
    ('A', "ForwardAgent yes"),
    ('a', "ForwardAgent no"),
    ('B', "BindInterface"),
    ('b', "BindAddress"),
    ('C', "Compression yes"),
    ('c', "Ciphers"),
    ('e', "EscapeChar"),
    ('I', "PKCS11Provider"),
    ('i', "IdentityFile"),
    ('J', "ProxyJump"),
    ('K', "GSSAPIAuthentication yes"),
    ('k', "GSSAPIDelegateCredentials no"),
    ('l', "User"),
    ('m', "MACs"),
    ('P', "Tag"),
    ('p', "Port"),
    ('X', "ForwardX11 yes"),
    ('x', "ForwardX11 no"),
    ('Y', "ForwardX11Trusted yes"),
];
/// Keywords that `-o` must not set in a block, as they would end it; lower case.
const ENDS_A_BLOCK: [&str; 3] = ["host", "match", "include"];

/// An instance with its login.
#[derive(Debug)]
pub struct Host {
    /// The login.
    pub login: Login,
    /// Control socket of its tunnel, running or not.
    pub control: Option<PathBuf>,
}

/// The blocks.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Blocks {
    /// The text, one block after the other.
    pub text: String,
    /// Names of the hosts.
    pub aliases: Vec<String>,
    /// Instances without a block, with the reasons, printable.
    pub left_out: Vec<String>,
}

/// Returns the blocks of `hosts`.
pub fn render(hosts: &[Host]) -> Blocks {
    let mut blocks = Blocks::default();
    for host in hosts {
        let alias = alias(&host.login.instance);
        let block = if blocks.aliases.contains(&alias) {
            Err("another instance has the same name")
        } else {
            block(host, &alias)
        };
        match block {
            Ok(block) => {
                blocks.text.push_str(&block);
                blocks.aliases.push(alias);
            }
            Err(reason) => {
                blocks.left_out.push(format!("{}: {reason}", printable(&host.login.instance.name)));
            }
        }
    }
    blocks
}

fn block(host: &Host, alias: &str) -> Result<String, &'static str> {
    let Host { login, control } = host;
    if !is_host(&login.instance.host) {
        return Err("ssh could misread its address");
    }
    if !is_user(login.user()) {
        return Err("ssh could misread its user");
    }
    // ssh keeps the first value of a keyword, so the user's come before the defaults.
    let mut lines = configured(&login.options);
    if let Some(control) = control {
        lines.push("ControlMaster no".to_owned());
        lines.push(line("ControlPath", control));
    }
    lines.push(format!("HostName {}", login.instance.host.replace('%', "%%")));
    lines.push(format!("User {}", login.user()));
    lines.extend(login.instance.port.map(|port| format!("Port {port}")));
    lines.extend(login.keys.named.then(|| "IdentitiesOnly yes".to_owned()));
    lines.extend(login.keys.files.iter().map(|file| line("IdentityFile", file)));
    lines.extend(login.defaults().iter().map(|default| default.replacen('=', " ", 1)));
    if lines.iter().any(|line| line.contains(char::is_control)) {
        return Err("its address or user has a control character");
    }
    let name = printable(&login.instance.name);
    let lines: String = lines.iter().map(|line| format!("    {line}\n")).collect();
    Ok(format!("\n# {name}\nHost {alias}\n{lines}"))
}

fn line(keyword: &str, path: &Path) -> String {
    format!("{keyword} {}", quoted(path))
}

/// Returns the user's options as lines.
fn configured(words: &[String]) -> Vec<String> {
    let given = options::read(words).unwrap_or_default();
    given.iter().filter_map(as_line).collect()
}

fn as_line(given: &options::Given) -> Option<String> {
    let value = given.value.map(|value| value.to_string_lossy());
    if given.letter == 'o' {
        let keyword = options::keyword(given)?;
        return value
            .filter(|_| !ENDS_A_BLOCK.contains(&keyword.as_str()))
            .map(|line| line.trim().to_owned());
    }
    let (_, keyword) = KEYWORDS.iter().find(|(letter, _)| *letter == given.letter)?;
    Some(value.map_or_else(|| (*keyword).to_owned(), |value| format!("{keyword} {}", in_config(&value))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::openssh::Keys;
    use crate::openssh::login::tests::login;

    fn host(name: &str) -> Host {
        let mut login = login();
        login.instance.name = name.to_owned();
        Host { login, control: Some("/run/u/soong/tunnels/dev/ctl".into()) }
    }

    #[test]
    fn a_block_says_all_that_a_tunnels_ssh_is_told() {
        let mut host = host("dev");
        host.login.instance.port = Some(2222);
        host.login.keys = Keys { files: vec!["/k/a b%".into()], named: true };
        let Blocks { text, aliases, left_out } = render(&[host]);
        assert!(
            text.starts_with("\n# dev\nHost soong-dev\n    ControlMaster no\n    ControlPath /run/u/"),
            "{text}"
        );
        for line in [
            "HostName 192.0.2.7",
            "User ubuntu",
            "Port 2222",
            "IdentitiesOnly yes",
            "IdentityFile \"/k/a b%%\"",
            "StrictHostKeyChecking accept-new",
            "UserKnownHostsFile /s/known_hosts",
            "HostKeyAlias soong.a1b2",
            "ServerAliveInterval 60",
            "ConnectTimeout 30",
        ] {
            assert!(text.contains(&format!("\n    {line}\n")), "{line}: {text}");
        }
        assert!(!text.contains("BatchMode"));
        assert_eq!((aliases, left_out), (vec!["soong-dev".to_owned()], vec![]));
    }

    #[test]
    fn no_name_becomes_more_than_a_comment_and_an_alias() {
        let names =
            ["a b", "*", "!x", "a\nHost *\n  ProxyCommand x", "\"", "#", "", "a,b", "\u{1b}[31m", "größe"];
        let blocks = render(&names.map(host));
        assert_eq!(blocks.aliases.len(), names.len());
        for alias in &blocks.aliases {
            let legal = |c: char| c.is_ascii_alphanumeric() || "._-+".contains(c);
            assert!(alias.starts_with("soong-") && alias.chars().all(legal), "{alias}");
        }
        let outside: Vec<&str> = blocks.text.lines().filter(|line| !line.starts_with("    ")).collect();
        assert!(
            outside
                .iter()
                .all(|line| line.is_empty() || line.starts_with("# ") || line.starts_with("Host soong-"))
        );
        assert_eq!(blocks.text.matches("\nHost ").count(), names.len());
        assert!(!blocks.text.contains("\n  ProxyCommand") && !blocks.text.contains('\u{1b}'));
    }

    #[test]
    fn what_could_end_a_line_has_no_block() {
        let mut bad_host = host("a");
        bad_host.login.instance.host = "h\nHost *".into();
        let mut bad_user = host("b");
        bad_user.login.instance.user = "u v".into();
        let mut bad_key = host("c");
        bad_key.login.keys = Keys { files: vec!["/k\nProxyCommand x".into()], named: true };
        let mut bad_option = host("d");
        bad_option.login.options = vec!["-o".into(), "Port=1\nProxyCommand x".into()];
        let blocks = render(&[bad_host, bad_user, bad_key, bad_option, host("e"), host("e")]);
        assert_eq!(blocks.aliases, ["soong-e"]);
        assert_eq!(blocks.left_out.len(), 5);
        assert!(!blocks.text.contains("ProxyCommand") && !blocks.text.contains('*'));
    }

    #[test]
    fn the_users_options_become_lines_before_ours() {
        let mut host = host("dev");
        let options =
            "-C -oServerAliveInterval=9 -J 'a b' -v -F none -L 1:h:2 -o 'Host *' -o 'match all' -o include=x";
        host.login.options = shell_words::split(options).unwrap();
        let text = render(&[host]).text;
        assert!(
            text.contains(
                "    Compression yes\n    ServerAliveInterval=9\n    ProxyJump \"a b\"\n    ControlM"
            ),
            "{text}"
        );
    }

    #[test]
    fn addresses_survive_sshs_own_parsing() {
        let mut host = host("dev");
        host.login.instance.host = "fe80::1%eth0".into();
        assert!(render(&[host]).text.contains("    HostName fe80::1%%eth0\n"));
    }
}
