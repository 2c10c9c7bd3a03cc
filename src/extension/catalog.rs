//! List of all extensions with their metadata and warnings. Executes none of them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::built_in::is_built_in;
use crate::extension::discovery::{self, Found, State};
use crate::extension::metadata::{Metadata, Origin};
use crate::system::{paths, trust};
use crate::terminal::printable;

/// A program of another author with the name of a command.
#[derive(Debug, Clone)]
pub struct Extension {
    /// Name of the command.
    pub name: String,
    /// Path of the program.
    pub path: PathBuf,
    /// True if `soong NAME` runs it.
    pub runs: bool,
    /// Its metadata.
    pub metadata: Metadata,
    /// Warnings, printable.
    pub warnings: Vec<String>,
}

impl Extension {
    /// Returns the one-line summary, or an empty string.
    pub fn summary(&self) -> &str {
        self.metadata.summary.as_ref().map_or("", |(summary, _)| summary)
    }
}

/// Returns the extensions that `soong NAME` runs, by name. Lists and completion show these.
pub fn callable() -> Vec<Extension> {
    let mut all = reachable();
    all.retain(|extension| extension.runs);
    all
}

/// Returns the extensions that `soong ext exec NAME` runs, including those behind a built-in command.
pub fn reachable() -> Vec<Extension> {
    let all = discovery::scan(&discovery::directories());
    let found = all.into_iter().filter_map(|(name, found)| {
        let runs = !is_built_in(&name);
        let mut programs = found.into_iter().filter(|found| found.state == State::Program);
        let path = programs.find(|found| runs || !discovery::is_own(&found.path))?.path;
        let metadata = Metadata::read(&name, &path);
        Some(Extension { name, path, runs, metadata, warnings: Vec::new() })
    });
    found.collect()
}

/// Returns every file with an extension's name, with its warnings. `aliases` are those of the config.
pub fn inspect(aliases: &BTreeMap<String, String>) -> Vec<Extension> {
    let own = paths::own_directory();
    let all = discovery::scan(&discovery::directories());
    let mut trust = trust::Inspector::default();
    all.into_iter()
        .filter_map(|(name, found)| {
            Inspection { own: own.as_deref(), aliases, name, found }.extension(&mut trust)
        })
        .collect()
}

struct Inspection<'a> {
    own: Option<&'a Path>,
    aliases: &'a BTreeMap<String, String>,
    name: String,
    found: Vec<Found>,
}

impl Inspection<'_> {
    fn extension(mut self, trust: &mut trust::Inspector) -> Option<Extension> {
        let hidden = is_built_in(&self.name);
        let own = self.own;
        // In soong's own directory, only other authors' programs count.
        self.found.retain(|found| match found.state {
            State::NoFile => false,
            _ if hidden => !discovery::is_own(&found.path),
            State::Program => true,
            State::NotExecutable | State::Dangling => found.path.parent() != own,
        });
        let chosen = self.found.iter().find(|found| found.state == State::Program);
        let runs = chosen.is_some() && !hidden;
        if hidden && chosen.is_none() {
            return None;
        }
        let chosen = chosen.or(self.found.first())?.clone();
        let metadata = if chosen.state == State::Program {
            Metadata::read(&self.name, &chosen.path)
        } else {
            Metadata::default()
        };
        let warnings = self.warnings(&chosen, hidden, &metadata, trust);
        Some(Extension { name: self.name, path: chosen.path, runs, metadata, warnings })
    }

    fn warnings(
        &self,
        chosen: &Found,
        hidden: bool,
        metadata: &Metadata,
        trust: &mut trust::Inspector,
    ) -> Vec<String> {
        let name = &self.name;
        let mut warnings = Vec::new();
        if hidden {
            warnings.push(format!(
                "soong {name} is a built-in command; run this one with: soong ext exec {name}"
            ));
        }
        if self.aliases.contains_key(name) {
            warnings.push(format!("the alias {name} is hidden: extensions take precedence"));
        }
        for found in &self.found {
            warnings.extend(oddity(found, chosen));
        }
        if chosen.state == State::Program {
            let fault = trust.fault(&chosen.path);
            warnings.extend(fault.map(|fault| format!("{fault}; completion does not run it")));
            warnings.extend(sidecar_fault(metadata, trust));
        }
        warnings.extend(metadata.faults.iter().cloned());
        warnings
    }
}

/// Returns the warning about one of several files of a name.
fn oddity(found: &Found, chosen: &Found) -> Option<String> {
    let text = found.path.to_string_lossy();
    let shown = printable(&text);
    match found.state {
        State::Dangling => Some(format!("{shown} is a broken link")),
        State::NotExecutable => Some(format!("{shown} is not executable; fix it: chmod +x")),
        State::Program if found.path != chosen.path && !is_same(&found.path, &chosen.path) => {
            Some(format!("{shown} is hidden: this one comes earlier on PATH"))
        }
        State::Program | State::NoFile => None,
    }
}

/// Returns the reason to ignore a sidecar's request to run the program.
fn sidecar_fault(metadata: &Metadata, trust: &mut trust::Inspector) -> Option<String> {
    let (_, Origin::Sidecar) = metadata.completion? else { return None };
    let fault = trust.fault(metadata.sidecar.as_deref()?)?;
    Some(format!("its sidecar is ignored: {fault}"))
}

fn is_same(one: &Path, other: &Path) -> bool {
    matches!((fs::canonicalize(one), fs::canonicalize(other)), (Ok(one), Ok(other)) if one == other)
}
