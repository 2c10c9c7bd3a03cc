//! `soong cost`: the ledger of a month, as a table or JSON.
//!
//! Providers are asked first, so that ends that no command has noticed are in the ledger. Without an answer, the
//! ledger as it is counts.

pub mod arguments;

mod render;

use std::process::ExitCode;

use jiff::tz::TimeZone;

use self::arguments::Arguments;
use self::render::Bill;
use crate::command_line;
use crate::config::Config;
use crate::error::{Error, Result};
use crate::instances::inventory::Inventory;
use crate::ledger::month::Month;
use crate::ledger::{self, History};
use crate::system::paths::Paths;
use crate::system::signals::Watch;
use crate::system::time::now;
use crate::terminal::{hint_label, print_error, printable};

/// Runs `soong-cost` and returns the exit code.
pub fn main() -> ExitCode {
    command_line::main("soong-cost", |arguments: &Arguments| {
        let paths = Paths::from_env()?;
        cost(arguments, &paths).map(|()| 0)
    })
}

fn cost(arguments: &Arguments, paths: &Paths) -> Result<()> {
    let config = Config::load(paths)?;
    if !arguments.cached {
        ask(&config, paths, arguments.json)?;
    }
    let history = ledger::read(paths)?;
    let (now, zone) = (now(), TimeZone::system());
    let month = arguments.month.unwrap_or_else(|| Month::of(now, &zone));
    let bill = Bill::new(&history, month, &zone, now);
    let budget = config.launch.budget.filter(|_| month == Month::of(now, &zone));
    command_line::print(&if arguments.json { bill.json()? } else { bill.table(budget, &zone) })?;
    warn(&history, &config, paths);
    Ok(())
}

/// Asks the providers, whose answers go into the ledger.
fn ask(config: &Config, paths: &Paths, quiet: bool) -> Result<()> {
    if config.providers.is_empty() {
        return Ok(());
    }
    let watch = Watch::new()?;
    let inventory = Inventory::fresh(config, paths, &watch, quiet);
    if watch.interrupted() {
        return Err(Error::interrupted());
    }
    for source in inventory.sources.iter().filter(|source| source.error.is_some()) {
        let name = printable(&source.provider);
        print_error(&format!("soong-cost: warning: {name} is unreachable; its instances count as running\n"));
    }
    Ok(())
}

/// Warns of lines of the ledger that do not count, and of instances that soong cannot watch.
fn warn(history: &History, config: &Config, paths: &Paths) {
    if let Some(first) = history.unreadable.first() {
        let (count, file) = (history.unreadable.len(), paths.ledger());
        let lines = if count == 1 { "line" } else { "lines" };
        print_error(&format!(
            "soong-cost: warning: skipped {count} unreadable {lines} of {}, the first at {first}\n",
            printable(&file.to_string_lossy())
        ));
    }
    let is_off = |name: &str| !config.providers.iter().any(|known| known == name);
    let mut open: Vec<&str> = history
        .stays
        .iter()
        .filter(|stay| stay.end.is_none() && is_off(&stay.provider))
        .map(|stay| stay.provider.as_str())
        .collect();
    open.sort_unstable();
    open.dedup();
    for name in open {
        let name = printable(name);
        print_error(&format!(
            "soong-cost: warning: {name} is not enabled; its instances count as running\n{} enable it: soong configure set providers.{name} true\n",
            hint_label()
        ));
    }
}
