//! The questions about source, address, key, user and daemon.

use super::answers::{Answers, Present};
use super::source::Source;
use super::turn::{Turn, told};
use crate::commands::configure::arguments::NamedHost;
use crate::commands::configure::cloud::Cloud;
use crate::commands::configure::dialog::BACK;
use crate::commands::configure::place::{self, Place};
use crate::commands::configure::setup::{self, KeyChoice};
use crate::commands::configure::{dialog, secret, value};
use crate::config::address::Address;
use crate::config::check;
use crate::config::credentials::Secret;
use crate::error::{Error, Result};
use crate::openssh::key_file::{self, Lock};
use crate::system::paths::Paths;
use crate::terminal::{print_error, printable};

/// Asks where the instances come from.
pub(super) fn ask_source(answers: &mut Answers, present: &Present) -> Result<Turn> {
    let enabled = &present.config.providers;
    let mut sources: Vec<(Source, String)> = Vec::new();
    let mark = |name: &str| if enabled.iter().any(|known| known == name) { " (enabled)" } else { "" };
    for cloud in Cloud::ALL {
        sources.push((Source::Cloud(cloud), format!("{}{}", cloud.title(), mark(cloud.name()))));
    }
    let others = enabled.iter().filter(|name| Cloud::ALL.iter().all(|cloud| cloud.name() != *name));
    sources
        .extend(others.map(|name| (Source::Other(name.clone()), format!("{} (enabled)", printable(name)))));
    let names: Vec<&str> = present.config.instances.iter().map(|it| it.name.as_str()).collect();
    let known = if names.is_empty() {
        String::new()
    } else {
        format!(" (configured: {})", printable(&names.join(", ")))
    };
    sources.push((Source::Address, format!("a machine with an address of its own{known}")));
    sources.push((Source::Nothing, "none for now".to_owned()));
    let is_default = |source: &Source| match (&answers.source, source) {
        (Some(before), source) => before == source,
        (None, Source::Cloud(cloud)) => !mark(cloud.name()).is_empty(),
        (None, Source::Other(_)) => true,
        (None, Source::Address) => !names.is_empty(),
        (None, Source::Nothing) => false,
    };
    let default = sources.iter().position(|(source, _)| is_default(source)).unwrap_or_default();
    let options: Vec<String> = sources.iter().map(|(_, shown)| shown.clone()).collect();
    let Some(chosen) = dialog::choice("Where do your instances come from?", &options, default)? else {
        return Ok(Turn::Back);
    };
    answers.source = Some(sources.swap_remove(chosen).0);
    Ok(Turn::Asked)
}

/// Asks for name and address of an instance.
pub(super) fn ask_address(answers: &mut Answers, present: &Present) -> Result<Turn> {
    let known = &present.config.instances;
    let first = known.first().map_or("dev", |instance| instance.name.as_str());
    let before = answers.instance.as_ref().map(|instance| instance.name.clone());
    let name = dialog::text("Name of the instance", Some(before.as_deref().unwrap_or(first)), |typed| {
        match check::name_fault(&["instances", typed]) {
            Some((message, hint)) => Err(hint.unwrap_or(message)),
            None => Ok(()),
        }
    })?;
    let Some(name) = name else { return Ok(Turn::Back) };
    let before = answers.instance.as_ref().filter(|before| before.name == name);
    let written = known.iter().find(|instance| instance.name == name).map(|instance| instance.host.clone());
    let host = before.map(|before| before.address.to_string()).or(written);
    let question = "Address ([USER@]HOST[:PORT]) or alias of ~/.ssh/config";
    let Some(typed) = dialog::text(question, host.as_deref(), |typed| Address::parse(typed).map(drop))?
    else {
        return ask_address(answers, present);
    };
    let address = Address::parse(&typed).map_err(Error::usage)?;
    answers.instance = Some(NamedHost { name, address });
    Ok(Turn::Asked)
}

