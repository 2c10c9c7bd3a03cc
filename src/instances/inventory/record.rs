//! Records answers of providers: the cache keeps them, and the ledger gets their news.

use crate::config::Config;
use crate::instances::provider::answer::{Listed, Status};
use crate::instances::provider::cache::Cache;
use crate::ledger::observe::{self, Answer, Sighting};
use crate::ledger::{History, Snapshot};
use crate::system::paths::Paths;
use crate::system::time::now;

/// Result of recording answers.
pub(super) struct Recorded {
    /// Time of the answers, in seconds since the epoch.
    pub taken: u64,
    /// The ledger with the news; `None` if there was no answer, or it could not be updated.
    pub ledger: Option<History>,
}

/// Stores the answer of the provider `name` in the cache and enters its news into the ledger; returns its time.
/// An unwritable state directory must not withhold the answer.
pub fn record(paths: &Paths, name: &str, listed: &[Listed], config: &Config) -> u64 {
    record_all(&[(name, listed)], &Cache::new(paths), Snapshot::read(paths), config, paths).taken
}

/// Does the same for the answers of several providers, each with its name. `cache` holds those before them; `ledger` was
/// read before.
pub(super) fn record_all(
    answers: &[(&str, &[Listed])],
    cache: &Cache<'_>,
    ledger: Snapshot,
    config: &Config,
    paths: &Paths,
) -> Recorded {
    let taken = now();
    if answers.is_empty() {
        return Recorded { taken, ledger: None };
    }
    let sightings: Vec<Vec<Sighting<'_>>> =
        answers.iter().map(|(_, listed)| listed.iter().map(sighting).collect()).collect();
    let observed: Vec<Answer<'_>> = answers
        .iter()
        .zip(&sightings)
        .map(|((provider, _), sightings)| Answer { provider, sightings, time: taken })
        .collect();
    let ledger = observe::observe(paths, ledger, &observed, &|provider| cache.time_of(provider)).ok();
    let _ = cache.write(taken, answers, &config.providers);
    Recorded { taken, ledger }
}

fn sighting(listed: &Listed) -> Sighting<'_> {
    let over = match listed.status {
        // It costs money until it is terminated.
        Status::Terminated | Status::Preempted => Some(listed.status.word()),
        _ => None,
    };
    Sighting {
        id: &listed.id,
        name: listed.name.as_deref(),
        kind: listed.kind.as_deref(),
        region: listed.region.as_deref(),
        price_cents_per_hour: listed.price_cents_per_hour,
        over,
    }
}
