//! Instances of the config, and choosing one.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::address::is_ipv6;
use crate::error::{Error, Result};
use crate::suggest;
use crate::terminal::printable;

/// A machine that ssh can reach.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instance {
    /// The user's name for it. Unchecked; show it through [`printable`].
    pub name: String,
    /// Unique and permanent id; the name if there is no other. Unchecked.
    pub id: String,
    /// Address or host name; see [`is_host`](super::address::is_host).
    pub host: String,
    /// User name; see [`is_user`](super::address::is_user).
    pub user: String,
    /// True if the user name is the default.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub user_is_default: bool,
    /// Port of the SSH server; `None` leaves it to ssh.
    pub port: Option<u16>,
    /// Private key.
    pub key: Option<PathBuf>,
}

impl Instance {
    /// Returns the name of this instance's tunnel in files, prompts and sockets.
    pub fn tunnel_name(&self) -> String {
        tunnel_name(&self.name)
    }

    /// Returns true if the user's `ssh_config` may set the user: it is not set elsewhere, and the host is a
    /// name that can have an entry there.
    pub fn leaves_user_to_ssh(&self) -> bool {
        self.user_is_default && !self.has_address()
    }

    /// Returns true if the host is an IP address.
    pub fn has_address(&self) -> bool {
        is_ipv6(&self.host) || self.host.parse::<std::net::Ipv4Addr>().is_ok()
    }
}

/// Longest tunnel name, in bytes.
const TUNNEL_NAME_MAX: usize = 24;

/// Turns any instance name into a short name that is safe in file names and prompts. Names of
/// `[A-Za-z0-9._-]` stay as they are; others keep their readable part, followed by `@` and 12 hexadecimal
/// digits of their SHA-256, which keeps them distinct.
pub fn tunnel_name(name: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let starts_well = name.starts_with(|c: char| c.is_ascii_alphanumeric());
    if starts_well && name.len() <= TUNNEL_NAME_MAX && name.chars().all(plain) {
        return name.to_owned();
    }
    let readable: String = name.chars().filter(|c| plain(*c)).collect();
    let readable = readable.trim_start_matches(|c: char| !c.is_ascii_alphanumeric());
    let digest = digest(name);
    let kept = readable.len().min(TUNNEL_NAME_MAX - 1 - digest.len());
    format!("{}@{digest}", &readable[..kept])
}

/// Returns `name` as a word of a command line for a shell, or as an option if the word would look like one.
pub fn as_argument(name: &str) -> String {
    let shown = printable(name);
    let quoted = shell_words::quote(&shown);
    if name.starts_with('-') { format!("--instance-id={quoted}") } else { quoted.into_owned() }
}

/// Returns 12 hexadecimal digits of the SHA-256 of `text`.
pub fn digest(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().take(6).map(|byte| format!("{byte:02x}")).collect()
}

/// Returns the instance that `wanted` means: an id, a name, or the start of exactly one id. Without `wanted`,
/// the only one.
pub fn choose<'a>(instances: &'a [Instance], wanted: Option<&str>) -> Result<&'a Instance> {
    if instances.is_empty() {
        return Err(Error::failed("no instances are configured").with_hint("run 'soong configure'"));
    }
    let Some(wanted) = wanted else {
        return match instances {
            [only] => Ok(only),
            several => Err(Error::failed("more than one instance is configured")
                .with_hint(format!("choose one with --instance-id: {}", listing(several)))),
        };
    };
    if let Some(exact) =
        instances.iter().find(|i| i.id == wanted).or_else(|| instances.iter().find(|i| i.name == wanted))
    {
        return Ok(exact);
    }
    let matching: Vec<&Instance> =
        instances.iter().filter(|i| !wanted.is_empty() && i.id.starts_with(wanted)).collect();
    match matching.as_slice() {
        [only] => Ok(only),
        [] => Err(no_such(instances, wanted)),
        several => {
            Err(Error::failed(format!("more than one instance id starts with '{}'", printable(wanted)))
                .with_hint(format!("choose one of: {}", listing(several.iter().copied()))))
        }
    }
}

fn no_such(instances: &[Instance], wanted: &str) -> Error {
    let names = instances.iter().flat_map(|i| [i.name.as_str(), i.id.as_str()]);
    suggest::unknown_instance(wanted, names, &listing(instances))
}

/// Lists at most ten names with ids: `dev (a1b2c3d4), staging`.
fn listing<'a>(instances: impl IntoIterator<Item = &'a Instance>) -> String {
    let shown = |i: &Instance| if i.id == i.name { i.name.clone() } else { format!("{} ({})", i.name, i.id) };
    suggest::listing(instances.into_iter().map(|instance| printable(&shown(instance)).into_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn instance(name: &str, id: &str) -> Instance {
        Instance {
            name: name.into(),
            id: id.into(),
            host: "192.0.2.1".into(),
            user: "ubuntu".into(),
            user_is_default: false,
            port: None,
            key: None,
        }
    }

    #[test]
    fn choosing_by_id_name_and_prefix() {
        let all = [instance("dev", "a1b2c3"), instance("staging", "a1ffff"), instance("a1", "zz")];
        assert_eq!(choose(&all, Some("a1b2c3")).unwrap().name, "dev");
        assert_eq!(choose(&all, Some("staging")).unwrap().name, "staging");
        assert_eq!(choose(&all, Some("a1b")).unwrap().name, "dev");
        assert_eq!(choose(&all, Some("a1")).unwrap().name, "a1", "a name beats a prefix");
    }

    #[test]
    fn what_cannot_be_chosen_is_told_with_the_choices() {
        let all = [instance("dev", "a1b2c3"), instance("staging", "a1ffff")];
        let ambiguous = choose(&all, Some("a1")).unwrap_err();
        assert_eq!(ambiguous.to_string(), "more than one instance id starts with 'a1'");
        assert_eq!(ambiguous.hints(), ["choose one of: dev (a1b2c3), staging (a1ffff)"]);
        assert_eq!(choose(&all, None).unwrap_err().to_string(), "more than one instance is configured");
        let unknown = choose(&all, Some("stagin")).unwrap_err();
        assert_eq!(unknown.hints(), ["did you mean 'staging'?", "available: dev (a1b2c3), staging (a1ffff)"]);
        assert!(choose(&[], None).unwrap_err().hints()[0].contains("soong configure"));
        assert!(choose(&all, Some("")).is_err(), "an empty prefix is everybody's");
    }

    #[test]
    fn a_name_is_a_word_unless_it_looks_like_an_option() {
        assert_eq!(as_argument("dev"), "dev");
        assert_eq!(as_argument("my box"), "'my box'");
        assert_eq!(as_argument("-oProxyCommand=x y"), "--instance-id='-oProxyCommand=x y'");
        assert_eq!(as_argument("a\u{1b}"), "'a\\u{1b}'");
    }

    #[test]
    fn safe_names_stay_and_others_get_a_digest() {
        assert_eq!(tunnel_name("dev-1.a_b"), "dev-1.a_b");
        for odd in ["", ".", "..", "-x", "a b", "$(touch x)", "a\nb", "../../etc", "größe", &"x".repeat(300)]
        {
            let name = tunnel_name(odd);
            assert!(name.len() <= TUNNEL_NAME_MAX, "{name}");
            assert!(name.contains('@'), "{name}");
            assert!(name.chars().all(|c| c.is_ascii_alphanumeric() || "._-@".contains(c)), "{name}");
            assert!(!name.starts_with(['.', '-']), "{name}");
        }
        assert_ne!(tunnel_name("a b"), tunnel_name("a  b"));
    }
}
