//! Refuses useless aliases when they are set: one with the name of a built-in command, which would never run,
//! and one that refers to itself. Existing ones in a config are harmless, and can come from a newer soong
//! with a new command.

use crate::built_in::is_built_in;
use crate::config::Config;
use crate::error::{Error, Result};
use crate::extension::{alias, discovery};
use crate::system::paths::Paths;

/// Refuses to set the key at `segments` if it is an alias with the name of a command.
pub fn refuse_hidden(segments: &[String]) -> Result<()> {
    match segments {
        [table, name] if table == "alias" && is_built_in(name) => {
            Err(Error::usage(message(name)).with_hint(HINT))
        }
        _ => Ok(()),
    }
}

/// Refuses the config `text` if the new key at `segments` is an alias that refers to itself.
pub fn refuse_loop(text: &str, segments: &[String], paths: &Paths) -> Result<()> {
    let [table, name] = segments else { return Ok(()) };
    if table != "alias" {
        return Ok(());
    }
    // Saving reports an invalid config.
    let Ok(config) = Config::parse(text, paths.config_file(), paths) else { return Ok(()) };
    alias::expand(&config.aliases, name, discovery::is_command).map(drop)
}

/// Refuses a config with an alias that has the name of a command, unless the text `before` had it.
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

const HINT: &str = "choose another name: built-in commands take precedence";

fn message(name: &str) -> String {
    format!("alias: \"{name}\" is a built-in command")
}
