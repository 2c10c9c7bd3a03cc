//! Cache of each provider's last answer.
//!
//! The file holds no secrets, but is private all the same. An unreadable file counts as empty: the next
//! answer replaces it.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::answer::{Answer, Listed};
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

#[derive(Serialize, Deserialize)]
struct Document {
    version: u32,
    providers: BTreeMap<String, Entry>,
}

#[derive(Serialize, Deserialize)]
struct Entry {
    taken: u64,
    answer: Box<RawValue>,
}

/// Returns the last answer of the provider `name`, if cached.
pub fn recall(paths: &Paths, name: &str) -> Option<Remembered> {
    let entry = read(paths)?.providers.remove(name)?;
    let answer = Answer::parse(entry.answer.get().as_bytes()).ok()?;
    Some(Remembered { taken: entry.taken, instances: answer.instances })
}

/// Returns the time of the last answer of the provider `name`, if cached. Does not look into the answer.
pub fn time_of(paths: &Paths, name: &str) -> Option<u64> {
    Some(read(paths)?.providers.get(name)?.taken)
}

/// Stores the answer of the provider `name` from the time `taken`. Drops providers that are not in `enabled`.
pub fn remember(
    paths: &Paths,
    name: &str,
    taken: u64,
    instances: &[Listed],
    enabled: &[String],
) -> Result<()> {
    paths.ensure_state()?;
    let mut document =
        read(paths).unwrap_or_else(|| Document { version: VERSION, providers: BTreeMap::new() });
    document.providers.retain(|known, _| enabled.contains(known));
    let broken = |error| Error::failed(format!("cannot write JSON: {error}"));
    let answer = serde_json::value::to_raw_value(&Answer::new(instances.to_vec())).map_err(broken)?;
    document.providers.insert(name.to_owned(), Entry { taken, answer });
    let text = serde_json::to_string(&document).map_err(broken)?;
    paths::write_atomically(&paths.instance_cache(), &text)
}

fn read(paths: &Paths) -> Option<Document> {
    let mut text = String::new();
    let file = fs::File::open(paths.instance_cache()).ok()?;
    file.take(SIZE_MAX).read_to_string(&mut text).ok()?;
    serde_json::from_str::<Document>(&text).ok().filter(|document| document.version == VERSION)
}
