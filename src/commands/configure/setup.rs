//! Saves the wizard's answers, or the options, in one step.

use std::path::{Path, PathBuf};

use super::arguments::{NamedHost, SetupArguments};
use super::cloud::Cloud;
use super::place::{self, Place, SecretName};
use super::store::{Change, Store, shell};
use super::{api_key, document, secret, setting, value};
use crate::command_line;
use crate::config::Config;
use crate::config::credentials::{Credentials, Secret};
use crate::error::{Error, Result};
use crate::openssh::key_file::{self, Lock};
use crate::system::paths::Paths;
use crate::terminal::{print_error, printable};

/// Values to set; `None` leaves a value as it is.
#[derive(Debug, Default)]
pub struct Setup {
    /// `ssh.key`.
    pub key: KeyChoice,
    /// `ssh.user`.
    pub user: Option<String>,
    /// Instances given by address.
    pub instances: Vec<NamedHost>,
    /// Provider to enable.
    pub provider: Option<String>,
    /// API keys of providers.
    pub api_keys: Vec<(SecretName, Secret)>,
    /// Token of the status daemon; generated if there is none.
    pub daemon_token: Option<Secret>,
    /// True to say where to enter a generated token.
    pub mentions_token: bool,
}

/// Change of `ssh.key`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum KeyChoice {
    /// No change.
    #[default]
    Keep,
    /// This file.
    File(String),
    /// Leaves the choice to ssh.
    Unset,
}

/// Checks the options and saves them.
pub fn from_arguments(arguments: &SetupArguments, paths: &Paths) -> Result<()> {
    let mut setup =
        Setup { user: arguments.user.clone(), instances: arguments.instances.clone(), ..Setup::default() };
    if let Some(key) = &arguments.key {
        let file = absolute(key, paths)?;
        if key_file::check(&file)? == Lock::Passphrase {
            print_error(&agent_note(&file));
        }
        setup.key = KeyChoice::File(paths.abbreviate(&file));
    }
    if arguments.api_key_stdin {
        let key = secret::from_stdin(SecretName::ApiKey)?;
        if !arguments.no_check && api_key::can_check(Cloud::Lambda) {
            api_key::list(Cloud::Lambda, Some(&key), paths)
                .map_err(|error| error.with_hint("store the key anyway: --no-check"))?;
        }
        setup.provider = Some(Cloud::Lambda.name().to_owned());
        setup.api_keys.push((SecretName::ApiKey, key));
    }
    if arguments.daemon_token_stdin {
        setup.daemon_token = Some(secret::from_stdin(SecretName::DaemonToken)?);
    }
    apply(setup, paths)
}

/// Returns a typed path as an absolute one.
pub fn absolute(typed: &str, paths: &Paths) -> Result<PathBuf> {
    let file = paths.expand(typed);
    std::path::absolute(&file).map_err(|error| Error::io("find", &file, error))
}

/// Prints the advice for a key with a passphrase.
pub fn agent_note(file: &Path) -> String {
    format!(
        "The key has a passphrase. Add it to your agent, so that a tunnel can reconnect unattended:\n  ssh-add {}\n",
        shell(file)
    )
}

/// Saves everything and prints the next steps.
pub fn apply(mut setup: Setup, paths: &Paths) -> Result<()> {
    let store = Store::open(paths)?;
    let before = store.config()?;
    let config = configured(&before, &setup, paths)?;
    let generated = setup.daemon_token.is_none() && Credentials::load(paths)?.daemon_token.is_none();
    if generated {
        setup.daemon_token = Some(secret::generate()?);
    }
    let change = Change {
        config: (config != before).then(|| config.clone()),
        credentials: credentials(&store, &setup)?,
    };
    let written = store.write(&change)?;
    drop(store);
    command_line::print(&report(
        &written,
        generated.then_some(setup.mentions_token),
        &Config::parse(&config, paths.config_file(), paths)?,
        paths,
    ))
}

/// Returns the text of `config.toml` with the new values.
pub fn configured(before: &str, setup: &Setup, paths: &Paths) -> Result<String> {
    // Reports an invalid text before changing it.
    Config::parse(before, paths.config_file(), paths)
        .map_err(|error| error.with_hint("fix it first: soong configure edit"))?;
    let segments = |names: [&str; 2]| names.map(str::to_owned).to_vec();
    let mut wanted: Vec<(Vec<String>, String)> = Vec::new();
    if let KeyChoice::File(key) = &setup.key {
        wanted.push((segments(["ssh", "key"]), key.clone()));
    }
    wanted.extend(setup.user.clone().map(|user| (segments(["ssh", "user"]), user)));
    for instance in &setup.instances {
        wanted.extend(instance.address.clone().into_keys(&instance.name));
    }
    if let Some(provider) = &setup.provider {
        wanted.push((segments(["providers", provider]), "true".to_owned()));
    }
    let mut text = before.to_owned();
    if setup.key == KeyChoice::Unset {
        text = document::remove(&text, &segments(["ssh", "key"]))?.unwrap_or(text);
    }
    for (segments, typed) in wanted {
        let Place::Key(segments, key) = place::resolve(segments)? else { continue };
        let new = value::parse(key, &segments, &typed)?;
        let present = document::get(&text, &segments)?.map(|item| value::plain(&item));
        let unchanged = match &present {
            Some(present) => *present == typed,
            None => key.path == "ssh.user" && setting::default(key, &segments).as_ref() == Some(&typed),
        };
        if !unchanged {
            text = document::set(&text, &segments, &new)?;
        }
    }
    Ok(text)
}

/// Returns the text of `credentials.toml`, if it changes.
fn credentials(store: &Store<'_>, setup: &Setup) -> Result<Option<String>> {
    let keys = setup.api_keys.iter().map(|(name, secret)| (*name, secret));
    let token = setup.daemon_token.iter().map(|token| (SecretName::DaemonToken, token));
    let mut secrets = keys.chain(token).peekable();
    if secrets.peek().is_none() {
        return Ok(None);
    }
    let mut text = store.credentials()?;
    for (name, secret) in secrets {
        text = document::set(&text, &name.segments(), &secret.expose().into())?;
    }
    Ok(Some(text))
}

/// `generated` is set if a token was created: true if the user is to pass it on now.
fn report(written: &[PathBuf], generated: Option<bool>, config: &Config, paths: &Paths) -> String {
    let mut text = String::new();
    for file in written {
        let note = match generated {
            _ if *file != paths.credentials_file() => "",
            Some(false) => " (with a new token, in case you run a status daemon; only you can read it)",
            _ => " (only you can read it)",
        };
        text.push_str(&format!("Wrote {}{note}\n", printable(&file.to_string_lossy())));
    }
    if written.is_empty() {
        text.push_str("No changes\n");
    }
    if generated == Some(true) {
        text.push_str("Created a token. Give it to the status daemon on the instance:\n");
        text.push_str("  soong configure get --reveal daemon.token\n");
    }
    if config.instances.is_empty() && config.providers.is_empty() {
        text.push_str("Next, add your instance: soong configure set instances.NAME.host ADDRESS\n");
        text.push_str("Then: soong tunnel start\n");
    } else {
        text.push_str("Next: soong tunnel start\n");
    }
    text
}
