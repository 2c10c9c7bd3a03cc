//! `soong terminate`: ends rented instances.
//!
//! ```text
//! arguments ─ target → Machine … ─ consent ─ end ─ tunnel, provider, ledger
//! ```

pub mod arguments;

mod end;
mod setting;
mod target;

use std::io::{self, BufRead};
use std::process::ExitCode;

use self::arguments::Arguments;
use self::setting::Setting;
use crate::command_line;
use crate::config::Config;
use crate::error::{EXIT_FAILED, Error, Result};
use crate::instances::inventory::{self, Inventory, Machine};
use crate::instances::provider::rental::{Provider, Verb};
use crate::ledger::cost::{Cost, dollars};
use crate::ledger::{self, History};
use crate::system::paths::Paths;
use crate::system::signals::Watch;
use crate::system::time::{now, span};
use crate::terminal::{is_interactive, print_error, printable};

/// Answer to the question before an end.
enum Consent {
    Given,
    Refused,
}

/// Runs `soong-terminate` and returns the exit code.
pub fn main() -> ExitCode {
    command_line::main("soong-terminate", |arguments: &Arguments| {
        let paths = Paths::from_env()?;
        let config = Config::load(&paths)?;
        terminate(arguments, &config, &paths)
    })
}

fn terminate(arguments: &Arguments, config: &Config, paths: &Paths) -> Result<u8> {
    let machines = machines(arguments, config, paths)?;
    if machines.is_empty() {
        command_line::print("No instances\n")?;
        return Ok(0);
    }
    if !arguments.yes && !is_interactive() {
        return Err(Error::failed("not a terminal; pass --yes to terminate without a question"));
    }
    let history = ledger::read(paths).unwrap_or_default();
    let mut code = 0;
    for machine in machines {
        let cost = cost_of(&machine, &history);
        print_error(&description(&machine, cost.as_ref(), now()));
        if !arguments.yes && matches!(ask(&machine)?, Consent::Refused) {
            print_error(&format!("{} stays\n", printable(&machine.name)));
            code = EXIT_FAILED;
            continue;
        }
        // Signals are held back, so that a request is not cut in half.
        let setting = Setting { paths: paths.clone(), config: config.clone(), watch: Watch::new()? };
        match end::end(&machine, &setting) {
            Ok(()) => command_line::print(&format!("Terminated {}\n", printable(&machine.name)))?,
            Err(error) if setting.watch.interrupted() => {
                // The signal takes effect when the watch is dropped.
                error.report("soong-terminate");
                return Err(error);
            }
            Err(error) => {
                error.report("soong-terminate");
                code = EXIT_FAILED;
            }
        }
    }
    Ok(code)
}

/// Returns the machines that the command line means. Nothing is ended if one of them cannot be.
fn machines(arguments: &Arguments, config: &Config, paths: &Paths) -> Result<Vec<Machine>> {
    let names = arguments.which.wanted()?;
    if config.providers.is_empty() {
        return Err(Error::failed("no provider is enabled")
            .with_hint("enable one: soong configure set providers.lambda true"));
    }
    let watch = Watch::new()?;
    let inventory = Inventory::fresh(config, paths, &watch, false);
    if watch.interrupted() {
        return Err(Error::interrupted());
    }
    let is_unknown = |machine: &Machine| machine.stale;
    let existing = target::all(&inventory.machines);
    let machines: Vec<Machine> = if arguments.all || existing.is_empty() && names.is_empty() {
        existing.into_iter().cloned().collect()
    } else if names.is_empty() {
        vec![choose(&existing, &watch)?]
    } else {
        let mut found: Vec<Machine> = Vec::new();
        for name in names {
            let machine = target::find(&inventory.machines, name)?;
            if !found.contains(machine) {
                found.push(machine.clone());
            }
        }
        found
    };
    if let Some(source) = inventory.sources.iter().find(|source| source.error.is_some())
        && (arguments.all || machines.iter().any(is_unknown))
        && let Some(error) = &source.error
    {
        return Err(Error::failed(error.to_string()).with_hint("try again when the provider answers"));
    }
    for machine in &machines {
        let name = machine.provider.as_deref().unwrap_or_default();
        if !Provider::new(name, &watch).capabilities().map_err(Error::from)?.contains(&Verb::Terminate) {
            return Err(Error::failed(format!(
                "the provider {} cannot terminate instances",
                printable(name)
            ))
            .with_hint("terminate it in your provider's console"));
        }
    }
    Ok(machines)
}

/// Returns the machine that the user chooses on the terminal. It never is the only one by itself.
fn choose(machines: &[&Machine], watch: &Watch) -> Result<Machine> {
    if is_interactive() {
        return Ok(machines[inventory::menu(machines, watch)?].clone());
    }
    let available = inventory::listing(machines.iter().copied());
    Err(Error::usage("NAME is missing").with_hint(format!("choose one with --instance-id: {available}")))
}

fn cost_of(machine: &Machine, history: &History) -> Option<Cost> {
    let stay = history.open(machine.provider.as_deref()?, &machine.id)?;
    Some(stay.cost_so_far(now()))
}

/// Describes an instance and what ends with it.
fn description(machine: &Machine, cost: Option<&Cost>, now: u64) -> String {
    let mut first = vec![format!("{} ({})", printable(&machine.name), printable(&machine.id))];
    let kind = machine.kind.as_deref().map(|kind| printable(kind).into_owned());
    let region = machine.region.as_deref().map(|region| format!("in {}", printable(region)));
    let what: Vec<String> = kind.into_iter().chain(region).collect();
    if !what.is_empty() {
        first.push(what.join(" "));
    }
    let mut second = Vec::new();
    if let Some(cost) = cost {
        let least = if cost.is_at_least { "at least " } else { "" };
        second.push(format!("up for {least}{}", span(now.saturating_sub(cost.from))));
        second.extend(cost.cents.map(|cents| format!("{least}{} so far", dollars(cents))));
    }
    second.extend(machine.price_cents_per_hour.map(|cents| format!("{}/h", dollars(cents))));
    let second = if second.is_empty() { String::new() } else { format!("  {}\n", second.join(", ")) };
    format!("{}\n{second}  Its disk is lost; file systems of the provider stay.\n", first.join(", "))
}

/// Asks for the name of the machine.
fn ask(machine: &Machine) -> Result<Consent> {
    print_error("Type its name to terminate it: ");
    let mut answer = String::new();
    let count =
        io::stdin().lock().read_line(&mut answer).map_err(|error| Error::cannot("read the answer", error))?;
    if count == 0 {
        print_error("\n");
    }
    let answer = answer.trim();
    let is_same = answer == machine.name || answer == machine.id || answer == machine.unique_name();
    Ok(if is_same && !answer.is_empty() { Consent::Given } else { Consent::Refused })
}
