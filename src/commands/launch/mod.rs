//! `soong launch`: rents an instance and opens a tunnel to it.
//!
//! ```text
//! arguments ─ setting ─ choice ─ plan ─ consent ─ rent ─ attempt ─ boot ─ follow_up (guard, tunnel, hook)
//!                                         only reading before │ money from here on
//! ```
//!
//! From the first request on, the ledger and [`setting::Existence`] say what exists, whatever ends the program.

pub mod arguments;

mod attempt;
mod boot;
mod choice;
mod consent;
mod follow_up;
mod plan;
mod recipe;
mod rent;
mod setting;
mod steps;

use std::process::ExitCode;
use std::time::Duration;

use jiff::tz::TimeZone;

use self::arguments::Arguments;
use self::choice::Candidate;
use self::plan::{Facts, Forecast};
use self::setting::{Rented, Setting};
use crate::command_line;
use crate::config::Config;
use crate::error::{Error, Result};
use crate::instances::inventory;
use crate::instances::provider;
use crate::ledger::{self, Entry, Event};
use crate::system::lock::try_lock;
use crate::system::paths::Paths;
use crate::system::signals::Watch;
use crate::system::spinner::Spinner;
use crate::system::time::now;
use crate::terminal::{is_interactive, print_error, printable};

/// Runs `soong-launch` and returns the exit code.
pub fn main() -> ExitCode {
    command_line::main("soong-launch", |arguments: &Arguments| {
        let paths = Paths::from_env()?;
        let config = Config::load(&paths)?;
        // Signals are held back until the end, so that what exists is always told.
        let setting = Setting::resolve(arguments, config, paths, Watch::new()?)?;
        let outcome = launch(arguments, &setting).map(|()| 0);
        if let (Err(error), true) = (&outcome, setting.watch.interrupted()) {
            // The signal takes effect when the watch is dropped.
            error.report("soong-launch");
        }
        outcome
    })
}

fn launch(arguments: &Arguments, setting: &Setting) -> Result<()> {
    let Some((candidates, ceiling)) =
        agreed(arguments, setting).map_err(|error| interrupted(error, setting))?
    else {
        return Ok(());
    };
    let outcome = rent::rent(&candidates, arguments.wait_capacity, ceiling, setting);
    follow_up::notify(outcome.as_ref(), setting);
    let rented = match outcome {
        Ok(rented) => rented,
        Err(error) => return Err(with_remains(&error, setting)),
    };
    finish(&rented, setting).map_err(|error| with_remains(&error, setting))
}

/// Returns the candidates and the highest price to which the user has agreed; `None` without agreement.
fn agreed(arguments: &Arguments, setting: &Setting) -> Result<Option<(Vec<Candidate>, u64)>> {
    let (candidates, ceiling) = look(arguments, setting)?;
    Ok(agree(arguments, &candidates, ceiling, setting)?.then_some((candidates, ceiling)))
}

/// Returns the candidates and the highest price that the plan allows.
fn look(arguments: &Arguments, setting: &Setting) -> Result<(Vec<Candidate>, u64)> {
    let spinner = Spinner::new(&format!("Asking {}", printable(&setting.provider)));
    let offers = rent::offers(setting).map_err(Error::from);
    drop(spinner);
    if setting.watch.interrupted() {
        return Err(Error::interrupted());
    }
    let offers = offers?;
    let candidates = setting.wanted.candidates(&offers);
    let highest = setting.wanted.highest_price(&offers);
    let ceiling = setting.wanted.max_price.or(highest).unwrap_or_default();
    if candidates.is_empty() && (arguments.wait_capacity.is_none() || highest.is_none()) {
        return Err(setting.wanted.none(&offers));
    }
    Ok((candidates, ceiling))
}

/// Shows the plan and asks; returns false if there is nothing more to do.
fn agree(arguments: &Arguments, candidates: &[Candidate], ceiling: u64, setting: &Setting) -> Result<bool> {
    let listed = provider::list(&setting.provider, &setting.watch)?;
    inventory::record(&setting.paths, &setting.provider, &listed, &setting.config);
    let history = ledger::read(&setting.paths)?;
    let name = attempt::free_name(setting, &listed, &history)?;
    let price = candidates.first().map_or(ceiling, |first| first.offer.price_cents_per_hour);
    let budget = setting.config.launch.budget;
    let forecast = Forecast::new(&history, price, setting.time, budget, now(), &TimeZone::system());
    let facts = Facts {
        name,
        provider: setting.provider.clone(),
        time: setting.time,
        has_guard: setting.guard,
        filesystems: setting.filesystems.clone(),
        recipe: setting.recipe.as_ref().map(|recipe| recipe.shown.clone()),
        ceiling: arguments.wait_capacity.map(|_| ceiling),
    };
    let text = plan::render(&facts, candidates, &forecast);
    if let (Some(line), Some(_)) = (history.unreadable.first(), budget) {
        print_error(&format!(
            "soong-launch: warning: the ledger has unreadable lines, the first at {line}; the month may have cost more\n"
        ));
    }
    if arguments.dry_run {
        command_line::print(&text)?;
        forecast.check(setting.over_budget)?;
        return Ok(false);
    }
    print_error(&text);
    forecast.check(setting.over_budget)?;
    if arguments.yes {
        return Ok(true);
    }
    if !is_interactive() {
        return Err(Error::failed("not a terminal; pass --yes to launch without a question"));
    }
    let agreed = consent::ask("Launch it?", &setting.watch)?;
    if !agreed {
        print_error("Nothing was launched\n");
    }
    Ok(agreed)
}

/// Waits for the instance and does the steps that follow. A guard that fails does not keep the tunnel back.
fn finish(rented: &Rented, setting: &Setting) -> Result<()> {
    // Other commands do not mention an instance whose launch goes on.
    let progress = setting.paths.launch_in_progress(&rented.name);
    let _lock = try_lock(&progress, Duration::ZERO);
    let outcome = steps_after(rented, setting);
    let _ = std::fs::remove_file(&progress);
    outcome
}

fn steps_after(rented: &Rented, setting: &Setting) -> Result<()> {
    boot::wait(rented, setting)?;
    let guard = if setting.guard { follow_up::guard(rented, setting) } else { Ok(()) };
    if setting.watch.interrupted() {
        return Err(Error::interrupted());
    }
    if setting.tunnel {
        follow_up::tunnel(rented, setting)?;
    }
    let ready =
        Entry::new(now(), Event::Ready, &setting.provider).about(Some(&rented.id), Some(&rented.name));
    ledger::append(&setting.paths, &[ready])?;
    guard.map_err(|error| {
        Error::failed(format!("{error}: nothing ends {} by itself", rented.name))
            .with_hint(format!("install the status daemon: soong daemon install {}", rented.name))
    })?;
    print_error(&format!("End it: soong terminate {}\n", rented.name));
    Ok(())
}

/// Adds what exists to an error that an interrupt caused.
fn interrupted(error: Error, setting: &Setting) -> Error {
    if setting.watch.interrupted() { with_remains(&error, setting) } else { error }
}

/// Adds what exists to an error.
fn with_remains(error: &Error, setting: &Setting) -> Error {
    let mut remains = setting.remains().into_iter();
    let what = remains.next().unwrap_or_default();
    let hints: Vec<String> = error.hints().into_iter().map(str::to_owned).collect();
    let error = Error::failed(format!("{error}; {what}"));
    hints.into_iter().chain(remains).fold(error, Error::with_hint)
}
