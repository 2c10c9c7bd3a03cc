//! `soong status`: instances with their tunnels and leases.
//!
//! Provider lists, running tunnels and the status daemons' last answers are combined into rows ([`overview`])
//! and rendered as a [`table`] or [`json`]. No instance is queried here: supervisors keep their daemon's
//! answers.

pub mod arguments;

mod json;
mod known;
mod overview;
mod table;

use std::io::{self, IsTerminal};
use std::process::ExitCode;
use std::thread::sleep;
use std::time::{Duration, Instant};

use self::arguments::Arguments;
use self::known::Known;
use self::overview::Overview;
use crate::config::{Config, is_provider_name};
use crate::error::{EXIT_FAILED, Error, Result};
use crate::instances::inventory::{Failures, Inventory};
use crate::ledger::{self, History};
use crate::runtime::control::Question;
use crate::runtime::liveness::TunnelStatus;
use crate::runtime::registry;
use crate::system::lock::is_locked;
use crate::system::paths::Paths;
use crate::system::signals::Watch;
use crate::{command_line, terminal};

/// Interval of provider queries while watching: providers limit requests.
const ASK_AGAIN: Duration = Duration::from_secs(30);

/// Runs `soong-status` and returns the exit code.
pub fn main() -> ExitCode {
    command_line::main("soong-status", |arguments: &Arguments| {
        let paths = Paths::from_env()?;
        match arguments.watch {
            Some(interval) => keep_showing(arguments, interval, &paths),
            None => show_once(arguments, &paths),
        }
    })
}

fn show_once(arguments: &Arguments, paths: &Paths) -> Result<u8> {
    let can_fill_in = !arguments.cached && !arguments.json && io::stdout().is_terminal();
    let known = if can_fill_in { show_known(arguments, paths) } else { None };
    let overview = look(arguments, paths, &mut Failures::new(), arguments.cached)?;
    if let Some(known) = known {
        known.erase();
    }
    show(&render(&overview, arguments.json)?)?;
    if !arguments.json {
        explain(&overview);
    }
    Ok(if overview.is_blind() { EXIT_FAILED } else { 0 })
}

/// Shows the cached rows until the providers have answered. An interrupted query leaves them on the screen.
fn show_known(arguments: &Arguments, paths: &Paths) -> Option<Known> {
    let overview = look(arguments, paths, &mut Failures::new(), true);
    // A fault that remains is reported with the answers.
    overview.ok().and_then(Known::show)
}

/// Refreshes until interrupted. Redraws in place on a terminal.
fn keep_showing(arguments: &Arguments, interval: Duration, paths: &Paths) -> Result<u8> {
    const TO_THE_TOP: &str = "\u{1b}[H";
    const CLEAR_LINE_END: &str = "\u{1b}[K\n";
    const CLEAR_BELOW: &str = "\u{1b}[J";
    let on_screen = terminal::is_interactive() && !arguments.json;
    if on_screen && !show("\u{1b}[2J")? {
        return Ok(0);
    }
    let mut asked: Option<Instant> = None;
    let mut failures = Failures::new();
    loop {
        let asks = !arguments.cached && asked.is_none_or(|asked| asked.elapsed() >= ASK_AGAIN);
        let overview = look(arguments, paths, &mut failures, !asks)?;
        if asks {
            asked = Some(Instant::now());
        }
        let mut text = render(&overview, arguments.json)?;
        if on_screen {
            text.push_str(&overview.remarks().concat());
            text = format!("{TO_THE_TOP}{}{CLEAR_BELOW}", text.replace('\n', CLEAR_LINE_END));
        }
        if !show(&text)? {
            return Ok(0);
        }
        if !on_screen && !arguments.json {
            explain(&overview);
        }
        sleep(interval);
    }
}

/// Combines all data. `failures` are those of the last provider queries.
fn look(arguments: &Arguments, paths: &Paths, failures: &mut Failures, cached: bool) -> Result<Overview> {
    let config = Config::load(paths)?;
    let mut inventory = if cached {
        Inventory::with_failures(failures, &config, paths)
    } else {
        let inventory = query(&config, paths, arguments.json || arguments.watch.is_some())?;
        *failures = inventory.failures();
        inventory
    };
    let mut survey = registry::inquire(paths, Question::Presence)?;
    let doing = TunnelStatus::of_all(&mut survey.running);
    // A ledger that cannot be read hides costs, not instances.
    let (history, fault) = match inventory.ledger.take().map_or_else(|| ledger::read(paths), Ok) {
        Ok(history) => (history, None),
        Err(error) => (History::default(), Some(error)),
    };
    let mut overview = Overview::new(inventory, survey, &doing, &history);
    overview.ledger_fault = fault;
    overview.leave_out(is_locked(&paths.launch_lock())?, |name| {
        is_provider_name(name) && is_locked(&paths.launch_in_progress(name)).unwrap_or(false)
    });
    match arguments.which.wanted()? {
        Some(wanted) => overview.only(wanted),
        None => Ok(overview),
    }
}

/// Queries the providers. A signal ends them with this program.
fn query(config: &Config, paths: &Paths, quiet: bool) -> Result<Inventory> {
    if config.providers.is_empty() {
        return Ok(Inventory::cached(config, paths));
    }
    let watch = Watch::new()?;
    let inventory = Inventory::fresh(config, paths, &watch, quiet);
    if watch.interrupted() { Err(Error::interrupted()) } else { Ok(inventory) }
}

fn render(overview: &Overview, as_json: bool) -> Result<String> {
    if as_json { json::render(overview) } else { Ok(table::render(overview)) }
}

/// Prints problems to stderr.
fn explain(overview: &Overview) {
    for remark in overview.remarks() {
        terminal::print_error(&remark);
    }
}

/// Returns false once stdout is closed.
fn show(text: &str) -> Result<bool> {
    terminal::print_more(text).map_err(Error::output)
}
