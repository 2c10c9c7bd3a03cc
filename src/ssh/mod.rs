//! The system's `ssh`: finding it, and building its command line. What it then does is watched
//! elsewhere; what it says when it fails is read in [`failure`].
//!
//! And `soong ssh`, which becomes that ssh:
//!
//! ```text
//! arguments ─ options ─ session ─ remote_command     a session: exec ssh
//!                     └ hosts ─ lookup, host_file, include   ssh_config for every other program
//! ```

pub mod arguments;
pub mod failure;
pub mod options;

mod host_file;
mod hosts;
mod include;
mod lookup;
mod remote_command;
mod session;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde::{Deserialize, Serialize};

use self::arguments::{Arguments, Command};
use crate::command_line;
use crate::config::{HostKeyCheck, Ssh};
use crate::error::{Error, Result};
pub use crate::forwarding::Target as Destination;
use crate::instance::{self, Instance};
use crate::paths::{self, Paths};
use crate::term::printable;

/// Everything ssh needs to know to log in to one instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Login {
    /// The ssh program, by absolute path.
    pub program: PathBuf,
    /// Where to.
    pub instance: Instance,
    /// The private key; `None` leaves the choice to ssh and its agent.
    pub key: Option<Key>,
    /// The policy for host keys.
    pub host_key_check: HostKeyCheck,
    /// The file that pinned host keys are kept in.
    pub known_hosts: PathBuf,
    /// Seconds between keepalive questions; 0 asks none.
    pub keepalive: u32,
    /// Seconds that one attempt to connect may take.
    pub connect_timeout: u64,
    /// The user's further arguments, checked by [`options::check`].
    pub options: Vec<String>,
}

/// A private key, and how it came to be chosen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Key {
    /// The file.
    pub file: PathBuf,
    /// Whether the user named it. Then ssh is to try no other.
    pub named: bool,
}

/// One `-L` of a tunnel: a Unix socket here that stands for something there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SocketForward {
    /// The socket that ssh creates and listens on.
    pub socket: PathBuf,
    /// What a connection to it leads to.
    pub destination: Destination,
}

impl SocketForward {
    /// The value of ssh's `-L`.
    fn argument(&self) -> String {
        let socket = field(&self.socket);
        match &self.destination {
            port @ Destination::Port(..) => format!("{socket}:{port}"),
            Destination::Socket(path) => format!("{socket}:{}", field(path)),
        }
    }
}

/// Keepalive questions that may stay unanswered before ssh gives the connection up.
const KEEPALIVE_COUNT: u32 = 3;

/// The names that ssh looks for by itself, most usual first (`ssh(1)`, option `-i`).
const USUAL_KEYS: [&str; 5] = ["id_rsa", "id_ed25519", "id_ecdsa", "id_ed25519_sk", "id_ecdsa_sk"];

/// `soong-ssh`: becomes ssh, or does what else the command line says and returns the exit code.
pub fn main() -> ExitCode {
    const PROGRAM: &str = "soong-ssh";
    let words: Vec<_> = std::env::args_os().collect();
    match arguments::split(&words) {
        Ok(split) => command_line::main_from(PROGRAM, split.own, |arguments: &Arguments| {
            let paths = Paths::from_env()?;
            match &arguments.subcommand {
                None => session::run(arguments, &split.options, &paths)?,
                Some(Command::Config(arguments)) => hosts::run(arguments, &paths)?,
            }
            Ok(0)
        }),
        Err(error) => {
            command_line::obey_color(&words);
            command_line::fail(PROGRAM, &error)
        }
    }
}

impl Login {
    /// Puts together how to log in to `instance`; checks that the key can be used and that ssh
    /// is installed, so that what is missing is told before anything is started.
    pub fn resolve(instance: &Instance, ssh: &Ssh, paths: &Paths) -> Result<Self> {
        options::check(&ssh.options)?;
        let known_hosts = paths.known_hosts();
        check_path(&known_hosts)?;
        Ok(Self {
            key: key(instance, ssh, paths)?,
            program: program()?,
            instance: instance.clone(),
            host_key_check: ssh.host_key_check,
            known_hosts,
            keepalive: ssh.keepalive,
            connect_timeout: ssh.connect_timeout.as_secs(),
            options: ssh.options.clone(),
        })
    }

    /// ssh's arguments for a tunnel that is controlled through `control` and carries `forwards`.
    ///
    /// ssh keeps the first value it is given for an option, so the order is: what a tunnel cannot
    /// do without, what the user asked for, then the defaults.
    pub fn tunnel_arguments(&self, control: &Path, forwards: &[SocketForward]) -> Vec<String> {
        let mut arguments: Vec<String> = ["-N", "-T", "-M", "-S"].map(str::to_owned).to_vec();
        arguments.push(percent_escaped(control));
        for option in [
            "ControlPersist=no",
            "ExitOnForwardFailure=yes",
            "StreamLocalBindUnlink=yes",
            "RemoteCommand=none",
            "PermitLocalCommand=no",
            "ForwardAgent=no",
            "ForwardX11=no",
            "LogLevel=INFO",
        ] {
            push_option(&mut arguments, option);
        }
        arguments.extend(self.options.iter().cloned());
        self.push_defaults(&mut arguments);
        for forward in forwards {
            arguments.push("-L".to_owned());
            arguments.push(forward.argument());
        }
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
        arguments.extend(self.options.iter().cloned());
        self.push_defaults(&mut arguments);
        self.push_destination(&mut arguments);
        arguments
    }

