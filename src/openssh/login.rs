//! Login parameters for an instance, and the ssh command lines for it.

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

/// Everything that ssh needs to log in to an instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Login {
    /// Absolute path of the ssh program.
    pub program: PathBuf,
    /// The instance.
    pub instance: Instance,
    /// Private keys.
    pub keys: Keys,
    /// Host key policy.
    pub host_key_check: HostKeyCheck,
    /// File of the pinned host keys.
    pub known_hosts: PathBuf,
    /// Seconds between keepalives; 0 sends none.
    pub keepalive: u32,
    /// Time limit of one attempt to connect, in seconds.
    pub connect_timeout: u64,
    /// Option that skips a silent address of the host, if there is one.
    #[serde(default)]
    pub detour: Option<String>,
    /// True if ssh makes one connection only, whatever `ConnectionAttempts` says: the supervisor repeats attempts, and
    /// counts their connections.
    #[serde(default)]
    pub single_try: bool,
    /// Settings of the user's `ssh_config` that the config leaves open.
    #[serde(default)]
    pub entry: Entry,
    /// The user's arguments, checked by [`options::check`].
    pub options: Vec<String>,
    /// Options that override settings of the user's `ssh_config` and that only newer versions of ssh know.
    pub overrides: Vec<String>,
    /// True to prefer AES-GCM: the user's `ssh_config` chooses no ciphers.
    pub prefers_aes: bool,
}

/// Options of every connection without a session, whatever the user's `ssh_config` says. ssh since 7.6 knows
/// these; [`user_config`](super::user_config) has the newer ones.
const NO_SESSION: [&str; 6] = [
    "RemoteCommand=none",
    "PermitLocalCommand=no",
    "ForwardAgent=no",
    "ForwardX11=no",
    "UpdateHostKeys=no",
    "VisualHostKey=no",
];

/// Makes ssh write its log to standard output, which carries nothing else. Standard error then has the output
/// of others: the server's banner, a `ProxyCommand`, a jump host's ssh. ssh closes all higher descriptors at
/// its start, and the last `-E` counts.
const LOG: [&str; 2] = ["-E", "/dev/fd/1"];

/// Keeps ssh from repeating a connection by itself.
pub(super) const SINGLE_TRY: &str = "ConnectionAttempts=1";

/// Unanswered keepalives that end the connection. The supervisor checks a link for which a client waits much
/// earlier; a stall of 20 s or a full queue on the way must not end open streams.
const KEEPALIVE_COUNT: u32 = 6;

impl Login {
    /// Builds the login for `instance`. Checks the key and that ssh is installed, so that faults are reported
    /// before anything starts.
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
            single_try: false,
            options: ssh.options.clone(),
        })
    }

    /// Returns host and port of the SSH server, as far as soong knows them.
    pub fn address(&self) -> String {
        let (host, port) = (&self.instance.host, self.instance.port.unwrap_or(22));
        if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
    }

    /// Returns ssh's arguments for a tunnel with the control socket `control`. Forwards are requested there,
    /// none on the command line or from the user's `ssh_config` (see `docs/ssh-config.md`).
    ///
    /// ssh keeps the first value of an option, so the order is: what a tunnel requires, the user's options,
    /// the defaults.
    pub fn tunnel_arguments(&self, control: &Path) -> Vec<String> {
        let mut arguments: Vec<String> = ["-N", "-T", "-M", "-S"].map(str::to_owned).to_vec();
        arguments.push(percent_escaped(control));
        for option in [
            "ControlPersist=no",
            "ClearAllForwardings=yes",
            "StreamLocalBindUnlink=yes",
            "StreamLocalBindMask=0177",
            // Logs keys that were accepted but not sufficient.
            "LogLevel=VERBOSE",
        ] {
            push_option(&mut arguments, option);
        }
        if self.single_try {
            push_option(&mut arguments, SINGLE_TRY);
        }
        self.push_no_session(&mut arguments);
        arguments.extend(self.options.iter().cloned());
        arguments.extend(LOG.map(str::to_owned));
        self.push_defaults(&mut arguments);
        self.push_destination(&mut arguments);
        arguments
    }

    /// Returns ssh's arguments for one connection to `port` of `host`, as seen from the instance, over
    /// standard input and output.
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

    /// Returns ssh's arguments for printing its route instead of connecting; see [`route`](super::route).
    pub fn lookup_arguments(&self) -> Vec<String> {
        let mut arguments = vec!["-TG".to_owned()];
        arguments.extend(self.options.iter().cloned());
        self.push_destination(&mut arguments);
        arguments
    }

    /// Overrides the user's session settings in `ssh_config` for a connection without a session.
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

    /// Defaults that the user can change, as in `ssh_config`: `KEY=VALUE`.
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

    /// Returns the user name on the instance.
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
                // The file of -i must exist as written, but ssh replaces % in it.
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

/// Returns the name to which the host key of the instance `id` is pinned, of characters without a meaning in
/// known-hosts files.
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

/// Returns true if the processor computes AES; then AES-GCM is faster than ssh's default cipher.
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
