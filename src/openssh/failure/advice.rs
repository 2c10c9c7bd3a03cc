//! Hints after a failure of ssh.

use super::kind::{Failure, Kind};
use crate::config::HostKeyCheck;
use crate::openssh::{Login, certificate, host_key_alias, key};
use crate::terminal::printable;

/// Returns the hints for a failure; `denials` is the number of recently refused logins.
pub fn hints(failure: &Failure, login: &Login, denials: usize) -> Vec<String> {
    let kind = failure.kind;
    if denials > 0 && matches!(kind, Kind::Refused | Kind::HungUp | Kind::Lost | Kind::TimedOut) {
        return vec![
            format!(
                "the server may be blocking your address (PerSourcePenalties, fail2ban); refused logins in the last 10 minutes: {denials}"
            ),
            "wait a minute, then try again: soong tunnel start".to_owned(),
        ];
    }
    let instance = &login.instance;
    let name = printable(&instance.name);
    let port = instance.port.unwrap_or(22);
    match kind {
        Kind::HostKeyChanged => vec![
            format!(
                "'{name}' has another host key than before: it was recreated, or someone intercepts the connection"
            ),
            format!(
                "if it was recreated, forget the old key: ssh-keygen -R {} -f {}",
                host_key_alias(&instance.id),
                shell_words::quote(&login.known_hosts.to_string_lossy()),
            ),
        ],
        Kind::HostKeyUnknown => vec![unknown_host_key(login)],
        Kind::UnknownHost => vec![format!("check the host of '{name}' in config.toml, and your network")],
        Kind::Refused => vec![format!(
            "the instance may still be booting; check its address with 'soong status', and that its SSH port is {port}"
        )],
        Kind::HungUp => vec![
            "the instance may still be booting, or blocking your address after failed logins".to_owned(),
            "wait a minute, then try again: soong tunnel start".to_owned(),
        ],
        Kind::ProxyFailed | Kind::ProxyRefused => vec![
            "try ssh alone: soong ssh -- true".to_owned(),
            "check ProxyJump and ProxyCommand in ssh.options and your ~/.ssh/config".to_owned(),
        ],
        Kind::TimedOut if is_silent(&failure.reason) => silence_hints(),
        Kind::Unreachable | Kind::TimedOut => timeout_hints(login),
        Kind::Misconfigured => vec!["check ssh.options in config.toml and your ~/.ssh/config".to_owned()],
        Kind::Displaced => vec!["start it again: soong tunnel start".to_owned()],
        Kind::ForwardRefused | Kind::ListenRefused | Kind::ForwardForbidden => forward_hints(kind),
        Kind::Lost | Kind::Other => vec!["see ssh's messages: soong tunnel start -v".to_owned()],
        _ => login_hints(kind, login),
    }
}

/// Returns the hints if the server was reached and refused the login.
fn login_hints(kind: Kind, login: &Login) -> Vec<String> {
    if matches!(kind, Kind::AuthenticationRefused | Kind::TooManyKeys)
        && let Some([what, remedy]) = certificate::outdated(login)
    {
        return vec![what, remedy, offered(login)];
    }
    let key = only_key(login);
    match kind {
        Kind::TooManyKeys => vec![
            "the server gave up before all keys were offered: the agent has too many (ssh-add -l)".to_owned(),
            "offer one key only: soong configure set ssh.key FILE".to_owned(),
        ],
        Kind::SigningRefused => vec![
            "the instance accepts the key, but the agent or security key refused to sign".to_owned(),
            format!("unlock it, or add the key to the agent again: ssh-add{}", behind(key)),
        ],
        Kind::NeedsMoreThanKey => vec![
            "the instance accepts the key and asks for more, such as a one-time code".to_owned(),
            "run 'soong tunnel start' in a terminal and answer there".to_owned(),
        ],
        Kind::NeedsPassphrase => vec![
            format!("add the key to your agent once: ssh-add{}", behind(key)),
            "or run 'soong tunnel start' in a terminal; each reconnection then asks again".to_owned(),
        ],
        Kind::NeedsAnswer => vec![
            "run 'soong tunnel start' in a terminal and answer there".to_owned(),
            format!("a key that needs no further answer avoids this; {}", offered(login)),
        ],
        Kind::WrongPassphrase => {
            vec![format!("check the passphrase: ssh-keygen -y -f {}", key.as_deref().unwrap_or("KEY"))]
        }
        Kind::AnswerRefused => vec![
            "the server rejected the answer; try again: soong tunnel start".to_owned(),
            format!("a key that needs no further answer avoids this; {}", offered(login)),
        ],
        Kind::KeyUnusable => vec![unusable_key(login)],
        _ => vec![offered(login), "run 'soong configure' or set ssh.key and ssh.user".to_owned()],
    }
}

