//! What each provider last answered, for when it cannot be asked or need not be.
//!
//! The file holds no secrets, only what providers list. It is private all the same, and a file
//! that cannot be understood counts as none: the next answer replaces it.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::answer::{Answer, Listed};
use super::executable::LIMITS;
use crate::error::{Error, Result};
use crate::system::paths::{self, Paths};

/// The version of the file.
const VERSION: u32 = 1;
/// The largest file that is read, in bytes: a few of the largest answers.
const SIZE_MAX: u64 = 4 * LIMITS.output as u64;

/// An answer and its age.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remembered {
    /// When the provider gave it, in seconds since the epoch.
    pub taken: u64,
    /// What it listed.
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

/// What the provider `name` last answered, if that is known.
pub fn recall(paths: &Paths, name: &str) -> Option<Remembered> {
    let entry = read(paths)?.providers.remove(name)?;
    let answer = Answer::parse(entry.answer.get().as_bytes()).ok()?;
    Some(Remembered { taken: entry.taken, instances: answer.instances })
}

/// Remembers what the provider `name` has answered at the time `taken`. Providers that are not
/// among `enabled` are forgotten.
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
