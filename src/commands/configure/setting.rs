//! `soong configure get`, `set` and `unset`.

use toml_edit::Value;

use super::place::{self, Place, SecretName};
use super::store::{Change, Store};
use super::{alias, document, secret, value, warning};
use crate::command_line;
use crate::config::address::Address;
use crate::config::credentials::{Credentials, Secret};
use crate::config::schema::{Key, Kind};
use crate::config::{Config, DEFAULT_SERVICES};
use crate::error::{Error, Result};
use crate::system::paths::Paths;
use crate::terminal::{print_error, printable};
use crate::toml_text::typed_key;

/// Prints the value of a key, or its default.
pub fn get(typed: &str, reveal: bool, paths: &Paths) -> Result<()> {
    match place::parse(typed)? {
        Place::Key(segments, key) => {
            let text = crate::config::read(paths.config_file())?;
            Config::parse(&text, paths.config_file(), paths)?;
            let written = document::get(&text, &segments)?.map(|item| value::plain(&item));
            match written.or_else(|| default(key, &segments)) {
                Some(text) => command_line::print(&format!("{}\n", printable(&text))),
                None => Err(Error::failed(format!("{} is not set", place::shown(&segments)))),
            }
        }
        Place::Table(segments) => Err(is_table(&segments)),
        Place::Secret(name) => get_secret(name, reveal, paths),
    }
}

fn get_secret(name: SecretName, reveal: bool, paths: &Paths) -> Result<()> {
    if !reveal {
        return Err(Error::failed(format!("{} is a secret", name.name()))
            .with_hint(format!("print it anyway: soong configure get --reveal {}", name.name())));
    }
    let credentials = Credentials::load(paths)?;
    match stored(&credentials, name) {
        Some(secret) => command_line::print(&format!("{}\n", secret.expose())),
        None => Err(Error::failed(format!("{} is not set", name.name()))),
    }
}

/// Returns the secret of this name.
pub fn stored(credentials: &Credentials, name: SecretName) -> Option<&Secret> {
    match name {
        SecretName::ApiKey => credentials.api_key.as_ref(),
        SecretName::RunpodApiKey => credentials.runpod_api_key.as_ref(),
        SecretName::DaemonToken => credentials.daemon_token.as_ref(),
    }
}

/// Returns the default of a key.
pub fn default(key: &Key, segments: &[String]) -> Option<String> {
    if let [table, service] = segments
        && table == "services"
    {
        let known = DEFAULT_SERVICES.iter().find(|(name, _)| name == service);
        return known.map(|(_, port)| port.to_string());
    }
    (!key.default.is_empty()).then(|| key.default.to_owned())
}

/// Changes the value of a key.
pub fn set(typed: &str, new: Option<&str>, paths: &Paths) -> Result<()> {
    match place::parse(typed)? {
        Place::Key(segments, key) => {
            let Some(new) = new else {
                return Err(Error::usage(format!("no value for {}", place::shown(&segments)))
                    .with_hint(format!("expected {}", key.kind.expectation())));
            };
            alias::refuse_hidden(&segments)?;
            let changes = changes(key, &segments, new)?;
            let store = Store::open(paths)?;
            let mut text = readable_config(&store, paths)?;
            for (segments, new) in &changes {
                text = document::set(&text, segments, new)?;
            }
            require_host(&text, &segments)?;
            alias::refuse_loop(&text, &segments, paths)?;
            let config = Config::parse(&text, paths.config_file(), paths);
            store.write(&Change { config: Some(text), credentials: None })?;
            warning::warn(&segments, &config?);
            Ok(())
        }
        Place::Table(segments) => Err(is_table(&segments)),
        Place::Secret(name) => set_secret(name, new, paths),
    }
}

/// Returns the keys and values that change when `typed` is set at `segments`: an address with a user or port
/// sets these as well.
fn changes(key: &Key, segments: &[String], typed: &str) -> Result<Vec<(Vec<String>, Value)>> {
    let value = value::parse(key, segments, typed);
    let ([_, name, _], Kind::Host) = (segments, key.kind) else {
        return Ok(vec![(segments.to_vec(), value?)]);
    };
    let text = value.as_ref().ok().and_then(Value::as_str).unwrap_or(typed);
    let address = match Address::parse(text) {
        Ok(address) => address,
        // An invalid host is reported as in the file.
        Err(message) => return Err(value.err().unwrap_or_else(|| Error::usage(message))),
    };
    let mut changes = Vec::new();
    for (segments, text) in address.into_keys(name) {
        if let Place::Key(segments, key) = place::resolve(segments)? {
            let value = value::parse(key, &segments, &text)?;
            changes.push((segments, value));
        }
    }
    Ok(changes)
}