/// Returns the key quoted for a shell, after a space, if there is one.
fn only_key(login: &Login) -> Option<String> {
    match login.keys.files.as_slice() {
        [file] => Some(shell_words::quote(&file.to_string_lossy()).into_owned()),
        _ => None,
    }
}

fn behind(word: Option<String>) -> String {
    word.map(|word| format!(" {word}")).unwrap_or_default()
}

fn unusable_key(login: &Login) -> String {
    let public_half = || key::public_half(login.keys.files.first()?, &login.instance);
    match (public_half(), only_key(login)) {
        (Some(hint), _) => format!("this is a public key, and no agent has its private key; {hint}"),
        (None, Some(key)) => format!("check the key: chmod 600 {key} && ssh-keygen -y -f {key}"),
        (None, None) => {
            "check the keys in ~/.ssh, or choose one: soong configure set ssh.key FILE".to_owned()
        }
    }
}

/// With `pin`, a new key of the instance itself is accepted; only a jump host's can be unknown.
fn unknown_host_key(login: &Login) -> String {
    let accept = "run 'soong tunnel start' in a terminal to check and accept the key";
    match login.host_key_check {
        HostKeyCheck::Strict => {
            format!("ssh.host-key-check is strict: {accept}, or set it to \"pin\"")
        }
        _ => {
            format!("the jump host's key is unknown: {accept}, or log in to the jump host once with ssh")
        }
    }
}

/// Returns the hints for a refused forward.
pub fn forward_hints(kind: Kind) -> Vec<String> {
    let hints: &[&str] = match kind {
        Kind::ForwardForbidden => &[
            "allow it in the instance's sshd_config: AllowTcpForwarding yes, PermitOpen any, no DisableForwarding",
            "remove 'restrict' and 'no-port-forwarding' from your key's line in ~/.ssh/authorized_keys there",
            "an expired password or a login limit forbids it too: check that 'soong ssh' opens a shell",
        ],
        Kind::ListenRefused => &[
            "check whether another program has the port on the instance: soong ssh -- ss -ltnp",
            "sshd_config may forbid it (AllowTcpForwarding, PermitListen); ports below 1024 need root",
        ],
        _ => &["see ssh's messages: soong tunnel logs"],
    };
    hints.iter().map(|hint| (*hint).to_owned()).collect()
}

/// Describes the keys that ssh offered.
fn offered(login: &Login) -> String {
    let user = login.user();
    if login.entry.has_keys {
        return format!("the instance accepts none of the keys of your ssh_config for user {user}");
    }
    let files = login.keys.files.iter().map(|file| shell_words::quote(&file.to_string_lossy()).into_owned());
    match files.collect::<Vec<_>>().as_slice() {
        [] => format!("no key in ~/.ssh for logging in as {user}"),
        [key] => format!("the instance does not accept the key {key} for user {user}"),
        keys => format!("the instance accepts none of the keys for user {user}: {}", keys.join(", ")),
    }
}

/// Returns the hint to look further, for failures that do not name their cause.
pub fn doctor_hint(kind: Kind, login: &Login) -> Option<String> {
    let is_unclear = matches!(
        kind,
        Kind::UnknownHost
            | Kind::Refused
            | Kind::HungUp
            | Kind::Unreachable
            | Kind::TimedOut
            | Kind::ProxyFailed
            | Kind::Lost
            | Kind::Other
    );
    let name = shell_words::quote(&login.instance.name);
    is_unclear.then(|| format!("find out more: soong doctor {}", printable(&name)))
}

