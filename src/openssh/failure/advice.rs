//! What the user can do when ssh has failed.

use super::Kind;
use crate::openssh::{Login, host_key_alias, key};
use crate::terminal::printable;

/// What the user can do about trouble of this kind, a line each.
pub fn hints(kind: Kind, login: &Login) -> Vec<String> {
    let instance = &login.instance;
    let key = login.key.as_ref().map(|key| shell_words::quote(&key.file.to_string_lossy()).into_owned());
    let public_half = || key::public_half(&login.key.as_ref()?.file, instance);
    let name = printable(&instance.name);
    let port = instance.port.unwrap_or(22);
    match kind {
        Kind::HostKeyChanged => vec![
            format!(
                "'{name}' answers with another host key than before: it was recreated, or someone stands in between"
            ),
            format!(
                "if you know that it was recreated, forget the old key: ssh-keygen -R {} -f {}",
                host_key_alias(&instance.id),
                shell_words::quote(&login.known_hosts.to_string_lossy()),
            ),
        ],
        Kind::HostKeyUnknown => vec![
            "ssh.host-key-check is strict: run 'soong tunnel start' in a terminal to look at the key and accept it, or set it to \"pin\""
                .to_owned(),
        ],
        Kind::AuthenticationRefused => vec![
            offered(key.as_deref(), login),
            "run 'soong configure' or set ssh.key and ssh.user".to_owned(),
        ],
        Kind::NeedsPassphrase => vec![
            format!(
                "type the passphrase once, to the agent, and it is never asked for again: ssh-add{}",
                key.map(|key| format!(" {key}")).unwrap_or_default()
            ),
            "or run 'soong tunnel start' in a terminal; a tunnel that loses its link then has to ask again".to_owned(),
        ],
        Kind::NeedsAnswer => vec![
            "run 'soong tunnel start' in a terminal and answer there".to_owned(),
            format!("nothing is asked where the key is enough; {}", offered(key.as_deref(), login)),
        ],
        Kind::WrongPassphrase => vec![match key {
            Some(key) => format!("see whether you know it: ssh-keygen -y -f {key}"),
            None => "see whether you know it: ssh-keygen -y -f KEY".to_owned(),
        }],
        Kind::AnswerRefused => vec![
            "the server did not accept what was typed; try again: soong tunnel start".to_owned(),
            format!("nothing is asked where the key is enough; {}", offered(key.as_deref(), login)),
        ],
        Kind::KeyUnusable => vec![match (public_half(), key) {
            (Some(hint), _) => format!("this is the public half of a key that no agent holds; {hint}"),
            (None, Some(key)) => format!("check the key: chmod 600 {key} && ssh-keygen -y -f {key}"),
            (None, None) => "check the keys that your ssh config names".to_owned(),
        }],
        Kind::Misconfigured => vec!["check ssh.options in config.toml and your ~/.ssh/config".to_owned()],
        Kind::Displaced => vec!["start it again: soong tunnel start".to_owned()],
        Kind::ForwardRefused => Vec::new(),
        Kind::UnknownHost => vec![format!("check the host of '{name}' in config.toml, and your network")],
        Kind::Refused => vec![format!(
            "the instance may still be booting; check its address with 'soong status', and that its SSH port is {port}"
        )],
        Kind::Unreachable | Kind::TimedOut => timeout_hints(login),
        Kind::Lost | Kind::Other => vec!["'soong tunnel start -v' shows everything ssh says".to_owned()],
    }
}

/// What was tried without asking.
fn offered(key: Option<&str>, login: &Login) -> String {
    let user = &login.instance.user;
    match key {
        Some(key) => format!("the instance does not accept the key {key} for user {user}"),
        None => format!("no key was found in ~/.ssh to log in as {user} with"),
    }
}

/// What to look at when an instance does not answer, likeliest first.
pub fn timeout_hints(login: &Login) -> Vec<String> {
    let port = login.instance.port.unwrap_or(22);
    let host = &login.instance.host;
    vec![
        "the instance may not be ready yet: see 'soong status'".to_owned(),
        format!("a firewall may block SSH: see whether {host} port {port} can be reached"),
        "a wrong address or key: run 'soong configure'".to_owned(),
    ]
}