    fn push_defaults(&self, arguments: &mut Vec<String>) {
        for option in self.defaults() {
            push_option(arguments, &option);
        }
    }

    /// What a connection has unless the user wants it otherwise, as in `ssh_config`: `KEY=VALUE`.
    fn defaults(&self) -> Vec<String> {
        let mut defaults = self.host_key_options();
        defaults.push(format!("ServerAliveInterval={}", self.keepalive));
        defaults.push(format!("ServerAliveCountMax={KEEPALIVE_COUNT}"));
        defaults.push(format!("ConnectTimeout={}", self.connect_timeout));
        if has_aes() {
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

    fn push_destination(&self, arguments: &mut Vec<String>) {
        if let Some(key) = &self.key {
            if key.named {
                push_option(arguments, "IdentitiesOnly=yes");
            }
            if key.file.to_string_lossy().contains('%') {
                // What -i names has to exist as it is written, and is replaced in nevertheless.
                push_option(arguments, &format!("IdentityFile={}", quoted(&key.file)));
            } else {
                arguments.push("-i".to_owned());
                arguments.push(key.file.to_string_lossy().into_owned());
            }
        }
        if let Some(port) = self.instance.port {
            arguments.push("-p".to_owned());
            arguments.push(port.to_string());
        }
        arguments.push("--".to_owned());
        arguments.push(format!("{}@{}", self.instance.user, self.instance.host));
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

/// Refuses a path that ssh cannot be given: it replaces `${NAME}` by the variable, and knows no way to write
/// these characters so that it does not.
pub fn check_path(path: &Path) -> Result<()> {
    if !path.to_string_lossy().contains("${") {
        return Ok(());
    }
    let shown = path.to_string_lossy();
    Err(Error::failed(format!("ssh cannot use {}: it takes '${{' for a variable", printable(&shown)))
        .with_hint("choose a place without '${' in its path"))
}

/// `path` for an argument in which ssh replaces `%` sequences.
fn percent_escaped(path: &Path) -> String {
    path.to_string_lossy().replace('%', "%%")
}

/// `path` as one field of a `-L` argument, where `:` separates and `\` escapes.
fn field(path: &Path) -> String {
    percent_escaped(path).replace('\\', "\\\\").replace(':', "\\:")
}

/// `path` as a value of an option that takes a list of words.
fn quoted(path: &Path) -> String {
    in_config(&percent_escaped(path))
}

/// `text` as one word of `ssh_config`, where `-o` takes its values from too.
fn in_config(text: &str) -> String {
    if text.is_empty() || text.contains([' ', '\t', '"', '\'', '\\', '#']) {
        format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
    } else {
        text.to_owned()
    }
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

/// The key for `instance`: its own, else the one of `[ssh]`, else the first usual one there is.
fn key(instance: &Instance, ssh: &Ssh, paths: &Paths) -> Result<Option<Key>> {
    let (file, named) = match instance.key.as_ref().or(ssh.key.as_ref()) {
        // The supervisor, and so ssh, works in another directory than the user.
        Some(file) => {
            let absolute = std::path::absolute(file);
            (absolute.map_err(|error| Error::io("use the SSH key", file, error))?, true)
        }
        None => {
            match USUAL_KEYS.iter().map(|name| paths.ssh_directory().join(name)).find(|file| file.exists()) {
                Some(file) => (file, false),
                None => return Ok(None),
            }
        }
    };
    check_key(&file)?;
    check_path(&file)?;
    Ok(Some(Key { file, named }))
}

/// ssh ignores a key that it cannot read or that others can read, and then fails for a reason that
/// does not say so; this says so.
fn check_key(file: &Path) -> Result<()> {
    use std::os::unix::fs::MetadataExt;

    let metadata = std::fs::metadata(file).map_err(|error| {
        Error::io("use the SSH key", file, error)
            .with_hint("run 'soong configure', or set ssh.key in config.toml to the key you log in with")
    })?;
    let shown = file.display();
    if !metadata.is_file() {
        return Err(Error::failed(format!("cannot use the SSH key {shown}: not a file"))
            .with_hint("set ssh.key in config.toml to the private key you log in with"));
    }
    let ours = metadata.uid() == nix::unistd::geteuid().as_raw();
    if ours && metadata.mode() & 0o077 != 0 && file.extension().is_none_or(|extension| extension != "pub") {
        return Err(Error::failed(format!(
            "the SSH key {shown} can be read by other users, so ssh will not use it"
        ))
        .with_hint(format!("close it: chmod 600 {}", shell_words::quote(&file.to_string_lossy()))));
    }
    std::fs::File::open(file).map(drop).map_err(|error| Error::io("use the SSH key", file, error))
}

#[cfg(test)]
mod tests;
