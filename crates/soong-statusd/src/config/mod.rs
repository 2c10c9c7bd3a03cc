//! `statusd.toml`: read strictly, with the line of every error.

pub mod keys;
mod values;

use std::fs::{self, File};
use std::io::{self, Read};
use std::net::SocketAddr;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::error::{Error, Result};
use crate::lease::Policy;
pub use values::{End, Endpoint};
use values::{HumanDuration, Listen, Percent, Words};

/// The file that is read unless the command line names another.
pub const DEFAULT_FILE: &str = "/etc/soong/statusd.toml";

/// Everything `statusd.toml` says, defaults filled in.
#[derive(Debug)]
pub struct Config {
    /// The token that requests must carry.
    pub token: Token,
    /// The name of the instance, as `/status` reports it.
    pub instance_id: String,
    /// Where to listen.
    pub listen: SocketAddr,
    /// Lease, hard limit and idle limit.
    pub policy: Policy,
    /// True if GPU load counts as use.
    pub gpu: bool,
    /// GPU load above this many percent counts as use.
    pub gpu_threshold: u8,
    /// True if logins count as use.
    pub sessions: bool,
    /// The file that lists logins; `None` for the system's.
    pub utmp: Option<PathBuf>,
    /// Model servers.
    pub models: Vec<Endpoint>,
    /// The directory of the state file.
    pub state: PathBuf,
    /// How to end the machine.
    pub end: End,
    /// True if everything but the end action runs.
    pub dry_run: bool,
    /// Commands to run at events.
    pub hooks: Hooks,
    /// The directory of the config file, where a provider finds its own.
    pub directory: PathBuf,
}

/// Commands that run at events; empty for none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hooks {
    /// Runs with each warning.
    pub ending: Vec<String>,
    /// Runs before the end action.
    pub ended: Vec<String>,
    /// The longest a hook may run.
    pub timeout: Duration,
}

/// The token, kept as its SHA-256.
#[derive(Clone)]
pub struct Token([u8; 32]);

impl Token {
    /// Compares `text` with the token in constant time.
    pub fn is(&self, text: &[u8]) -> bool {
        let digest: [u8; 32] = Sha256::digest(text).into();
        self.0.ct_eq(&digest).into()
    }

    fn new(text: &str) -> Option<Self> {
        let text = text.trim();
        let is_fit = text.len() >= TOKEN_MIN && text.bytes().all(|byte| byte.is_ascii_graphic());
        is_fit.then(|| Self(Sha256::digest(text.as_bytes()).into()))
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("…")
    }
}

/// Shorter tokens can be guessed.
const TOKEN_MIN: usize = 16;
const TOKEN_SHAPE: &str = "a token has at least 16 visible ASCII characters and no spaces";

/// The document as serde sees it.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Document {
    token: Option<String>,
    token_file: Option<PathBuf>,
    instance_id: Option<String>,
    listen: Option<Listen>,
    lease: Option<HumanDuration>,
    limit: Option<HumanDuration>,
    idle: Option<HumanDuration>,
    gpu: Option<bool>,
    gpu_threshold: Option<Percent>,
    sessions: Option<bool>,
    utmp: Option<PathBuf>,
    #[serde(default)]
    models: Vec<Endpoint>,
    state: Option<PathBuf>,
    #[serde(default)]
    end: End,
    #[serde(default)]
    dry_run: bool,
    #[serde(default)]
    hooks: HookTable,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct HookTable {
    ending: Words,
    ended: Words,
    timeout: Option<HumanDuration>,
}

impl Config {
    /// Reads `file`, which must belong to this user or root and be closed to others.
    pub fn load(file: &Path) -> Result<Self> {
        Self::load_with_token(file).map(|(config, _)| config)
    }

    /// Reads `file` as [`Config::load`] does; returns also the token as text, for a request to the daemon.
    pub fn load_with_token(file: &Path) -> Result<(Self, String)> {
        let text = read_private(file).map_err(|error| match Error::io("read", file, &error) {
            message if error.kind() == io::ErrorKind::NotFound => {
                message.with_hint("write one, or name another with --config; see soong-statusd(8)")
            }
            message if error.kind() == io::ErrorKind::PermissionDenied => message
                .with_hint(format!("close it to others: chown root {0} && chmod 600 {0}", file.display())),
            message => message,
        })?;
        Self::parse(&text, file)
    }

