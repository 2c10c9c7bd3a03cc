//! Aliases that would never be used, because a command of soong's own has their name. One that was
//! there before such a command came is passed over when the config is read; who writes one now is
//! told.

use crate::built_in::is_built_in;
use crate::config::Config;
use crate::error::{Error, Result};
use crate::paths::Paths;

/// Refuses to set the key at `segments` if that is such an alias.
pub fn refuse_to_set(segments: &[String]) -> Result<()> {
    match segments {
        [table, name] if table == "alias" && is_built_in(name) => {
            Err(Error::usage(message(name)).with_hint(HINT))
        }
        _ => Ok(()),
    }
}

/// Refuses a config with such an alias that was not in the text `before`.
pub fn refuse_new(before: &str, after: &Config, paths: &Paths) -> Result<()> {
    let known = Config::parse(before, paths.config_file(), paths).map(|config| config.hidden_aliases);
    let known = known.unwrap_or_default();
    match after.hidden_aliases.iter().find(|name| !known.contains(name)) {
        Some(name) => Err(Error::Config {
            path: paths.config_file().into(),
            line: None,
            message: message(name),
            hint: Some(HINT.to_owned()),
        }),
        None => Ok(()),
    }
}

const HINT: &str = "give the alias another name: commands of soong's own go first";

fn message(name: &str) -> String {
    format!("alias: \"{name}\" is a command of soong's own")
}