/// Asks for the private key until it is usable.
pub(super) fn ask_key(answers: &mut Answers, present: &Present, paths: &Paths) -> Result<Turn> {
    const OTHER: &str = "another file";
    const NONE: &str = "none: leave it to ssh and the agent";
    let written = present.written("ssh.key");
    let keys = known_keys(written.as_deref(), paths);
    let mut options: Vec<String> = keys.iter().map(|key| printable(key).into_owned()).collect();
    options.extend([OTHER, NONE].map(str::to_owned));
    let default = match &answers.key {
        KeyChoice::File(file) => keys.iter().position(|key| key == file).unwrap_or(keys.len()),
        KeyChoice::Unset => keys.len() + 1,
        KeyChoice::Keep if keys.is_empty() => 1,
        KeyChoice::Keep => 0,
    };
    loop {
        let Some(chosen) = dialog::choice("Private key", &options, default)? else { return Ok(Turn::Back) };
        let key = match chosen.checked_sub(keys.len()) {
            None => keys[chosen].clone(),
            Some(0) => match ask_key_file(paths)? {
                Some(key) => key,
                None => continue,
            },
            Some(_) => {
                answers.key = KeyChoice::Unset;
                return Ok(Turn::Asked);
            }
        };
        let file = setup::absolute(&key, paths)?;
        match key_file::check(&file) {
            Ok(lock) => {
                if lock == Lock::Passphrase {
                    print_error(&setup::agent_note(&file));
                }
                answers.key = KeyChoice::File(paths.abbreviate(&file));
                return Ok(Turn::Asked);
            }
            Err(error) => print_error(&told(&error)),
        }
    }
}

/// Returns the configured key and those of `~/.ssh`, each once.
fn known_keys(written: Option<&str>, paths: &Paths) -> Vec<String> {
    let written = written.and_then(|key| setup::absolute(key, paths).ok());
    let mut keys: Vec<String> = Vec::new();
    for file in written.into_iter().chain(key_file::find(paths)) {
        let shown = paths.abbreviate(&file);
        if !keys.contains(&shown) {
            keys.push(shown);
        }
    }
    keys
}

/// Asks for a file; `None` goes back to the list.
fn ask_key_file(paths: &Paths) -> Result<Option<String>> {
    dialog::text("Private key file ('ssh-keygen -t ed25519' creates one)", None, |typed| {
        let checked = setup::absolute(typed, paths).and_then(|file| key_file::check(&file));
        checked.map(drop).map_err(|error| told(&error).trim_end().to_owned())
    })
}

/// Asks for the user name.
pub(super) fn ask_user(answers: &mut Answers, present: &Present) -> Result<Turn> {
    let written = || present.written("ssh.user").unwrap_or_else(|| present.config.ssh.user.clone());
    let default = answers.user.clone().unwrap_or_else(written);
    let typed = dialog::text("User name on the instances", Some(&default), |typed| check("ssh.user", typed))?;
    let Some(typed) = typed else { return Ok(Turn::Back) };
    answers.user = Some(typed);
    Ok(Turn::Asked)
}

/// Asks for the token of a status daemon, if there is one that needs it.
pub(super) fn ask_daemon_token(answers: &mut Answers, present: &Present) -> Result<Turn> {
    let is_stored = present.credentials.daemon_token.is_some();
    let question = if is_stored {
        "Change the token of your status daemon?"
    } else {
        "Does a status daemon that you installed yourself run there?"
    };
    let Some(wanted) = dialog::confirm(question, false)? else { return Ok(Turn::Back) };
    answers.has_daemon = wanted;
    answers.daemon_token = None;
    if !wanted {
        return Ok(Turn::Asked);
    }
    let otherwise = if is_stored { "Enter keeps the current one" } else { "Enter creates one" };
    let typed = dialog::secret(&format!("Its token (not shown; {otherwise})"), secret::optional)?;
    if typed == BACK {
        return ask_daemon_token(answers, present);
    }
    answers.daemon_token = Secret::new(&typed);
    Ok(Turn::Asked)
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
