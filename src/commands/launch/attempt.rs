//! One request to launch: never two machines for one wish, and none beyond the budget.
//!
//! A lock is held from the look at the provider's list to the answer, so that launches at the same time see each
//! other's cost and names. The ledger says what is asked for before it is sent. If the answer is lost, the
//! provider's list decides; only an answer that says so means that nothing was launched.

use std::time::Duration;

use jiff::tz::TimeZone;

use super::choice::Candidate;
use super::plan::Forecast;
use super::recipe::Values;
use super::setting::{Existence, Rented, Setting};
use crate::error::{Error, Result};
use crate::instances::inventory::{self, Status};
use crate::instances::provider::answer::Listed;
use crate::instances::provider::rental::Provider;
use crate::instances::provider::{self, Code, LaunchOrder, Refused};
use crate::ledger::cost::dollars;
use crate::ledger::observe::LOST;
use crate::ledger::{self, Entry, Event, History};
use crate::system::lock::{Lock, try_lock};
use crate::system::time::{now, span};
use crate::terminal::{print_error, printable};

/// Pauses between looks for an instance whose launch was not answered.
const LOOKS: [Duration; 5] = [
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(4),
    Duration::from_secs(8),
];

/// Result of a request that was answered.
pub(super) enum Attempt {
    /// The instance exists.
    Launched(Rented),
    /// The provider refused; nothing exists.
    Refused(Refused),
}

/// Requests the launch of `candidate`.
pub(super) fn attempt(candidate: &Candidate, setting: &Setting) -> Result<Attempt> {
    let _lock = lock(setting)?;
    let provider = &setting.provider;
    let listed = provider::list(provider, &setting.watch)?;
    inventory::record(&setting.paths, provider, &listed, &setting.config);
    let history = ledger::read(&setting.paths)?;
    refuse_open(setting, &history)?;
    let name = free_name(setting, &listed, &history)?;
    let price = candidate.offer.price_cents_per_hour;
    Forecast::new(&history, price, setting.time, setting.config.launch.budget, now(), &TimeZone::system())
        .check(setting.over_budget)?;
    let order = order(candidate, &name, setting)?;
    let asked = entry(Event::LaunchAsked, candidate, &name, setting);
    ledger::append(&setting.paths, std::slice::from_ref(&asked))?;
    setting.exists(Existence::Unknown(name.clone()));
    // An interrupt must not cut the answer off; a second one does.
    let hold = setting.watch.hold();
    let answer = Provider::new(provider, &setting.watch).launch(&order);
    drop(hold);
    match answer {
        Ok(instance) => Ok(launched(&instance, candidate, &name, None, setting)),
        Err(refused) if refused.code == Code::UnknownOutcome => match look_for(&name, setting)? {
            Some(instance) => Ok(launched(&instance, candidate, &name, Some("found by its name"), setting)),
            None => Err(unknown(&name, &refused)),
        },
        Err(refused) => {
            let failed = entry(Event::LaunchFailed, candidate, &name, setting).because(refused.code.word());
            ledger::append(&setting.paths, &[failed])?;
            setting.exists(Existence::Nothing);
            Ok(Attempt::Refused(refused))
        }
    }
}

/// Waits for the lock of launches.
fn lock(setting: &Setting) -> Result<Lock> {
    const PAUSE: Duration = Duration::from_millis(200);
    setting.paths.ensure_state()?;
    for round in 0u32.. {
        if let Some(lock) = try_lock(&setting.paths.launch_lock(), Duration::ZERO)? {
            return Ok(lock);
        }
        if round == 5 {
            print_error("Waiting for the answer to another launch...\n");
        }
        if setting.watch.sleep(PAUSE) {
            return Err(Error::interrupted());
        }
    }
    unreachable!("the rounds do not end")
}

/// Refuses the name of a launch that has no outcome; without a wanted name, any launch. Launches in progress hold the
/// lock, so those without an outcome were cut short.
fn refuse_open(setting: &Setting, history: &History) -> Result<()> {
    let open = history.wishes.iter().filter(|wish| wish.provider == setting.provider);
    let mut open = open.filter(|wish| setting.name.as_ref().is_none_or(|name| *name == wish.name));
    let Some(wish) = open.next() else { return Ok(()) };
    let (name, age) = (printable(&wish.name), span(now().saturating_sub(wish.asked)));
    Err(Error::failed(format!("the launch of {name}, {age} ago, has no outcome yet"))
        .with_hint(format!(
            "'soong status' shows {name} once its provider lists it; after {} min, the launch counts as failed",
            LOST / 60
        ))
        .with_hint("launch another one all the same: --name OTHER"))
}

