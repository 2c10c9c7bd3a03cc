//! `soong offers`: asks all providers that rent machines, and lists what they have, cheapest first.

pub mod arguments;

mod choice;
mod table;

use std::io::{self, IsTerminal};
use std::process::ExitCode;
use std::thread;

use console::Term;
use serde::Serialize;

use self::arguments::Arguments;
use self::table::Format;
use crate::command_line;
use crate::config::Config;
use crate::error::{Error, Result};
use crate::instances::provider::{Offer, Provider, Refused, Verb};
use crate::system::paths::Paths;
use crate::system::signals::Watch;
use crate::system::spinner::Spinner;
use crate::terminal::{self, print_error, printable};

/// Name of the program in its messages.
const PROGRAM: &str = "soong-offers";
/// Version of the JSON format.
const API: u32 = 1;

#[derive(Serialize)]
struct Document<'a> {
    api: u32,
    offers: &'a [Offer],
}

/// Runs `soong-offers` and returns the exit code.
pub fn main() -> ExitCode {
    command_line::main(PROGRAM, |arguments: &Arguments| offers(arguments).map(|()| 0))
}

fn offers(arguments: &Arguments) -> Result<()> {
    let config = Config::load(&Paths::from_env()?)?;
    let offers = ask(&config, arguments.json)?;
    let is_empty = offers.is_empty();
    let chosen = choice::choose(offers, arguments);
    if arguments.json {
        let document = Document { api: API, offers: &chosen };
        return command_line::print(&command_line::json_line(&document)?);
    }
    if chosen.is_empty() {
        command_line::print("No offers\n")?;
        if !arguments.all && !is_empty {
            let hint = terminal::hint_label();
            print_error(&format!("{hint} list also those without capacity now: soong offers --all\n"));
        }
        return Ok(());
    }
    let is_terminal = io::stdout().is_terminal();
    let width = is_terminal.then(|| Term::stdout().size_checked()).flatten();
    let format =
        Format { width: width.map(|(_, columns)| columns.into()), colour: terminal::colours_stdout() };
    command_line::print(&table::render(&chosen, format))
}

/// Returns the offers of all enabled providers that have any. A provider that fails is a warning if another one
/// answers.
fn ask(config: &Config, quiet: bool) -> Result<Vec<Offer>> {
    if config.providers.is_empty() {
        return Err(Error::failed("no provider is enabled").with_hint("enable one: soong configure"));
    }
    let watch = Watch::new()?;
    let spinner = match config.providers.join(", ") {
        _ if quiet => Spinner::hidden(),
        names => Spinner::new(&format!("Asking {}", printable(&names))),
    };
    let answers: Vec<std::result::Result<Option<Vec<Offer>>, Refused>> = thread::scope(|scope| {
        let watch = &watch;
        let asked: Vec<_> = config
            .providers
            .iter()
            .map(|name| scope.spawn(move || of_provider(&Provider::new(name, watch))))
            .collect();
        let ended = || Err(Error::failed("a thread that queried a provider ended early").into());
        asked.into_iter().map(|thread| thread.join().unwrap_or_else(|_| ended())).collect()
    });
    drop(spinner);
    if watch.interrupted() {
        return Err(Error::interrupted());
    }
    combine(answers)
}

/// Returns the offers of one provider; `None` if it does not rent machines.
fn of_provider(provider: &Provider<'_>) -> std::result::Result<Option<Vec<Offer>>, Refused> {
    if !provider.capabilities()?.contains(&Verb::Offers) {
        return Ok(None);
    }
    provider.offers().map(Some)
}

fn combine(answers: Vec<std::result::Result<Option<Vec<Offer>>, Refused>>) -> Result<Vec<Offer>> {
    let (mut offers, mut failures, mut answered) = (Vec::new(), Vec::new(), false);
    for answer in answers {
        match answer {
            Ok(Some(more)) => {
                answered = true;
                offers.extend(more);
            }
            Ok(None) => {}
            Err(refused) => failures.push(refused),
        }
    }
    let mut failures = failures.into_iter();
    if answered {
        for refused in failures {
            print_error(&format!("{PROGRAM}: warning: {refused}\n"));
        }
        return Ok(offers);
    }
    match failures.next() {
        Some(refused) => Err(refused.into()),
        None => Err(Error::failed("no enabled provider rents machines")
            .with_hint("enable one that does, such as Lambda Cloud: soong configure")),
    }
}
