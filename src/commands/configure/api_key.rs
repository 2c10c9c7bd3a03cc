//! Checks an API key with its provider before storing it.
//!
//! Runs the provider's `list` with a temporary config directory that holds the key. The key is in a private
//! file for a moment, and in no argument list.

use std::ffi::OsStr;

use super::cloud::Cloud;
use super::document;
use crate::config;
use crate::config::credentials::Secret;
use crate::error::{Error, Result};
use crate::instances::provider::{self, answer::Listed};
use crate::system::paths::{self, Paths};
use crate::system::signals::Watch;
use crate::system::spinner::Spinner;
use crate::terminal::printable;

/// Returns true if the provider is installed.
pub fn can_check(cloud: Cloud) -> bool {
    provider::find(cloud.name()).is_some()
}

/// Lists the instances at `cloud` with `key`, or as the config says without one. The error is the provider's.
pub fn list(cloud: Cloud, key: Option<&Secret>, paths: &Paths) -> Result<Vec<Listed>> {
    let Some(key) = key else { return list_enabled(cloud.name()) };
    paths.ensure_runtime()?;
    // Dropped last, so that a signal takes effect after the directory is removed.
    let watch = Watch::new()?;
    let directory = tempfile::Builder::new().prefix("configure-").tempdir_in(paths.runtime());
    let directory = directory.map_err(|source| Error::io("write in", paths.runtime(), source))?;
    let config = directory.path().join("config.toml");
    let text = config::read(paths.config_file())?;
    // A key command would take precedence over the file.
    let command = [cloud.name(), "api-key-command"].map(str::to_owned);
    let text = document::remove(&text, &command)?.unwrap_or(text);
    paths::write_atomically(&config, &text)?;
    let secrets = document::set("", &cloud.secret().segments(), &key.expose().into())?;
    paths::write_atomically(&config.with_file_name("credentials.toml"), &secrets)?;
    let environment: [(&str, &OsStr); 1] = [("SOONG_CONFIG", config.as_os_str())];
    let _spinner = Spinner::new(&format!("Asking {}", cloud.title()));
    provider::list_with(cloud.name(), &environment, &watch)
}

/// Lists the instances of the provider `name` as the config says.
pub fn list_enabled(name: &str) -> Result<Vec<Listed>> {
    let watch = Watch::new()?;
    let _spinner = Spinner::new(&format!("Asking {}", printable(name)));
    provider::list(name, &watch)
}
