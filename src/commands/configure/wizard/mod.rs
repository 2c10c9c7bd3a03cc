//! The wizard: asks one question at a time, checks each answer, and saves after the last.

use super::arguments::NamedHost;
use super::place::{self, Place};
use super::setup::{self, Setup};
use super::{api_key, dialog, document, secret, value};
use crate::config::address::Address;
use crate::config::credentials::{Credentials, Secret};
use crate::config::{self, Config, check};
use crate::error::{Error, Result};
use crate::openssh::key_file::{self, Lock};
use crate::system::paths::Paths;
use crate::terminal::{print_error, printable};

/// State before the first question.
struct Present {
    text: String,
    config: Config,
    credentials: Credentials,
}

/// Asks all questions and saves the answers.
pub fn run(paths: &Paths) -> Result<()> {
    let text = config::read(paths.config_file())?;
    let config = Config::parse(&text, paths.config_file(), paths)
        .map_err(|error| error.with_hint("fix it first: soong configure edit"))?;
    let present = Present { text, config, credentials: Credentials::load(paths)? };
    print_error("Nothing is saved before the last answer; Ctrl-C quits without changes.\n\n");
    let mut setup = Setup { key: ask_key(&present, paths)?, ..Setup::default() };
    setup.user = Some(ask_user(&present)?);
    setup.api_key = ask_api_key(&present, paths)?;
    let has_provider = setup.api_key.is_some() || !present.config.providers.is_empty();
    setup.instances = ask_instance(&present, has_provider)?.into_iter().collect();
    setup.daemon_token = ask_daemon_token(&present)?;
    setup::apply(setup, paths)
}

impl Present {
    /// Returns the value of a key as text.
    fn written(&self, key: &str) -> Option<String> {
        let Ok(Place::Key(segments, _)) = place::parse(key) else { return None };
        document::get(&self.text, &segments).ok()?.map(|item| value::plain(&item))
    }
}

/// Asks for the private key until it is usable. `None` leaves the choice to ssh.
fn ask_key(present: &Present, paths: &Paths) -> Result<Option<String>> {
    const OTHER: &str = "another file";
    const NONE: &str = "none: use ssh's own choice and the agent";
    let written = present.written("ssh.key");
    let mut keys: Vec<String> = written.clone().into_iter().collect();
    let found = key_file::find(paths);
    keys.extend(found.iter().map(|file| paths.abbreviate(file)).filter(|key| Some(key) != written.as_ref()));
    loop {
        let mut options: Vec<String> = keys.iter().map(|key| printable(key).into_owned()).collect();
        options.push(OTHER.to_owned());
        if written.is_none() {
            options.push(NONE.to_owned());
        }
        let chosen = dialog::choice("Private key", &options)?;
        let key = match chosen.checked_sub(keys.len()) {
            None => keys[chosen].clone(),
            Some(0) => ask_key_file(paths)?,
            Some(_) => return Ok(None),
        };
        let file = setup::absolute(&key, paths)?;
        match key_file::check(&file) {
            Ok(Lock::Open) => return Ok(Some(paths.abbreviate(&file))),
            Ok(Lock::Passphrase) => {
                print_error(&setup::agent_note(&file));
                return Ok(Some(paths.abbreviate(&file)));
            }
            Err(error) => print_error(&told(&error)),
        }
    }
}

fn ask_key_file(paths: &Paths) -> Result<String> {
    dialog::text("Private key file ('ssh-keygen -t ed25519' creates one)", None, |typed| {
        let checked = setup::absolute(typed, paths).and_then(|file| key_file::check(&file));
        checked.map(drop).map_err(|error| told(&error).trim_end().to_owned())
    })
}

fn ask_user(present: &Present) -> Result<String> {
    let default = present.written("ssh.user").unwrap_or_else(|| present.config.ssh.user.clone());
    dialog::text("User name on the instances", Some(&default), |typed| check("ssh.user", typed))
}

