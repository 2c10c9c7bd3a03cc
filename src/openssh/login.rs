//! How to log in to an instance, and the command lines with which ssh does.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::entry::Entry;
use super::options;
use super::user_config::UserConfig;
use crate::config::instance::{self, Instance};
use crate::config::{HostKeyCheck, Ssh};
use crate::error::{Error, Result};
use crate::openssh::key::{self, Keys};
use crate::openssh::quoting::{check_path, percent_escaped, quoted};
use crate::system::paths::{self, Paths};

/// Everything ssh needs to know to log in to one instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Login {
    /// The ssh program, by absolute path.
    pub program: PathBuf,
    /// Where to.
    pub instance: Instance,
    /// The private keys.
    pub keys: Keys,
    /// The policy for host keys.
    pub host_key_check: HostKeyCheck,
    /// The file that pinned host keys are kept in.
    pub known_hosts: PathBuf,
    /// Seconds between keepalive questions; 0 asks none.
    pub keepalive: u32,
    /// Seconds that one attempt to connect may take.
    pub connect_timeout: u64,
    /// What brings ssh past an address of the host that is silent, if one is.
    #[serde(default)]
    pub detour: Option<String>,
    /// What the user's `ssh_config` says of the host where the config leaves it to that.
    #[serde(default)]
    pub entry: Entry,
    /// The user's further arguments, checked by [`options::check`].
    pub options: Vec<String>,
    /// What takes back settings of the user's `ssh_config` that only newer versions of ssh know.
    pub overrides: Vec<String>,
    /// Whether AES-GCM is to be preferred: the user's `ssh_config` chooses no ciphers.
    pub prefers_aes: bool,
}

/// What a connection without a session is started with, whatever the user's `ssh_config` says.
/// Every ssh since 7.6 knows these; [`user_config`] has those that are newer.
const NO_SESSION: [&str; 6] = [
    "RemoteCommand=none",
    "PermitLocalCommand=no",
    "ForwardAgent=no",
    "ForwardX11=no",
    "UpdateHostKeys=no",
    "VisualHostKey=no",
];

/// Has ssh write its log to its standard output, which carries nothing else. Its standard error then holds
/// what others say: the server's banner, a `ProxyCommand`, the ssh of a jump host. ssh closes every higher
/// descriptor at its start, and the last `-E` counts.
const LOG: [&str; 2] = ["-E", "/dev/fd/1"];

/// Keepalive questions that may stay unanswered before ssh gives the connection up. A link that a client waits for
/// is checked earlier; a stall of 20 s or a full queue on the way must not end what is under way.
const KEEPALIVE_COUNT: u32 = 6;

impl Login {
    /// Puts together how to log in to `instance`; checks that the key can be used and that ssh
    /// is installed, so that what is missing is told before anything is started.
    pub fn resolve(instance: &Instance, ssh: &Ssh, paths: &Paths) -> Result<Self> {
        options::check(&ssh.options)?;
        let known_hosts = paths.known_hosts();
        check_path(&known_hosts)?;
        let program = program()?;
        let user_config = UserConfig::read(&program, &ssh.options, paths);
        let entry = Entry::look_up(instance, ssh, &program, &user_config);
        Ok(Self {
            keys: if entry.has_keys { Keys::default() } else { key::choose(instance, ssh, paths)? },
            entry,
            overrides: user_config.overrides(&program),
            prefers_aes: has_aes() && !user_config.sets("ciphers"),
            program,
            instance: instance.clone(),
            host_key_check: ssh.host_key_check,
            known_hosts,
            keepalive: ssh.keepalive,
            connect_timeout: ssh.connect_timeout.as_secs(),
            detour: None,
            options: ssh.options.clone(),
        })
    }

    /// ssh's arguments for a tunnel that is controlled through `control`. Its forwards are requested
    /// there; none comes from the command line or the user's `ssh_config` (see `docs/ssh-config.md`).
    ///
    /// ssh keeps the first value it is given for an option, so the order is: what a tunnel cannot
    /// do without, what the user asked for, then the defaults.
    pub fn tunnel_arguments(&self, control: &Path) -> Vec<String> {
        let mut arguments: Vec<String> = ["-N", "-T", "-M", "-S"].map(str::to_owned).to_vec();
        arguments.push(percent_escaped(control));
        for option in [
            "ControlPersist=no",
            "ClearAllForwardings=yes",
            "StreamLocalBindUnlink=yes",
            "StreamLocalBindMask=0177",
            // Tells of a key that was accepted and was not enough.
            "LogLevel=VERBOSE",
        ] {
            push_option(&mut arguments, option);
        }
        self.push_no_session(&mut arguments);
        arguments.extend(self.options.iter().cloned());
        arguments.extend(LOG.map(str::to_owned));
        self.push_defaults(&mut arguments);
        self.push_destination(&mut arguments);
        arguments
    }