/// Reason of an attempt that took too long, by our own clock.
pub const TIMED_OUT: &str = "timed out";

/// Description of a server that accepts connections and is silent.
pub const NO_GREETING: &str = "accepts connections but sent no SSH greeting";

/// ssh's words for it.
const BANNER: &str = "during banner exchange";

/// Returns true if an attempt timed out for `reason` at a server that is silent.
fn is_silent(reason: &str) -> bool {
    reason.contains(NO_GREETING) || reason.contains(BANNER)
}

/// Returns the hints if the server is silent. No firewall stands between, but maybe a proxy that answers for it.
fn silence_hints() -> Vec<String> {
    vec![
        "the port is reachable, but its SSH server does not respond: it may be starting or overloaded; see 'soong status'"
            .to_owned(),
        "if another program or a proxy uses this port, set address and port: soong configure".to_owned(),
    ]
}

/// Returns how far an attempt got that timed out for `reason`; `None` if that is unknown.
pub fn how_far(reason: &str, login: &Login) -> Option<String> {
    let seconds = login.connect_timeout;
    if let Some(stage) = reason.strip_prefix(TIMED_OUT) {
        return stage.strip_prefix(": ").map(str::to_owned);
    }
    if reason.contains(BANNER) {
        return Some(format!("{} {NO_GREETING} in {seconds} s", login.address()));
    }
    let (host, rest) = reason.strip_prefix("connect to host ")?.rsplit_once(" port ")?;
    let port = rest.split(':').next()?;
    let address = if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") };
    Some(format!("{address} did not answer in {seconds} s"))
}

/// Returns the hints if an instance does not answer, most likely first.
pub fn timeout_hints(login: &Login) -> Vec<String> {
    let port = login.instance.port.unwrap_or(22);
    let host = &login.instance.host;
    vec![
        "the instance may not be ready yet: see 'soong status'".to_owned(),
        format!("a firewall may block SSH: check that {host} port {port} is reachable"),
        "if the address or key is wrong: soong configure".to_owned(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::openssh::login::tests::login;

    #[test]
    fn a_server_that_accepts_and_is_silent_is_behind_no_firewall() {
        let login = login();
        let hints = |reason: &str| {
            let failure = Failure { kind: Kind::TimedOut, reason: reason.to_owned() };
            hints(&failure, &login, 0).join("\n")
        };
        for reason in [
            "Connection timed out during banner exchange",
            &format!("timed out: 192.0.2.1:22 {NO_GREETING} in 30 s"),
        ] {
            assert!(hints(reason).starts_with("the port is reachable"), "{reason}");
            assert!(!hints(reason).contains("firewall"), "{reason}");
        }
        for reason in ["timed out: 192.0.2.1:22 did not answer in 30 s", "timed out"] {
            assert!(hints(reason).contains("a firewall may block SSH"), "{reason}");
        }
    }

    #[test]
    fn how_far_an_attempt_got_is_told_if_it_is_known() {
        let login = login();
        let far = |reason: &str| how_far(reason, &login);
        let seconds = login.connect_timeout;
        for (reason, expected) in [
            (
                "connect to host 192.0.2.1 port 2222: Connection timed out",
                format!("192.0.2.1:2222 did not answer in {seconds} s"),
            ),
            (
                "connect to host 2001:db8::1 port 22: Operation timed out",
                format!("[2001:db8::1]:22 did not answer in {seconds} s"),
            ),
            (
                "Connection timed out during banner exchange",
                format!("{} accepts connections but sent no SSH greeting in {seconds} s", login.address()),
            ),
            ("timed out: 192.0.2.1:22 answered", "192.0.2.1:22 answered".to_owned()),
        ] {
            assert_eq!(far(reason), Some(expected), "{reason}");
        }
        for reason in ["timed out", "the host is not answering", "Timeout, server x not responding"] {
            assert_eq!(far(reason), None, "{reason}");
        }
    }
}
