//! Aliases that make no sense, refused where they are written: one that would never be used, because
//! a command of soong's own has its name, and one that leads back to itself. In a config that holds
//! one already, as when the command came later, it harms nothing but itself.

use crate::built_in::is_built_in;
use crate::config::Config;
use crate::error::{Error, Result};
use crate::extension::{alias, discovery};
use crate::system::paths::Paths;

/// Refuses to set the key at `segments` if that is an alias with the name of a command.
pub fn refuse_hidden(segments: &[String]) -> Result<()> {
    match segments {
        [table, name] if table == "alias" && is_built_in(name) => {
            Err(Error::usage(message(name)).with_hint(HINT))
        }
        _ => Ok(()),
    }
}

/// Refuses the config `text`, in which the key at `segments` is new, if that is an alias that leads
/// back to itself.
pub fn refuse_loop(text: &str, segments: &[String], paths: &Paths) -> Result<()> {
    let [table, name] = segments else { return Ok(()) };
    if table != "alias" {
        return Ok(());
    }
    // A config that cannot be read is refused by who writes it.
    let Ok(config) = Config::parse(text, paths.config_file(), paths) else { return Ok(()) };
    alias::expand(&config.aliases, name, discovery::is_command).map(drop)
}

/// Refuses a config with an alias that has the name of a command and was not in the text `before`.
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
