//! Candidates for config keys and their values.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::commands::configure::place::{self, Place, SecretName};
use crate::completion::{Answer, Candidate};
use crate::config::check::{Depth, covers};
use crate::config::schema::{KEYS, Key, Kind};
use crate::config::{self, DEFAULT_SERVICES};
use crate::system::paths::{self, Paths};
use crate::toml_text;

/// Purpose of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Use {
    /// Reading: all keys.
    Get,
    /// Setting: all keys.
    Set,
    /// Removal: the keys in the file.
    Unset,
}

/// Returns the keys, in the order of the schema. `typed` is the beginning of the key at the cursor.
pub(super) fn keys(usage: Use, typed: &str, paths: &Paths) -> Vec<Candidate> {
    // Finding providers means reading the directories of PATH, which takes longer than all the rest.
    let is_elsewhere =
        typed.split_once('.').is_some_and(|(table, _)| !table.eq_ignore_ascii_case("providers"));
    let providers = if is_elsewhere || usage == Use::Unset { Vec::new() } else { providers() };
    let text = config::read(paths.config_file()).ok();
    let document: Map<String, Value> = text.and_then(|text| toml_text::parse(&text).ok()).unwrap_or_default();
    let mut written = Vec::new();
    collect(&document, &mut Vec::new(), &mut written);
    let mut candidates: Vec<Candidate> = Vec::new();
    for key in KEYS {
        let names = if usage == Use::Unset { Vec::new() } else { places(key, &document, &providers) };
        let written = written.iter().filter(|place| is_of(key, place)).cloned();
        let all: BTreeSet<Vec<String>> = written.chain(names).collect();
        candidates.extend(all.iter().map(|place| Candidate::new(place::shown(place), key.summary)));
    }
    if usage == Use::Unset {
        let names = names_in(&document, "instances").into_iter();
        candidates.extend(names.map(|name| {
            Candidate::new(place::shown(&["instances".to_owned(), name]), "the instance with all its keys")
        }));
    }
    candidates.extend(SecretName::ALL.map(|secret| Candidate::new(secret.name(), "a secret")));
    candidates
}

/// Returns the places of `key`, whether in the file or not.
fn places(key: &Key, document: &Map<String, Value>, providers: &[String]) -> Vec<Vec<String>> {
    let segments = || key.path.split('.').map(str::to_owned).collect::<Vec<String>>();
    let Some(star) = segments().iter().position(|segment| segment == "*") else { return vec![segments()] };
    let names = match key.path.split('.').next() {
        Some("services") => {
            let mut names: Vec<String> =
                DEFAULT_SERVICES.iter().map(|(name, _)| (*name).to_owned()).collect();
            names.extend(names_in(document, "services"));
            names
        }
        Some("providers") => providers.to_vec(),
        Some(table) => names_in(document, table),
        None => Vec::new(),
    };
    let filled = |name: String| {
        let mut place = segments();
        place[star] = name;
        place
    };
    names.into_iter().map(filled).collect()
}

fn names_in(document: &Map<String, Value>, table: &str) -> Vec<String> {
    let table = document.get(table).and_then(Value::as_object);
    table.map(|table| table.keys().cloned().collect()).unwrap_or_default()
}

/// Returns the installed providers.
fn providers() -> Vec<String> {
    let mut names = BTreeSet::new();
    for directory in paths::own_directory().into_iter().chain(paths::search_path()) {
        for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
            let file_name = entry.file_name();
            let name = file_name.to_str().and_then(|name| name.strip_prefix("soong-provider-"));
            names.extend(name.filter(|name| config::is_provider_name(name)).map(str::to_owned));
        }
    }
    names.into_iter().collect()
}

/// Returns all places in `table`, which is at `place`.
fn collect(table: &Map<String, Value>, place: &mut Vec<String>, found: &mut Vec<Vec<String>>) {
    for (name, value) in table {
        place.push(name.clone());
        if KEYS.iter().any(|key| is_of(key, place)) {
            found.push(place.clone());
        } else if let Some(inner) = value.as_object() {
            collect(inner, place, found);
        }
        place.pop();
    }
}

fn is_of(key: &Key, place: &[String]) -> bool {
    let segments: Vec<&str> = place.iter().map(String::as_str).collect();
    covers(key.path, &segments) == Some(Depth::Whole)
}

/// Returns values for the key `typed`.
pub(super) fn values(typed: &str) -> Answer {
    let Ok(Place::Key(_, key)) = place::parse(typed) else { return Answer::nothing() };
    let word = |word: &str| {
        Candidate::new(word, if word == key.default { "the default" } else { Default::default() })
    };
    match key.kind {
        Kind::Choice(words) => Answer::words(words.iter().copied().map(word).collect()),
        Kind::Switch => Answer::words(["true", "false"].map(word).into()),
        Kind::OnDemand => Answer::words(["true", "false", "10m", "1h"].map(word).into()),
        Kind::Path => Answer::files(),
        Kind::Provider => {
            let installed = |name: &String| Candidate::new(name.clone(), "installed");
            Answer::words(providers().iter().map(installed).collect())
        }
        _ if key.default.is_empty() => Answer::nothing(),
        _ => Answer::words(vec![word(key.default)]),
    }
}
