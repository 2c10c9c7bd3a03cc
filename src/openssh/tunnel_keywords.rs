//! Keywords of `ssh_config` that a tunnel does not take from the user's files; it obeys all others. The table with the
//! reasons is `docs/ssh-config.md`.

use super::login::Login;
use crate::config::HostKeyCheck;

/// Keywords that settings of `config.toml` replace.
const REPLACED: [&str; 4] =
    ["connecttimeout", "serveraliveinterval", "serveralivecountmax", "stricthostkeychecking"];
/// Keywords that `ssh.host-key-check` replaces: name, and whether `strict` and `off` do.
const HOST_KEYS: [(&str, bool, bool); 4] = [
    ("userknownhostsfile", false, true),
    ("hostkeyalias", false, false),
    ("checkhostip", false, false),
    ("hashknownhosts", false, false),
];
/// Keywords about sessions, forwards and going to the background.
const IGNORED: [&str; 37] = [
    "localforward",
    "remoteforward",
    "dynamicforward",
    "clearallforwardings",
    "exitonforwardfailure",
    "gatewayports",
    "permitremoteopen",
    "streamlocalbindmask",
    "streamlocalbindunlink",
    "tunnel",
    "tunneldevice",
    "channeltimeout",
    "controlmaster",
    "controlpath",
    "controlpersist",
    "forkafterauthentication",
    "stdinnull",
    "sessiontype",
    "remotecommand",
    "requesttty",
    "sendenv",
    "setenv",
    "escapechar",
    "enableescapecommandline",
    "obscurekeystroketiming",
    "permitlocalcommand",
    "localcommand",
    "forwardagent",
    "forwardx11",
    "forwardx11timeout",
    "forwardx11trusted",
    "xauthlocation",
    "updatehostkeys",
    "visualhostkey",
    "loglevel",
    "logverbose",
    "syslogfacility",
];

/// Use of a keyword by a tunnel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// The tunnel's ssh obeys it.
    Obeyed,
    /// `config.toml` has its own setting.
    Replaced,
    /// It is about sessions.
    Ignored,
}

/// Returns the use of `keyword`, in lower case, by a tunnel with `login`.
pub fn of(keyword: &str, login: &Login) -> Use {
    let instance = &login.instance;
    let is_own = |(name, strict, off): &(&str, bool, bool)| {
        *name == keyword
            && match login.host_key_check {
                HostKeyCheck::Pin => true,
                HostKeyCheck::Strict => *strict,
                HostKeyCheck::Off => *off,
            }
    };
    let is_replaced = match keyword {
        "user" => !instance.leaves_user_to_ssh() || login.entry.user.is_none(),
        "port" => instance.port.is_some(),
        "identityfile" | "certificatefile" | "identitiesonly" => login.keys.named,
        _ => REPLACED.contains(&keyword) || HOST_KEYS.iter().any(is_own),
    };
    if is_replaced {
        Use::Replaced
    } else if IGNORED.contains(&keyword) {
        Use::Ignored
    } else {
        Use::Obeyed
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Returns the keywords of the table below `heading` in the documentation, in lower case.
    fn documented(heading: &str) -> BTreeSet<String> {
        let text = include_str!("../../docs/ssh-config.md");
        let (_, section) = text.split_once(&format!("## {heading}\n")).unwrap();
        let section = section.split("\n## ").next().unwrap();
        let cells = section
            .lines()
            .filter(|line| line.starts_with("| `"))
            .map(|line| line.split('|').nth(1).unwrap());
        cells.flat_map(|cell| cell.split('`').skip(1).step_by(2)).map(str::to_lowercase).collect()
    }

    fn set(words: &[&str]) -> BTreeSet<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    #[test]
    fn the_documentation_has_the_same_tables() {
        assert_eq!(documented("Ignored"), set(&IGNORED));
        let host_keys: Vec<&str> = HOST_KEYS.iter().map(|(name, ..)| *name).collect();
        assert_eq!(documented("Replaced by config.toml"), set(&[&REPLACED[..], &host_keys].concat()));
        let obeyed = documented("Obeyed");
        assert!(obeyed.contains("proxyjump") && obeyed.iter().all(|word| !IGNORED.contains(&word.as_str())));
    }

    #[test]
    fn settings_of_the_config_decide_about_some() {
        let mut login = crate::openssh::login::tests::login();
        for (keyword, expected) in [
            ("localforward", Use::Ignored),
            ("syslogfacility", Use::Ignored),
            ("proxyjump", Use::Obeyed),
            ("connecttimeout", Use::Replaced),
            ("hostkeyalias", Use::Replaced),
            ("userknownhostsfile", Use::Replaced),
            ("user", Use::Replaced),
            ("port", Use::Obeyed),
            ("identityfile", Use::Obeyed),
        ] {
            assert_eq!(of(keyword, &login), expected, "{keyword}");
        }
        login.host_key_check = HostKeyCheck::Strict;
        login.instance.port = Some(22);
        login.keys.named = true;
        assert_eq!(of("userknownhostsfile", &login), Use::Obeyed);
        assert_eq!(of("port", &login), Use::Replaced);
        assert_eq!(of("identityfile", &login), Use::Replaced);
    }
}