    fn parse(text: &str, file: &Path) -> Result<(Self, String)> {
        let document: Document = toml::from_str(text).map_err(|error| {
            let line = error.span().map(|span| text[..span.start.min(text.len())].matches('\n').count() + 1);
            fault(file, line, error.message()).with_hint("soong-statusd(8) lists the keys and their values")
        })?;
        let (token, text) = token(&document, |message| fault(file, None, message))?;
        let directory = file.parent().map_or_else(PathBuf::new, Path::to_owned);
        let config = document.into_config(token, directory).map_err(|message| fault(file, None, &message))?;
        Ok((config, text))
    }
}

/// Returns the error for a faulty config.
fn fault(file: &Path, line: Option<usize>, message: &str) -> Error {
    let place = line.map_or_else(String::new, |line| format!("line {line}: "));
    Error::new(format!("cannot read {}: {place}{message}", file.display()))
}

/// The token of `document`, or of the file it names, and its text.
fn token(document: &Document, fault: impl Fn(&str) -> Error) -> Result<(Token, String)> {
    let (text, unusable) = match (&document.token, &document.token_file) {
        (Some(_), Some(_)) => return Err(fault("token and token-file exclude each other")),
        (None, None) => {
            return Err(fault("no token").with_hint("set token or token-file; soong daemon install does"));
        }
        (Some(text), None) => (text.clone(), fault("token cannot be used")),
        (None, Some(file)) => {
            let text = read_private(file).map_err(|error| Error::io("read", file, &error))?;
            (text, Error::new(format!("{} holds no usable token", file.display())))
        }
    };
    match Token::new(&text) {
        Some(token) => Ok((token, text.trim().to_owned())),
        None => Err(unusable.with_hint(TOKEN_SHAPE)),
    }
}

impl Document {
    fn into_config(self, token: Token, directory: PathBuf) -> std::result::Result<Config, String> {
        const HOUR: Duration = Duration::from_secs(3600);
        let or = |value: Option<HumanDuration>, default: Duration| value.map_or(default, |value| value.0);
        let (lease, limit) = (or(self.lease, HOUR * 4), or(self.limit, HOUR * 8));
        let idle = or(self.idle, HOUR / 2);
        for (name, value) in [("lease", lease), ("limit", limit)] {
            if value.is_zero() {
                return Err(format!("{name} is 0; a machine cannot live for no time"));
            }
        }
        if lease > limit {
            return Err("lease is longer than limit".into());
        }
        if let Some(relative) =
            [&self.state, &self.utmp].into_iter().flatten().find(|path| path.is_relative())
        {
            return Err(format!("{} is not an absolute path", relative.display()));
        }
        Ok(Config {
            token,
            instance_id: self.instance_id.unwrap_or_else(host_name),
            listen: self.listen.map_or_else(|| SocketAddr::from(([127, 0, 0, 1], 8080)), |listen| listen.0),
            policy: Policy { lease, limit, idle: (!idle.is_zero()).then_some(idle) },
            gpu: self.gpu.unwrap_or(true),
            gpu_threshold: self.gpu_threshold.map_or(5, |percent| percent.0),
            sessions: self.sessions.unwrap_or(true),
            utmp: self.utmp,
            models: self.models,
            state: self.state.unwrap_or_else(|| PathBuf::from("/var/lib/soong")),
            end: self.end,
            dry_run: self.dry_run,
            hooks: Hooks {
                ending: self.hooks.ending.0,
                ended: self.hooks.ended.0,
                timeout: or(self.hooks.timeout, Duration::from_secs(60)),
            },
            directory,
        })
    }
}

fn host_name() -> String {
    let name = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    name.trim().to_owned()
}

/// Reads a file that others can neither read nor write: it holds a token and names programs that
/// run as root.
fn read_private(file: &Path) -> io::Result<String> {
    const SIZE_MAX: u64 = 1 << 16;
    let opened = File::open(file)?;
    let metadata = opened.metadata()?;
    let own = nix::unistd::geteuid().as_raw();
    let refuse = |reason: &str| Err(io::Error::new(io::ErrorKind::PermissionDenied, reason.to_owned()));
    if !metadata.is_file() {
        return Err(io::Error::other("not a regular file"));
    }
    if metadata.uid() != own && metadata.uid() != 0 {
        return refuse("it belongs to another user");
    }
    if metadata.permissions().mode() & 0o077 != 0 {
        return refuse("other users can read or write it");
    }
    let mut text = String::new();
    opened.take(SIZE_MAX + 1).read_to_string(&mut text)?;
    if text.len() as u64 > SIZE_MAX {
        return Err(io::Error::other("larger than 64 KiB"));
    }
    Ok(text)
}

#[cfg(test)]
mod tests;
