//! Settings of the user's `ssh_config` for a host. A `Host soong-NAME` block has another name than the host,
//! so settings for the host (an alias, a jump host) must be copied into the block.

use std::process::Command;
use std::time::Duration;

use crate::config::HostKeyCheck;
use crate::config::address::is_host;
use crate::openssh::Login;
use crate::openssh::quoting::in_config;
use crate::system::child::{self, Limits};
use crate::system::paths;
use crate::system::signals::Watch;

/// Time limit: ssh only reads files, unless its configuration runs programs.
const LIMITS: Limits = Limits { time: Duration::from_secs(5), output: 1 << 20 };

/// Returns `login` with ssh's settings for its host. If ssh fails, `login` stays the same: ssh will report
/// the fault when used.
pub fn complete(login: Login, watch: &Watch) -> Login {
    let mut command = Command::new(&login.program);
    command.arg("-TG").args(&login.options).args(["--", &login.instance.host]);
    paths::mark_query_of_ssh_config(&mut command);
    match child::run(&mut command, LIMITS, watch) {
        Ok(outcome) if outcome.status.success() => {
            with_answer(login, &String::from_utf8_lossy(&outcome.stdout))
        }
        _ => login,
    }
}

/// Returns `login` with the output of `ssh -G`: one lower-case keyword and value per line.
fn with_answer(mut login: Login, answer: &str) -> Login {
    let lines = || answer.lines().filter_map(|line| line.split_once(' '));
    let value = |wanted: &str| lines().find(|(keyword, _)| *keyword == wanted).map(|(_, value)| value);
    // The resolved host may be an address; then ssh_config does not set the user.
    login.instance.user = login.user().to_owned();
    login.instance.user_is_default = false;
    if let Some(host) = value("hostname").filter(|host| is_host(host)) {
        host.clone_into(&mut login.instance.host);
    }
    login.instance.port = login.instance.port.or_else(|| value("port")?.parse().ok());
    let mut found: Vec<String> = Vec::new();
    for keyword in ["ProxyJump", "ProxyCommand"] {
        found.extend(value(&keyword.to_lowercase()).map(|value| format!("{keyword}={value}")));
    }
    if login.host_key_check != HostKeyCheck::Pin {
        found.extend(value("hostkeyalias").map(|value| format!("HostKeyAlias={}", in_config(value))));
    }
    if !login.keys.named {
        let own = |value: &&str| login.entry.has_keys || !value.starts_with("~/.ssh/id_");
        let files = lines().filter(|(keyword, _)| *keyword == "identityfile").map(|(_, value)| value);
        found.extend(files.filter(own).map(|value| format!("IdentityFile={}", in_config(value))));
    }
    login.options.extend(found.into_iter().flat_map(|option| ["-o".to_owned(), option]));
    login
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::openssh::Keys;
    use crate::openssh::login::tests::login;

    const ANSWER: &str = "user me\nhostname 198.51.100.3\nport 2200\nidentityfile ~/.ssh/id_rsa\n\
        identityfile /k/my key\nproxyjump bastion\nhostkeyalias x\n";

    #[test]
    fn what_is_configured_for_the_host_is_taken_over() {
        let login = with_answer(login(), ANSWER);
        assert_eq!((login.instance.host.as_str(), login.instance.port), ("198.51.100.3", Some(2200)));
        assert_eq!(login.instance.user, "ubuntu");
        assert_eq!(login.options, ["-o", "ProxyJump=bastion", "-o", "IdentityFile=\"/k/my key\""]);
    }

    #[test]
    fn what_soong_was_told_stays() {
        let mut told = login();
        told.instance.port = Some(22);
        told.keys = Keys { files: vec!["/k".into()], named: true };
        let login = with_answer(told, ANSWER);
        assert_eq!(login.instance.port, Some(22));
        assert_eq!(login.options, ["-o", "ProxyJump=bastion"]);
        assert_eq!(with_answer(login.clone(), "hostname -x\n").instance.host, login.instance.host);
    }
}
