//! Warnings about a value that is valid and has no effect yet: a missing file, a provider that is not installed, an
//! alias of an unknown command.

use crate::built_in::BUILT_IN;
use crate::config::Config;
use crate::error::Error;
use crate::extension::{alias, discovery};
use crate::instances::provider;
use crate::openssh::key_file;
use crate::suggest;
use crate::system::paths;
use crate::terminal::{hint_label, print_error, printable};
use crate::toml_text::typed_key;

use super::cloud::Cloud;
use super::place;

/// Warns about the value that was set at `segments` of `config`.
pub fn warn(segments: &[String], config: &Config) {
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    let fault = match segments.as_slice() {
        ["ssh", "key"] | ["instances", _, "key"] => key(&segments, config),
        ["providers", name] => absent(name, config),
        ["launch", "provider"] => disabled(config),
        ["launch", "recipe"] => recipe(config),
        ["alias", name] => alias_of_nothing(name, config),
        _ => None,
    };
    if let Some(fault) = fault {
        let owned: Vec<String> = segments.iter().map(|segment| (*segment).to_owned()).collect();
        let hints: String = fault.hints().iter().map(|hint| format!("{} {hint}\n", hint_label())).collect();
        print_error(&format!("soong-configure: warning: {}: {fault}\n{hints}", place::shown(&owned)));
    }
}

fn key(segments: &[&str], config: &Config) -> Option<Error> {
    let file = match segments {
        ["instances", name, _] => config.instances.iter().find(|it| it.name == *name)?.key.clone(),
        _ => config.ssh.key.clone(),
    };
    let file = std::path::absolute(file?).ok()?;
    let fault = key_file::check(&file).err()?;
    // ssh takes a public key if the agent has the private one.
    let is_public = file.extension().is_some_and(|extension| extension == "pub");
    (!is_public || !paths::has_ssh_agent()).then_some(fault)
}

fn absent(name: &str, config: &Config) -> Option<Error> {
    if !config.providers.iter().any(|enabled| enabled == name) || provider::find(name).is_some() {
        return None;
    }
    let error = Error::failed(format!("soong-provider-{name} is not installed"));
    let known = Cloud::ALL.map(Cloud::name);
    Some(match suggest::did_you_mean(name, known) {
        Some(question) => error.with_hint(printable(&question)),
        None => error.with_hint(format!("put soong-provider-{name} on PATH")),
    })
}

fn disabled(config: &Config) -> Option<Error> {
    let name = config.launch.provider.as_ref()?;
    if config.providers.contains(name) {
        return None;
    }
    let shown = printable(name);
    Some(
        Error::failed(format!("the provider {shown} is not enabled"))
            .with_hint(format!("enable it: soong configure set {} true", typed_key(&["providers", name]))),
    )
}

fn recipe(config: &Config) -> Option<Error> {
    let file = config.launch.recipe.as_ref()?;
    std::fs::metadata(file).err().map(|error| Error::io("read", file, error))
}

fn alias_of_nothing(name: &str, config: &Config) -> Option<Error> {
    let expansion = alias::expand(&config.aliases, name, discovery::is_command).ok()??;
    let word = expansion.words.first().filter(|_| expansion.shell.is_none())?;
    if word == "help" || discovery::is_command(word) {
        return None;
    }
    let names = BUILT_IN.iter().map(|(name, _)| *name).chain(config.aliases.keys().map(String::as_str));
    let error = Error::failed(format!("no command '{}'", printable(word)));
    Some(match suggest::did_you_mean(word, names.filter(|known| *known != name)) {
        Some(question) => error.with_hint(printable(&question)),
        None => error.with_hint("list commands: soong help"),
    })
}