    /// ssh's arguments for one connection to `port` of `host`, as seen from the instance, that
    /// takes standard input and output as its two directions.
    pub fn stdio_arguments(&self, host: &str, port: u16) -> Vec<String> {
        let mut arguments: Vec<String> = ["-T", "-W"].map(str::to_owned).to_vec();
        arguments.push(format!("{host}:{port}"));
        for option in ["BatchMode=yes", "ClearAllForwardings=yes", "ControlPath=none", "LogLevel=INFO"] {
            push_option(&mut arguments, option);
        }
        self.push_no_session(&mut arguments);
        arguments.extend(self.options.iter().cloned());
        self.push_defaults(&mut arguments);
        self.push_destination(&mut arguments);
        arguments
    }

    /// ssh's arguments that have it say how it would connect, instead of connecting; see
    /// [`route`](super::route).
    pub fn lookup_arguments(&self) -> Vec<String> {
        let mut arguments = vec!["-TG".to_owned()];
        arguments.extend(self.options.iter().cloned());
        self.push_destination(&mut arguments);
        arguments
    }

    /// Keeps what the user's `ssh_config` says of sessions from a connection that has none.
    fn push_no_session(&self, arguments: &mut Vec<String>) {
        for option in NO_SESSION {
            push_option(arguments, option);
        }
        for option in &self.overrides {
            push_option(arguments, option);
        }
    }

    pub(crate) fn push_defaults(&self, arguments: &mut Vec<String>) {
        for option in self.defaults() {
            push_option(arguments, &option);
        }
    }

    /// What a connection has unless the user wants it otherwise, as in `ssh_config`: `KEY=VALUE`.
    pub(crate) fn defaults(&self) -> Vec<String> {
        let mut defaults = self.host_key_options();
        defaults.push(format!("ServerAliveInterval={}", self.keepalive));
        defaults.push(format!("ServerAliveCountMax={KEEPALIVE_COUNT}"));
        defaults.extend(self.detour.clone());
        defaults.push(format!("ConnectTimeout={}", self.connect_timeout));
        if self.prefers_aes {
            defaults.push("Ciphers=^aes128-gcm@openssh.com,aes256-gcm@openssh.com".to_owned());
        }
        defaults
    }

    fn host_key_options(&self) -> Vec<String> {
        match self.host_key_check {
            HostKeyCheck::Pin => vec![
                "StrictHostKeyChecking=accept-new".to_owned(),
                format!("UserKnownHostsFile={}", quoted(&self.known_hosts)),
                format!("HostKeyAlias={}", host_key_alias(&self.instance.id)),
                "CheckHostIP=no".to_owned(),
                "HashKnownHosts=no".to_owned(),
            ],
            HostKeyCheck::Strict => vec!["StrictHostKeyChecking=ask".to_owned()],
            HostKeyCheck::Off => {
                vec!["StrictHostKeyChecking=no".to_owned(), "UserKnownHostsFile=/dev/null".to_owned()]
            }
        }
    }

    /// The account on the instance.
    pub fn user(&self) -> &str {
        let instance = &self.instance;
        let entry = self.entry.user.as_ref().filter(|_| instance.leaves_user_to_ssh());
        entry.unwrap_or(&instance.user)
    }

    pub(crate) fn push_destination(&self, arguments: &mut Vec<String>) {
        if self.keys.named {
            push_option(arguments, "IdentitiesOnly=yes");
        }
        for file in &self.keys.files {
            if file.to_string_lossy().contains('%') {
                // What -i names has to exist as it is written, and is replaced in nevertheless.
                push_option(arguments, &format!("IdentityFile={}", quoted(file)));
            } else {
                arguments.push("-i".to_owned());
                arguments.push(file.to_string_lossy().into_owned());
            }
        }
        if let Some(port) = self.instance.port {
            arguments.push("-p".to_owned());
            arguments.push(port.to_string());
        }
        arguments.push("--".to_owned());
        arguments.push(format!("{}@{}", self.user(), self.instance.host));
    }
}

/// The name under which the host key of the instance `id` is pinned. Made of characters that mean
/// nothing in a known-hosts file.
pub fn host_key_alias(id: &str) -> String {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_');
    if !id.is_empty() && id.len() <= 64 && id.chars().all(plain) {
        format!("soong.{id}")
    } else {
        format!("soong.@{}", instance::digest(id))
    }
}

fn push_option(arguments: &mut Vec<String>, option: &str) {
    arguments.push("-o".to_owned());
    arguments.push(option.to_owned());
}

/// Whether AES is computed by the processor; then AES-GCM outruns ssh's default cipher.
fn has_aes() -> bool {
    #[cfg(target_arch = "x86_64")]
    return std::arch::is_x86_feature_detected!("aes") && std::arch::is_x86_feature_detected!("pclmulqdq");
    #[cfg(target_arch = "aarch64")]
    return std::arch::is_aarch64_feature_detected!("aes");
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    false
}

fn program() -> Result<PathBuf> {
    paths::find_program("ssh").ok_or_else(|| Error::ProgramMissing {
        program: "ssh".into(),
        hint: "install the OpenSSH client: 'apt install openssh-client' on Debian and Ubuntu".into(),
    })
}

#[cfg(test)]
pub(crate) mod tests;
