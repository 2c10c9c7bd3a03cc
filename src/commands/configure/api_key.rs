//! Checks an API key with its provider before storing it.
//!
//! Runs the provider's `list` with a temporary config directory that holds the key. The key is in a private
//! file for a moment, and in no argument list.

use std::ffi::OsStr;

use super::document;
use super::place::SecretName;
use crate::config;
use crate::config::credentials::Secret;
use crate::error::{Error, Result};
use crate::instances::provider;
use crate::system::paths::{self, Paths};
use crate::system::signals::Watch;
use crate::system::spinner::Spinner;

const PROVIDER: &str = "lambda";

/// Returns true if the provider is installed.
pub fn can_check() -> bool {
    provider::find(PROVIDER).is_some()
}

/// Lists the instances with `key`; returns their number. The error is the provider's.
pub fn check(key: &Secret, paths: &Paths) -> Result<usize> {
    paths.ensure_runtime()?;
    // Dropped last, so that a signal takes effect after the directory is removed.
    let watch = Watch::new()?;
    let directory = tempfile::Builder::new().prefix("configure-").tempdir_in(paths.runtime());
    let directory = directory.map_err(|source| Error::io("write in", paths.runtime(), source))?;
    let config = directory.path().join("config.toml");
    let text = config::read(paths.config_file())?;
    // A key command would take precedence over the file.
    let command = ["lambda", "api-key-command"].map(str::to_owned);
    let text = document::remove(&text, &command)?.unwrap_or(text);
    paths::write_atomically(&config, &text)?;
    let secrets = document::set("", &SecretName::ApiKey.segments(), &key.expose().into())?;
    paths::write_atomically(&config.with_file_name("credentials.toml"), &secrets)?;
    let environment: [(&str, &OsStr); 1] = [("SOONG_CONFIG", config.as_os_str())];
    let _spinner = Spinner::new("Asking lambda");
    provider::list_with(PROVIDER, &environment, &watch).map(|instances| instances.len())
}