/// Returns the name of the new instance: the wanted one, else the first of dev, dev-2, … that is free.
pub(super) fn free_name(setting: &Setting, listed: &[Listed], history: &History) -> Result<String> {
    let is_listed = |name: &str| {
        let living =
            listed.iter().filter(|listed| !listed.status.is_final() || listed.status == Status::Terminating);
        living.into_iter().any(|listed| listed.name.as_deref() == Some(name))
    };
    let is_configured = |name: &str| setting.config.instances.iter().any(|instance| instance.name == name);
    match &setting.name {
        Some(name) if is_listed(name) || is_configured(name) => Err(taken(name, setting, listed, history)),
        Some(name) => Ok(name.clone()),
        None => {
            let mut names =
                std::iter::once("dev".to_owned()).chain((2..).map(|number| format!("dev-{number}")));
            let free = names.find(|name| !is_listed(name) && !is_configured(name));
            free.ok_or_else(|| Error::failed("no name is free"))
        }
    }
}

fn taken(name: &str, setting: &Setting, listed: &[Listed], history: &History) -> Error {
    let error = Error::failed(format!("an instance called {name} exists already"));
    let mine = listed.iter().find(|listed| listed.name.as_deref() == Some(name));
    let stay = mine.and_then(|mine| history.open(&setting.provider, &mine.id));
    match stay.filter(|stay| stay.is_launched && !stay.is_ready) {
        Some(stay) => {
            let age = span(now().saturating_sub(stay.from));
            error.with_hint(format!(
                "{name} was launched {age} ago and has no tunnel: soong tunnel start {name} --wait"
            ))
        }
        None => error,
    }
    .with_hint("choose another name: --name NAME")
}

fn order(candidate: &Candidate, name: &str, setting: &Setting) -> Result<LaunchOrder> {
    let offer = &candidate.offer;
    let values = Values {
        name,
        type_name: &offer.type_name,
        region: &candidate.region,
        gpu: offer.gpu.as_deref().unwrap_or("none"),
        count: offer.count,
        hours: setting.time.as_secs_f64() / 3600.0,
    };
    Ok(LaunchOrder {
        name: name.to_owned(),
        type_name: offer.type_name.clone(),
        region: candidate.region.clone(),
        ssh_key: setting.ssh_key.clone(),
        filesystems: setting.filesystems.clone(),
        user_data: setting.recipe.as_ref().map(|recipe| recipe.fill(&values)).transpose()?,
    })
}

fn entry(event: Event, candidate: &Candidate, name: &str, setting: &Setting) -> Entry {
    Entry {
        kind: Some(candidate.offer.type_name.clone()),
        region: Some(candidate.region.clone()),
        price_cents_per_hour: Some(candidate.offer.price_cents_per_hour),
        planned_minutes: Some(setting.time.as_secs() / 60),
        ..Entry::new(now(), event, &setting.provider).about(None, Some(name))
    }
}

/// Enters the launched instance.
fn launched(
    instance: &Listed,
    candidate: &Candidate,
    name: &str,
    reason: Option<&str>,
    setting: &Setting,
) -> Attempt {
    let agreed = candidate.offer.price_cents_per_hour;
    let price = instance.price_cents_per_hour.unwrap_or(agreed);
    let rented = Rented {
        id: instance.id.clone(),
        name: name.to_owned(),
        type_name: candidate.offer.type_name.clone(),
        region: candidate.region.clone(),
        price_cents_per_hour: price,
    };
    setting.exists(Existence::Running(rented.clone()));
    let mut entry = entry(Event::Launched, candidate, name, setting);
    entry.id = Some(instance.id.clone());
    entry.price_cents_per_hour = Some(price);
    entry.reason = reason.map(str::to_owned);
    // The instance exists: its user must learn of it in any case.
    if let Err(error) = ledger::append(&setting.paths, &[entry]) {
        print_error(&format!("soong-launch: warning: {error}; 'soong cost' does not count this launch\n"));
    }
    if price > agreed {
        print_error(&format!(
            "soong-launch: warning: the provider charges {}/h instead of {}/h\n",
            dollars(price),
            dollars(agreed)
        ));
    }
    Attempt::Launched(rented)
}

/// Looks for the instance `name` in the provider's list for a quarter of a minute; `None` if it does not appear.
fn look_for(name: &str, setting: &Setting) -> Result<Option<Listed>> {
    for pause in LOOKS {
        if setting.watch.sleep(pause) {
            return Err(Error::interrupted());
        }
        let Ok(listed) = provider::list(&setting.provider, &setting.watch) else { continue };
        let is_mine = |listed: &Listed| listed.name.as_deref() == Some(name) && !listed.status.is_final();
        if let Some(mine) = listed.into_iter().find(is_mine) {
            return Ok(Some(mine));
        }
    }
    Ok(None)
}

fn unknown(name: &str, refused: &Refused) -> Error {
    Error::failed(format!("{}; the outcome is unknown, and {name} is not listed", refused.message)).with_hint(
        format!(
            "nothing was sent again; 'soong status' shows {name} if its provider lists it within {} min",
            LOST / 60
        ),
    )
}
