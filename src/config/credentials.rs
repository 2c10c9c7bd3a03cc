//! Secrets: the provider's API key and the status daemon's token, as `credentials.toml` holds
//! them. The file has to be the user's own and closed to everybody else.
//!
//! Nothing here ever puts a secret, or a piece of the file that could be one, into an error.

mod legacy;
mod private_file;
mod secret;

use std::path::{Path, PathBuf};

use toml::de::{DeTable, DeValue};
use zeroize::Zeroizing;

pub use self::private_file::read;
pub use self::secret::Secret;
use crate::error::{Error, Result};
use crate::system::paths::Paths;

/// Where the provider's API key stands in the file.
pub const API_KEY: &str = "lambda.api-key";
/// Where the status daemon's token stands in the file.
pub const DAEMON_TOKEN: &str = "daemon.token";
/// All that the file may hold.
pub const NAMES: [&str; 2] = [API_KEY, DAEMON_TOKEN];

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
            None => Self::load_legacy(&paths.legacy_config()),
        }
    }

    /// The token alone, for a process that lives long: nothing of the file stays in its memory.
    pub fn load_daemon_token(paths: &Paths) -> Result<Option<Secret>> {
        Ok(Self::load(paths)?.daemon_token)
    }

    /// Reads secrets from the config file of soong's predecessor; none where there is no `file`.
    pub fn load_legacy(file: &Path) -> Result<Self> {
        let Some([api_key, daemon_token]) = legacy::read(file)? else { return Ok(Self::default()) };
        Ok(Self { api_key, daemon_token, file: Some(file.into()) })
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
            fault(offset, "not valid TOML".into(), "write it in [lambda]: api-key = \"…\"")
        })?;
        let mut credentials = Self { file: Some(file.into()), ..Self::default() };
        for (table, entries) in document.get_ref() {
            let unknown = |offset| {
                fault(Some(offset), "unknown key".into(), &format!("available: {}", NAMES.join(", ")))
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
const SHAPE: &str = "a secret is quoted text of ASCII characters without spaces";

#[cfg(test)]
mod tests;
