//! The inventory and the sources that it is made of: the config and the providers.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::thread;

use super::machine::{Machine, tell_namesakes_apart};
use crate::config::Config;
use crate::error::{Error, Result};
use crate::instances::provider::answer::Listed;
use crate::instances::provider::{self, cache};
use crate::system::paths::Paths;
use crate::system::signals::Watch;
use crate::system::spinner::Spinner;
use crate::system::time::now;
use crate::terminal::printable;

/// The instances there are, and how well that is known.
#[derive(Debug, Default)]
pub struct Inventory {
    /// The instances: those of the config first, then those of each provider as it orders them.
    pub machines: Vec<Machine>,
    /// The providers that are switched on.
    pub sources: Vec<Source>,
}

/// A provider, and what came of asking it.
#[derive(Debug)]
pub struct Source {
    /// Its name.
    pub provider: String,
    /// When it gave the answer that is shown, in seconds since the epoch; `None` when it never
    /// gave one.
    pub taken: Option<u64>,
    /// Why the answer is not of now, where it should be.
    pub error: Option<Arc<Error>>,
}

/// Why providers could not be asked when they were asked last, by name.
pub type Failures = BTreeMap<String, Arc<Error>>;

/// What a provider listed, and when.
type Answer = (Source, Vec<Listed>);

impl Inventory {
    /// Asks every provider that is switched on, all at once. One that cannot answer is represented
    /// by its last answer, and its source says so. `watch` lets a signal end the asking; `quiet` hides the spinner.
    pub fn fresh(config: &Config, paths: &Paths, watch: &Watch, quiet: bool) -> Self {
        let spinner = match config.providers.join(", ") {
            names if quiet || names.is_empty() => Spinner::hidden(),
            names => Spinner::new(&format!("Asking {}", printable(&names))),
        };
        let answers: Vec<Result<Vec<Listed>>> = thread::scope(|scope| {
            let asked: Vec<_> =
                config.providers.iter().map(|name| scope.spawn(move || provider::ask(name, watch))).collect();
            let ended = || Err(Error::failed("a thread that queried a provider ended early"));
            asked.into_iter().map(|thread| thread.join().unwrap_or_else(|_| ended())).collect()
        });
        drop(spinner);
        let answers = config.providers.iter().zip(answers).map(|(name, answer)| match answer {
            Ok(listed) => {
                let taken = now();
                // A state directory that cannot be written is no reason to withhold the answer.
                let _ = cache::remember(paths, name, taken, &listed, &config.providers);
                (Source { provider: name.clone(), taken: Some(taken), error: None }, listed)
            }
            Err(error) => last_known(paths, name, Some(Arc::new(error))),
        });
        Self::new(config, answers.collect())
    }

    /// What is known without asking anybody: nothing is executed.
    pub fn cached(config: &Config, paths: &Paths) -> Self {
        Self::meanwhile(&Failures::new(), config, paths)
    }

    /// The same for whoever asked before: what a provider said before it failed goes on being old.
    pub fn meanwhile(failures: &Failures, config: &Config, paths: &Paths) -> Self {
        let last_known = |name: &String| last_known(paths, name, failures.get(name).cloned());
        Self::new(config, config.providers.iter().map(last_known).collect())
    }

    /// The providers that could not be asked.
    pub fn failures(&self) -> Failures {
        let failed = |source: &Source| Some((source.provider.clone(), source.error.clone()?));
        self.sources.iter().filter_map(failed).collect()
    }

    fn new(config: &Config, answers: Vec<Answer>) -> Self {
        let written = config.instances.iter().map(Machine::written).collect();
        let mut inventory = Self { machines: written, sources: Vec::new() };
        for (source, listed) in answers {
            let failed = source.error.is_some();
            for listed in listed {
                inventory.add(Machine::listed(listed, &source.provider, failed, &config.ssh));
            }
            inventory.sources.push(source);
        }
        tell_namesakes_apart(&mut inventory.machines);
        inventory
    }

    /// Adds a machine that a provider lists. One that the config describes too is reached as the
    /// config says.
    fn add(&mut self, machine: Machine) {
        let written = self.machines.iter_mut().find(|known| known.is_written() && known.id == machine.id);
        match written {
            Some(written) => written.learn(machine),
            None => self.machines.push(machine),
        }
    }

    /// Why a provider could not be asked: the first one's reason.
    pub(super) fn into_failure(self) -> Option<Error> {
        self.sources.into_iter().find_map(|source| source.error).and_then(Arc::into_inner)
    }
}

fn last_known(paths: &Paths, name: &str, error: Option<Arc<Error>>) -> Answer {
    let remembered = cache::recall(paths, name);
    let taken = remembered.as_ref().map(|remembered| remembered.taken);
    let listed = remembered.map(|remembered| remembered.instances).unwrap_or_default();
    (Source { provider: name.to_owned(), taken, error }, listed)
}
