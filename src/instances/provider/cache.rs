//! Cache of each provider's last answer.
//!
//! The file holds no secrets, but is private all the same. An unreadable file counts as empty: the next
//! answer replaces it.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::fs;
use std::io::Read;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::answer::{self, Answer, Listed};
use super::program::LIMITS;
use crate::error::{Error, Result};
use crate::system::paths::{self, Paths};

/// Version of the file.
const VERSION: u32 = 1;
/// Largest file, in bytes: a few of the largest answers.
const SIZE_MAX: u64 = 4 * LIMITS.output as u64;

/// An answer with its time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remembered {
    /// Time of the answer, in seconds since the epoch.
    pub taken: u64,
    /// The listed instances.
    pub instances: Vec<Listed>,
}

/// The cache. The file is read when it is needed.
#[derive(Debug)]
pub struct Cache<'a> {
    paths: &'a Paths,
    file: OnceCell<File>,
}

/// The file.
#[derive(Debug, Serialize, Deserialize)]
struct File {
    version: u32,
    providers: BTreeMap<String, Entry>,
}

/// An answer, parsed when it is needed.
#[derive(Debug, Serialize, Deserialize)]
struct Entry {
    taken: u64,
    answer: Box<RawValue>,
}

/// The file, to be written.
#[derive(Serialize)]
struct NewFile<'a> {
    version: u32,
    providers: BTreeMap<&'a str, NewEntry<'a>>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum NewEntry<'a> {
    Kept(&'a Entry),
    Given { taken: u64, answer: Answer<'a> },
}

impl<'a> Cache<'a> {
    /// Returns the cache.
    pub fn new(paths: &'a Paths) -> Self {
        Self { paths, file: OnceCell::new() }
    }

    fn file(&self) -> &File {
        let empty = || File { version: VERSION, providers: BTreeMap::new() };
        self.file.get_or_init(|| read(self.paths).unwrap_or_else(empty))
    }

    /// Returns the last answer of the provider `name`.
    pub fn recall(&self, name: &str) -> Option<Remembered> {
        let entry = self.file().providers.get(name)?;
        let instances = answer::parse(entry.answer.get().as_bytes()).ok()?;
        Some(Remembered { taken: entry.taken, instances })
    }

    /// Returns the time of the last answer of the provider `name`. Does not look into the answer.
    pub fn time_of(&self, name: &str) -> Option<u64> {
        Some(self.file().providers.get(name)?.taken)
    }

    /// Stores `answers`, each with the name of its provider, from the time `taken`. Keeps the last answers of other
    /// providers that are `enabled`.
    pub fn write(&self, taken: u64, answers: &[(&str, &[Listed])], enabled: &[String]) -> Result<()> {
        let entry = |name: &'_ str| match answers.iter().find(|(provider, _)| *provider == name) {
            Some((_, listed)) => Some(NewEntry::Given { taken, answer: Answer::new(listed) }),
            None => self.file().providers.get(name).map(NewEntry::Kept),
        };
        let providers = enabled.iter().filter_map(|name| Some((name.as_str(), entry(name)?))).collect();
        let file = NewFile { version: VERSION, providers };
        let text = serde_json::to_string(&file).map_err(|error| unwritable(&error))?;
        self.paths.ensure_state()?;
        paths::write_atomically(&self.paths.instance_cache(), &text)
    }
}

fn unwritable(error: &serde_json::Error) -> Error {
    Error::failed(format!("cannot write JSON: {error}"))
}

fn read(paths: &Paths) -> Option<File> {
    let mut text = String::new();
    let file = fs::File::open(paths.instance_cache()).ok()?;
    file.take(SIZE_MAX).read_to_string(&mut text).ok()?;
    serde_json::from_str::<File>(&text).ok().filter(|file| file.version == VERSION)
}
