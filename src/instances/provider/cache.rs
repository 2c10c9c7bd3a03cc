//! Cache of each provider's last answer.
//!
//! The file holds no secrets, but is private all the same. An unreadable file counts as empty: the next
//! answer replaces it.

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

/// The cache. It changes in memory; [`Cache::write`] stores it.
#[derive(Debug, Serialize, Deserialize)]
pub struct Cache {
    version: u32,
    providers: BTreeMap<String, Entry>,
}

/// An answer, parsed when it is needed.
#[derive(Debug, Serialize, Deserialize)]
struct Entry {
    taken: u64,
    answer: Box<RawValue>,
}

impl Cache {
    /// Reads the cache.
    pub fn read(paths: &Paths) -> Self {
        read(paths).unwrap_or_else(|| Self { version: VERSION, providers: BTreeMap::new() })
    }

    /// Returns the last answer of the provider `name`.
    pub fn recall(&self, name: &str) -> Option<Remembered> {
        let entry = self.providers.get(name)?;
        let instances = answer::parse(entry.answer.get().as_bytes()).ok()?;
        Some(Remembered { taken: entry.taken, instances })
    }

    /// Returns the time of the last answer of the provider `name`. Does not look into the answer.
    pub fn time_of(&self, name: &str) -> Option<u64> {
        Some(self.providers.get(name)?.taken)
    }

    /// Replaces the answer of the provider `name` by that from the time `taken`.
    pub fn remember(&mut self, name: &str, taken: u64, instances: &[Listed]) -> Result<()> {
        let answer =
            serde_json::value::to_raw_value(&Answer::new(instances)).map_err(|error| unwritable(&error))?;
        self.providers.insert(name.to_owned(), Entry { taken, answer });
        Ok(())
    }

    /// Drops the answers of providers that are not `enabled`, and stores the others.
    pub fn write(&mut self, enabled: &[String], paths: &Paths) -> Result<()> {
        self.providers.retain(|name, _| enabled.contains(name));
        let text = serde_json::to_string(self).map_err(|error| unwritable(&error))?;
        paths.ensure_state()?;
        paths::write_atomically(&paths.instance_cache(), &text)
    }
}

fn unwritable(error: &serde_json::Error) -> Error {
    Error::failed(format!("cannot write JSON: {error}"))
}

fn read(paths: &Paths) -> Option<Cache> {
    let mut text = String::new();
    let file = fs::File::open(paths.instance_cache()).ok()?;
    file.take(SIZE_MAX).read_to_string(&mut text).ok()?;
    serde_json::from_str::<Cache>(&text).ok().filter(|cache| cache.version == VERSION)
}
