//! Secrets in `credentials.toml`: the provider's API key and the status daemon's token. The file must belong
//! to the user and be unreadable for others.
//!
//! No error contains a secret or any part of the file that could be one.

mod legacy;
mod private_file;
mod secret;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use toml::de::{DeTable, DeValue};
use zeroize::Zeroizing;

pub use self::private_file::read;
pub use self::secret::Secret;
use crate::error::{Error, Result};
use crate::system::paths::Paths;

/// Key of Lambda Cloud's API key.
pub const API_KEY: &str = "lambda.api-key";
/// Key of RunPod's API key.
pub const RUNPOD_API_KEY: &str = "runpod.api-key";
/// Key of the status daemon's token.
pub const DAEMON_TOKEN: &str = "daemon.token";
/// Table of the tokens of single instances, by id.
pub const INSTANCE_TOKENS: [&str; 2] = ["daemon", "tokens"];
/// All keys of the file that have one name.
pub const NAMES: [&str; 3] = [API_KEY, RUNPOD_API_KEY, DAEMON_TOKEN];

/// The stored secrets.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Credentials {
    /// API key of Lambda Cloud.
    pub api_key: Option<Secret>,
    /// API key of RunPod.
    pub runpod_api_key: Option<Secret>,
    /// Token of status daemons that have none of their own.
    pub daemon_token: Option<Secret>,
    /// Tokens of status daemons by the id of their instance.
    pub instance_tokens: BTreeMap<String, Secret>,
    /// The file that they come from; `None` without one.
    pub file: Option<PathBuf>,
}

impl Credentials {
    /// Reads `credentials.toml`, or the predecessor's file if it does not exist.
    pub fn load(paths: &Paths) -> Result<Self> {
        let file = paths.credentials_file();
        match read(&file)? {
            Some(text) => Self::parse(&Zeroizing::new(text), &file),
            None => Self::load_legacy(&paths.legacy_config()),
        }
    }

    /// Reads secrets from the predecessor's config file; empty if `file` does not exist.
    pub fn load_legacy(file: &Path) -> Result<Self> {
        let Some([api_key, daemon_token]) = legacy::read(file)? else { return Ok(Self::default()) };
        Ok(Self { api_key, daemon_token, file: Some(file.into()), ..Self::default() })
    }

    /// Parses the text of `credentials.toml`; errors name `file`.
    pub fn parse(text: &str, file: &Path) -> Result<Self> {
        let fault = |offset: Option<usize>, message: String, hint: &str| {
            let newlines = |offset| text.bytes().take(offset).filter(|byte| *byte == b'\n').count();
            let line = offset.map(|offset| newlines(offset) + 1);
            Error::Config { path: file.into(), line, message, hint: Some(hint.into()) }
        };
        // Not the parser's message, which can quote the text.
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
                    ("daemon", "tokens") => {
                        let DeValue::Table(tokens) = value.get_ref() else {
                            return Err(unknown(key.span().start));
                        };
                        for (id, token) in tokens {
                            let token = token.get_ref().as_str().and_then(Secret::new).ok_or_else(|| {
                                fault(Some(id.span().start), "a token is not a secret".into(), SHAPE)
                            })?;
                            credentials.instance_tokens.insert(id.get_ref().to_string(), token);
                        }
                        continue;
                    }
                    ("lambda", "api-key") => &mut credentials.api_key,
                    ("runpod", "api-key") => &mut credentials.runpod_api_key,
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

/// Form of a secret, for hints.
const SHAPE: &str = "a secret is quoted text of ASCII characters without spaces";

#[cfg(test)]
mod tests;
