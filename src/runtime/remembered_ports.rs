//! Local ports that instances had last time, to use them again: a file in the state directory, most recent
//! instance first.
//!
//! The file is a convenience. Unreadable or invalid content counts as missing and is replaced when the next
//! tunnel comes up.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::config::{self, instance};
use crate::error::{Error, Result};
use crate::runtime::forward::Forward;
use crate::system::lock::lock;
use crate::system::paths::{self, Paths};
use crate::toml_text;

/// Number of instances to remember.
const INSTANCES_MAX: usize = 100;
/// Number of services of each.
const SERVICES_MAX: usize = 64;

/// Time limit for other writers: no tunnel waits for this file.
const PATIENCE: Duration = Duration::from_millis(100);

#[derive(Debug, Default, Serialize, Deserialize)]
struct Memory {
    #[serde(default)]
    instances: Vec<Remembered>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Remembered {
    /// Digest of the id, which can be any text.
    instance: String,
    /// Local ports by service.
    ports: BTreeMap<String, u16>,
}

/// Returns the local ports that the services of the instance `id` had last time.
pub fn recall(paths: &Paths, id: &str) -> BTreeMap<String, u16> {
    let key = instance::digest(id);
    let memory = read(&paths.remembered_ports());
    let found = memory.instances.into_iter().find(|remembered| remembered.instance == key);
    let mut ports = found.map(|remembered| remembered.ports).unwrap_or_default();
    ports.retain(|_, port| *port != 0);
    ports
}

/// Stores the local ports of the services of the instance `id`. Keeps those of services that this tunnel lacks.
pub fn remember(paths: &Paths, id: &str, forwards: &[Forward]) -> Result<()> {
    let mut ports = recall(paths, id);
    let services = forwards.iter().filter_map(Forward::service);
    let had: BTreeMap<String, u16> =
        services.map(|service| (service.name.to_owned(), service.local)).collect();
    if had.iter().all(|(service, port)| ports.get(service) == Some(port)) {
        return Ok(());
    }
    if ports.len() + had.len() > SERVICES_MAX {
        ports.clear();
    }
    ports.extend(had.into_iter().take(SERVICES_MAX));
    let _lock = lock(&paths.remembered_ports_lock(), PATIENCE)?;
    let file = paths.remembered_ports();
    let mut memory = read(&file);
    let key = instance::digest(id);
    memory.instances.retain(|remembered| remembered.instance != key);
    memory.instances.insert(0, Remembered { instance: key, ports });
    memory.instances.truncate(INSTANCES_MAX);
    let text = toml::to_string(&memory)
        .map_err(|error| Error::failed(format!("cannot write the remembered ports: {error}")))?;
    paths::write_atomically(&file, &text)
}

fn read(file: &Path) -> Memory {
    config::read(file).ok().and_then(|text| toml_text::parse(&text).ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_makes_no_sense_counts_as_not_there() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("ports.toml");
        for text in [
            "",
            "\0\u{ff}",
            "instances = 3",
            "[[instances]]\ninstance = 4",
            "[[instances]]\ninstance = \"a\"\nports = { x = 70000 }",
        ] {
            std::fs::write(&file, text).unwrap();
            assert!(read(&file).instances.is_empty(), "{text}");
        }
        assert!(read(directory.path()).instances.is_empty());
    }
}
