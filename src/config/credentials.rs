//! Secrets: the provider's API key and the status daemon's token, as `credentials.toml` holds
//! them. The file has to be the user's own and closed to everybody else.
//!
//! Nothing here ever puts a secret, or a piece of the file that could be one, into an error.

mod legacy;

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use nix::unistd::geteuid;
use toml::de::{DeTable, DeValue};
use zeroize::Zeroizing;

use crate::error::{Error, Result};
use crate::system::paths::Paths;
use crate::system::trust;
use crate::terminal::printable;

/// Where the provider's API key stands in the file.
pub const API_KEY: &str = "lambda.api-key";
/// Where the status daemon's token stands in the file.
pub const DAEMON_TOKEN: &str = "daemon.token";
/// All that the file may hold.
pub const NAMES: [&str; 2] = [API_KEY, DAEMON_TOKEN];

/// A text that is to be used and never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes `text` for a secret; white space around it is not part of it. `None` for what cannot
    /// be one: secrets travel in HTTP headers, so they are made of visible ASCII characters.
    pub fn new(text: &str) -> Option<Self> {
        let text = text.trim();
        let fit = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
        fit.then(|| Self(Zeroizing::new(text.to_owned())))
    }

    /// The text itself, for the one who needs it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

/// The secrets that are stored.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Credentials {
    /// The key of the provider's API.
    pub api_key: Option<Secret>,
    /// The token that the status daemon asks for.
    pub daemon_token: Option<Secret>,
    /// The file they were read from; `None` when there is none.
    pub file: Option<PathBuf>,
}

impl Credentials {
    /// Reads `credentials.toml`; where there is none, the file of soong's predecessor.
    pub fn load(paths: &Paths) -> Result<Self> {
        let file = paths.credentials_file();
        match read(&file)? {
            Some(text) => Self::parse(&Zeroizing::new(text), &file),
            None => legacy::load(&paths.legacy_config()),
        }
    }

    /// The token alone, for a process that lives long: nothing of the file stays in its memory.
    pub fn load_daemon_token(paths: &Paths) -> Result<Option<Secret>> {
        Ok(Self::load(paths)?.daemon_token)
    }

    /// Reads secrets from the config file of soong's predecessor; none where there is no `file`.
    pub fn load_legacy(file: &Path) -> Result<Self> {
        legacy::load(file)
    }

    /// Reads secrets from the text of `credentials.toml`; `file` is what errors call it.
    pub fn parse(text: &str, file: &Path) -> Result<Self> {
        let fault = |offset: Option<usize>, message: String, hint: &str| {
            let newlines = |offset| text.bytes().take(offset).filter(|byte| *byte == b'\n').count();
            let line = offset.map(|offset| newlines(offset) + 1);
            Error::Config { path: file.into(), line, message, hint: Some(hint.into()) }
        };
        // The parser's own words are kept back: they may quote what it stumbled over.
        let document = DeTable::parse(text).map_err(|error| {
            let offset = error.span().map(|span| span.start);
            fault(offset, "not valid TOML".into(), "write it as [lambda] and below it api-key = \"…\"")
        })?;
        let mut credentials = Self { file: Some(file.into()), ..Self::default() };
        for (table, entries) in document.get_ref() {
            let unknown = |offset| {
                fault(Some(offset), "unknown key".into(), &format!("there is: {}", NAMES.join(", ")))
            };
            let DeValue::Table(entries) = entries.get_ref() else {
                return Err(unknown(table.span().start));
            };
            for (key, value) in entries {
                let slot = match (table.get_ref().as_ref(), key.get_ref().as_ref()) {
                    ("lambda", "api-key") => &mut credentials.api_key,
                    ("daemon", "token") => &mut credentials.daemon_token,
                    _ => return Err(unknown(key.span().start)),
                };
                *slot = value.get_ref().as_str().and_then(Secret::new);
                if slot.is_none() {
                    let message = format!("{}.{} is not a secret", table.get_ref(), key.get_ref());
                    return Err(fault(Some(key.span().start), message, SHAPE));
                }
            }
        }
        Ok(credentials)
    }
}

/// What a secret looks like.
const SHAPE: &str = "a secret is text in quotes, without spaces, made of ASCII characters";

/// The text of `file`, which must be private; `None` where there is no such file.
pub fn read(file: &Path) -> Result<Option<String>> {
    const LIMIT: u32 = 1 << 16;
    let refused = |error| Error::io("read", file, error);
    // Opened without waiting, so that a FIFO in the file's place is told and not hung on.
    let opened = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(file);
    let mut opened = match opened {
        Ok(opened) => opened,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(refused(error)),
    };
    check_private(file, &opened)?;
    if let Some(fault) = trust::file_fault(file) {
        return Err(fault.refuse(file));
    }
    // With room for all, so that no copy is left behind when it grows.
    let mut bytes = Vec::with_capacity(LIMIT as usize + 1);
    (&mut opened).take(u64::from(LIMIT) + 1).read_to_end(&mut bytes).map_err(refused)?;
    if bytes.len() > LIMIT as usize {
        return Err(refused(io::Error::other("larger than 64 KiB")));
    }
    String::from_utf8(bytes).map(Some).map_err(|_| refused(io::Error::other("not valid UTF-8")))
}

/// Refuses a file that others could have read or written. Asked of the open file, so that it
/// cannot be exchanged between the look and the reading.
fn check_private(file: &Path, opened: &File) -> Result<()> {
    let metadata = opened.metadata().map_err(|error| Error::io("read", file, error))?;
    let shown = || printable(&file.to_string_lossy()).into_owned();
    if !metadata.is_file() {
        return Err(Error::io("read", file, io::Error::other("not a regular file")));
    }
    if metadata.uid() != geteuid().as_raw() {
        return Err(Error::failed(format!("{} belongs to another user (uid {})", shown(), metadata.uid()))
            .with_hint(
                "secrets are only read from a file of your own; copy it, or take it over with chown",
            ));
    }
    if metadata.permissions().mode() & 0o077 != 0 {
        return Err(Error::failed(format!("{} can be read by other users", shown()))
            .with_hint(format!("close it: chmod 600 {}", quoted(file))));
    }
    Ok(())
}

/// `file` as it can be pasted into a shell.
fn quoted(file: &Path) -> String {
    let text = file.to_string_lossy();
    printable(&shell_words::quote(&text)).into_owned()
}

#[cfg(test)]
mod tests;
