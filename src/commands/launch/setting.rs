//! A launch as it was resolved from command line and config, and what exists because of it.

use std::cell::RefCell;
use std::time::Duration;

use super::arguments::Arguments;
use super::choice::Wanted;
use super::recipe::Recipe;
use crate::config::Config;
use crate::error::{Error, Result};
use crate::instances::provider::rental::{Provider, Verb};
use crate::ledger::cost::dollars;
use crate::system::paths::{self, Paths};
use crate::system::signals::Watch;
use crate::terminal::printable;

/// Default time for which an instance is rented.
const TIME: Duration = Duration::from_secs(4 * 3600);

/// A resolved launch.
#[derive(Debug)]
pub(super) struct Setting {
    pub paths: Paths,
    pub config: Config,
    pub watch: Watch,
    pub provider: String,
    pub wanted: Wanted,
    pub name: Option<String>,
    pub time: Duration,
    pub ssh_key: Option<String>,
    pub filesystems: Vec<String>,
    pub recipe: Option<Recipe>,
    pub guard: bool,
    pub tunnel: bool,
    pub over_budget: bool,
    existence: RefCell<Existence>,
}

/// An instance that was launched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rented {
    pub id: String,
    pub name: String,
    pub type_name: String,
    pub region: String,
    pub price_cents_per_hour: u64,
}

/// State of the machine that this launch rents.
#[derive(Debug, Clone, Default)]
pub(super) enum Existence {
    /// Nothing.
    #[default]
    Nothing,
    /// An instance of this name may exist.
    Unknown(String),
    /// This instance.
    Running(Rented),
}

impl Setting {
    /// Resolves the command line; sends nothing but `capabilities`.
    pub fn resolve(arguments: &Arguments, config: Config, paths: Paths, watch: Watch) -> Result<Self> {
        let launch = &config.launch;
        let list = |typed: &[String], default: &[String]| {
            if typed.is_empty() { default.to_vec() } else { typed.to_vec() }
        };
        let wanted = Wanted {
            gpu: list(&arguments.gpu, &launch.gpu),
            count: arguments.count,
            type_name: arguments.type_name.clone(),
            regions: list(&arguments.region, &launch.regions),
            max_price: arguments.max_price.or(launch.max_price),
        };
        let recipe = arguments.recipe.as_ref().or(launch.recipe.as_ref());
        let recipe = recipe.map(|file| Recipe::read(file)).transpose()?;
        if launch.guard {
            require_guard()?;
        }
        let named = arguments.provider.as_ref().or(launch.provider.as_ref());
        Ok(Self {
            provider: provider(named, &config, &watch)?,
            wanted,
            name: arguments.name.clone(),
            time: arguments.hours.or(launch.time).unwrap_or(TIME),
            ssh_key: arguments.ssh_key.clone().or_else(|| launch.ssh_key.clone()),
            filesystems: list(&arguments.filesystem, &launch.filesystems),
            recipe,
            guard: launch.guard,
            tunnel: !arguments.no_tunnel,
            over_budget: arguments.over_budget,
            existence: RefCell::default(),
            paths,
            config,
            watch,
        })
    }

    /// Stores what exists now.
    pub fn exists(&self, existence: Existence) {
        *self.existence.borrow_mut() = existence;
    }

    /// Returns the lines about what exists and costs money, for a launch that ends early.
    pub fn remains(&self) -> Vec<String> {
        match &*self.existence.borrow() {
            Existence::Nothing => vec!["nothing was launched".to_owned()],
            Existence::Unknown(name) => vec![
                format!("a launch of {name} was requested, and its outcome is unknown"),
                format!("look for it: soong status; end it: soong terminate {name}"),
            ],
            Existence::Running(rented) => vec![
                format!(
                    "{} ({}, {} in {}) exists and costs {}/h",
                    rented.name,
                    printable(&rented.id),
                    printable(&rented.type_name),
                    printable(&rented.region),
                    dollars(rented.price_cents_per_hour)
                ),
                format!("end it: soong terminate {}", rented.name),
                format!("or use it: soong tunnel start {} --wait", rented.name),
            ],
        }
    }
}

/// Refuses to launch an instance that cannot be guarded afterwards. `soong daemon install` takes the program from the
/// same directories.
fn require_guard() -> Result<()> {
    let own = paths::own_directory();
    let directories = own.iter().flat_map(|own| [own.clone(), own.with_file_name("lib").join("soong")]);
    let mut files = directories.filter_map(|directory| std::fs::read_dir(directory).ok()).flatten().flatten();
    if files.any(|file| file.file_name().to_string_lossy().starts_with("soong-statusd")) {
        return Ok(());
    }
    Err(Error::failed("launch.guard is set, but soong-statusd is not installed with soong")
        .with_hint(
            "build it on Linux: cargo build --release --package soong-statusd; then put it beside soong",
        )
        .with_hint("or launch without it: soong configure set launch.guard false"))
}

/// Returns the provider to rent from: the named one, else the only enabled one that can launch.
fn provider(named: Option<&String>, config: &Config, watch: &Watch) -> Result<String> {
    if config.providers.is_empty() {
        return Err(Error::failed("no provider is enabled")
            .with_hint("enable one: soong configure set providers.lambda true"));
    }
    if let Some(name) = named.filter(|name| !config.providers.contains(name)) {
        let shown = printable(name);
        return Err(Error::failed(format!("the provider {shown} is not enabled"))
            .with_hint(format!("enable it: soong configure set providers.{shown} true")));
    }
    let mut able = Vec::new();
    for name in config.providers.iter().filter(|name| named.is_none_or(|named| named == *name)) {
        let verbs = Provider::new(name, watch).capabilities().map_err(Error::from);
        if watch.interrupted() {
            return Err(Error::interrupted());
        }
        let verbs =
            if named.is_some() || config.providers.len() == 1 { verbs? } else { verbs.unwrap_or_default() };
        if [Verb::Offers, Verb::Launch].iter().all(|verb| verbs.contains(verb)) {
            able.push(name.clone());
        }
    }
    match able.as_slice() {
        [only] => Ok(only.clone()),
        [] => Err(Error::failed(format!(
            "no launch at {}: it can only list instances",
            printable(&named.cloned().unwrap_or_else(|| config.providers.join(", ")))
        ))
        .with_hint("enable a provider that can launch, such as lambda")),
        several => Err(Error::failed("more than one provider can launch")
            .with_hint(format!("choose one: --provider {}", several.join(", --provider ")))),
    }
}
