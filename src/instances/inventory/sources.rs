//! The inventory and its sources: config and providers.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use super::machine::{Machine, mark_namesakes};
use super::record::{Recorded, record_all};
use crate::config::Config;
use crate::error::{Error, Result};
use crate::instances::provider;
use crate::instances::provider::answer::Listed;
use crate::instances::provider::cache::Cache;
use crate::ledger::{History, Snapshot};
use crate::system::paths::Paths;
use crate::system::signals::Watch;
use crate::system::spinner::Spinner;
use crate::terminal::printable;

/// Age until which the last answer of a provider that fails is used. An address can be another machine's later; the
/// pinned host key tells.
const RECENT: Duration = Duration::from_secs(3600);

/// All instances, with the age and faults of each source.
#[derive(Debug, Default)]
pub struct Inventory {
    /// Instances: those of the config, then those of each provider in its order.
    pub machines: Vec<Machine>,
    /// Enabled providers.
    pub sources: Vec<Source>,
    /// The ledger with what the providers' answers added; `None` if there were none, or it could not be updated.
    pub ledger: Option<History>,
}

/// A provider with the result of its query.
#[derive(Debug)]
pub struct Source {
    /// Name of the provider.
    pub provider: String,
    /// Time of the answer shown, in seconds since the epoch; `None` without one.
    pub taken: Option<u64>,
    /// Reason why the answer is not current.
    pub error: Option<Arc<Error>>,
}

/// Last failures by provider name.
pub type Failures = BTreeMap<String, Arc<Error>>;

/// A provider's list with its time.
type Listing = (Source, Vec<Listed>);

impl Inventory {
    /// Queries all enabled providers at once. A provider that fails is represented by its last answer, and
    /// its source says so. A signal caught by `watch` ends the query; `quiet` hides the spinner.
    pub fn fresh(config: &Config, paths: &Paths, watch: &Watch, quiet: bool) -> Self {
        let spinner = match config.providers.join(", ") {
            names if quiet || names.is_empty() => Spinner::hidden(),
            names => Spinner::new(&format!("Asking {}", printable(&names))),
        };
        let (answers, before): (Vec<Result<Vec<Listed>>>, Snapshot) = thread::scope(|scope| {
            let asked: Vec<_> = config
                .providers
                .iter()
                .map(|name| scope.spawn(move || provider::list(name, watch)))
                .collect();
            let ended = || Err(Error::failed("a thread that queried a provider ended early"));
            let before = Snapshot::read(paths);
            let answers = asked.into_iter().map(|thread| thread.join().unwrap_or_else(|_| ended()));
            (answers.collect(), before)
        });
        drop(spinner);
        let given = config.providers.iter().zip(&answers);
        let given = given.filter_map(|(name, answer)| Some((name.as_str(), answer.as_deref().ok()?)));
        let cache = Cache::new(paths);
        let Recorded { taken, ledger } =
            record_all(&given.collect::<Vec<_>>(), &cache, before, config, paths);
        let answers = config.providers.iter().zip(answers).map(|(name, answer)| match answer {
            Ok(listed) => (Source { provider: name.clone(), taken: Some(taken), error: None }, listed),
            Err(error) => last_known(&cache, name, Some(Arc::new(error))),
        });
        Self { ledger, ..Self::new(config, answers.collect()) }
    }

    /// Returns cached data without executing anything.
    pub fn cached(config: &Config, paths: &Paths) -> Self {
        Self::with_failures(&Failures::new(), config, paths)
    }

    /// Returns cached data after a query: keeps the failures of that query.
    pub fn with_failures(failures: &Failures, config: &Config, paths: &Paths) -> Self {
        let cache = Cache::new(paths);
        let last_known = |name: &String| last_known(&cache, name, failures.get(name).cloned());
        Self::new(config, config.providers.iter().map(last_known).collect())
    }

    /// Returns the providers that failed.
    pub fn failures(&self) -> Failures {
        let failed = |source: &Source| Some((source.provider.clone(), source.error.clone()?));
        self.sources.iter().filter_map(failed).collect()
    }

    fn new(config: &Config, answers: Vec<Listing>) -> Self {
        let written = config.instances.iter().map(Machine::configured).collect();
        let mut inventory = Self { machines: written, ..Self::default() };
        for (source, listed) in answers {
            let failed = source.error.is_some();
            inventory.machines.reserve(listed.len());
            for listed in listed {
                inventory.add(
                    Machine::listed(listed, &source.provider, failed, &config.ssh),
                    config.instances.len(),
                );
            }
            inventory.sources.push(source);
        }
        mark_namesakes(&mut inventory.machines);
        inventory
    }

    /// Adds a provider's machine. If it is among the first `written`, which the config describes, the config says how
    /// to reach it.
    fn add(&mut self, machine: Machine, written: usize) {
        match self.machines[..written].iter_mut().find(|known| known.id == machine.id) {
            Some(written) => written.merge(machine),
            None => self.machines.push(machine),
        }
    }

    /// Takes the last answers of providers that failed for current ones if they are recent. Returns true if all are.
    pub(super) fn use_last_answers(&mut self, now: u64) -> bool {
        let is_recent = |taken: u64| now.saturating_sub(taken) <= RECENT.as_secs();
        let failed = self.sources.iter().filter(|source| source.error.is_some());
        let (recent, old): (Vec<&Source>, Vec<&Source>) =
            failed.partition(|source| source.taken.is_some_and(is_recent));
        for machine in &mut self.machines {
            if recent.iter().any(|source| machine.provider.as_ref() == Some(&source.provider)) {
                machine.stale = false;
            }
        }
        old.is_empty()
    }

    /// Returns the first provider's failure.
    pub(super) fn into_failure(self) -> Option<Error> {
        self.sources.into_iter().find_map(|source| source.error).and_then(Arc::into_inner)
    }
}

fn last_known(cache: &Cache<'_>, name: &str, error: Option<Arc<Error>>) -> Listing {
    let remembered = cache.recall(name);
    let taken = remembered.as_ref().map(|remembered| remembered.taken);
    let listed = remembered.map(|remembered| remembered.instances).unwrap_or_default();
    (Source { provider: name.to_owned(), taken, error }, listed)
}