fn set_secret(name: SecretName, new: Option<&str>, paths: &Paths) -> Result<()> {
    let secret = match new {
        None => secret::from_prompt(name)?,
        Some("-") => secret::from_stdin(name)?,
        Some(_) => {
            return Err(Error::usage(format!(
                "{} is a secret; other users can see command lines, and the shell's history keeps them",
                name.name()
            ))
            .with_hint(format!("enter it at a prompt: soong configure set {}", name.name()))
            .with_hint(format!("or pass it on standard input: soong configure set {} -", name.name()))
            .with_hint("replace the secret that you typed"));
        }
    };
    let store = Store::open(paths)?;
    let text = document::set(&store.credentials()?, &name.segments(), &secret.expose().into())?;
    store.write(&Change { config: None, credentials: Some(text) })?;
    let provider = match name {
        SecretName::ApiKey => "lambda",
        SecretName::RunpodApiKey => "runpod",
        SecretName::DaemonToken => return Ok(()),
    };
    if !Config::load(paths)?.providers.iter().any(|name| name == provider) {
        print_error(&format!("To list its instances: soong configure set providers.{provider} true\n"));
    }
    Ok(())
}

/// Removes a key, or all keys of a name that the user chose.
pub fn unset(typed: &str, paths: &Paths) -> Result<()> {
    let place = place::parse(typed)?;
    let store = Store::open(paths)?;
    let change = match &place {
        // Removing a table with a fixed name would be more than a user expects.
        Place::Table(segments) if segments.len() == 1 => return Err(is_table(segments)),
        Place::Key(segments, _) | Place::Table(segments) => take_from_config(&store, segments, paths)?,
        Place::Secret(name) => {
            let text = document::remove(&store.credentials()?, &name.segments())?;
            text.map(|text| Change { config: None, credentials: Some(text) })
        }
    };
    let Some(change) = change else {
        let shown = match &place {
            Place::Key(segments, _) | Place::Table(segments) => place::shown(segments),
            Place::Secret(name) => name.name().to_owned(),
        };
        print_error(&format!("{shown} was not set\n"));
        return Ok(());
    };
    store.write(&change).map(drop)
}

fn take_from_config(store: &Store<'_>, segments: &[String], paths: &Paths) -> Result<Option<Change>> {
    let Some(text) = document::remove(&readable_config(store, paths)?, segments)? else { return Ok(None) };
    require_host(&text, segments)?;
    Ok(Some(Change { config: Some(text), credentials: None }))
}

/// Refuses to remove the host of an instance, with a hint in terms of these commands.
fn require_host(text: &str, segments: &[String]) -> Result<()> {
    let [table, name, key] = segments else { return Ok(()) };
    let host = vec![table.clone(), name.clone(), "host".to_owned()];
    if table != "instances" || document::get(text, &host)?.is_some() {
        return Ok(());
    }
    let instance = place::shown(&host[..2]);
    Err(if key == "host" {
        Error::failed(format!("{instance} needs its host")).with_hint(format!(
            "remove the instance with all its keys: soong configure unset {}",
            typed_key(&[table, name])
        ))
    } else {
        Error::failed(format!("{instance} has no host yet")).with_hint(format!(
            "set it first: soong configure set {} ADDRESS",
            typed_key(&[table, name, "host"])
        ))
    })
}

/// Returns the text of the config. Reports invalid TOML as the config's readers do.
fn readable_config(store: &Store<'_>, paths: &Paths) -> Result<String> {
    let text = store.config()?;
    if text.parse::<toml_edit::DocumentMut>().is_err() {
        Config::parse(&text, paths.config_file(), paths)?;
    }
    Ok(text)
}

fn is_table(segments: &[String]) -> Error {
    Error::usage(format!("{} is a table", place::shown(segments)))
        .with_hint(format!("name one of its keys: {}", place::keys_of(segments)))
}