/// Asks for the API key until the provider accepts it or the user stops.
fn ask_api_key(present: &Present, paths: &Paths) -> Result<Option<Secret>> {
    if !present.config.lambda.api_key_command.is_empty() {
        print_error("The Lambda API key comes from lambda.api-key-command.\n");
        return Ok(None);
    }
    let question = if present.credentials.api_key.is_some() {
        "Lambda API key (not shown; Enter keeps the current one)"
    } else {
        "Lambda API key (not shown; Enter for none)"
    };
    loop {
        let typed = dialog::secret(question, optional_secret)?;
        let Some(key) = Secret::new(&typed) else { return Ok(None) };
        if !api_key::can_check() {
            return Ok(Some(key));
        }
        print_error("Asking Lambda Cloud…\n");
        match api_key::check(&key, paths) {
            Ok(count) => {
                print_error(&format!("Key accepted; instances: {count}\n"));
                return Ok(Some(key));
            }
            Err(error) => print_error(&told(&error)),
        }
        let ways = ["enter it again", "keep it anyway", "continue without it"].map(str::to_owned);
        match dialog::choice("What now?", &ways)? {
            0 => {}
            1 => return Ok(Some(key)),
            _ => return Ok(None),
        }
    }
}

/// Asks for an instance's address, if the user wants to add one.
fn ask_instance(present: &Present, has_provider: bool) -> Result<Option<NamedHost>> {
    let known = &present.config.instances;
    let question = match known.as_slice() {
        [] => "Add an instance by address?".to_owned(),
        known => {
            let names: Vec<&str> = known.iter().map(|instance| instance.name.as_str()).collect();
            format!("Configured: {}. Change one or add another?", printable(&names.join(", ")))
        }
    };
    if !dialog::confirm(&question, known.is_empty() && !has_provider)? {
        return Ok(None);
    }
    let first = known.first().map_or("dev", |instance| instance.name.as_str());
    let name = dialog::text("Name of the instance", Some(first), |typed| {
        match check::name_fault(&["instances", typed]) {
            Some((message, hint)) => Err(hint.unwrap_or(message)),
            None => Ok(()),
        }
    })?;
    let host = known.iter().find(|instance| instance.name == name).map(|instance| instance.host.as_str());
    let question = "Address ([USER@]HOST[:PORT]) or alias of ~/.ssh/config";
    let typed = dialog::text(question, host, |typed| Address::parse(typed).map(drop))?;
    let address = Address::parse(&typed).map_err(Error::usage)?;
    Ok(Some(NamedHost { name, address }))
}

fn ask_daemon_token(present: &Present) -> Result<Option<Secret>> {
    let question = if present.credentials.daemon_token.is_some() {
        "Status daemon's token (not shown; Enter keeps the current one)"
    } else {
        "Status daemon's token (not shown; Enter creates one)"
    };
    let typed = dialog::secret(question, optional_secret)?;
    Ok(Secret::new(&typed))
}

fn optional_secret(typed: &str) -> std::result::Result<(), String> {
    if typed.is_empty() || Secret::new(typed).is_some() { Ok(()) } else { Err(secret::SHAPE.to_owned()) }
}

/// Checks that `typed` fits the key.
fn check(key: &str, typed: &str) -> std::result::Result<(), String> {
    match place::parse(key) {
        Ok(Place::Key(segments, key)) => {
            let expected = || format!("expected {}", key.kind.expectation().replace(" in quotes", ""));
            value::parse(key, &segments, typed).map(drop).map_err(|_| expected())
        }
        Ok(_) => Ok(()),
        Err(error) => Err(error.to_string()),
    }
}

/// Prints an error between questions.
fn told(error: &Error) -> String {
    let mut text = format!("{error}\n");
    for hint in error.hints() {
        text.push_str(&format!("hint: {hint}\n"));
    }
    text
}
