//! From entries to stays: when each instance ran, at which price, and which launches have no outcome yet.

use std::collections::hash_map;
use std::collections::{BTreeMap, HashMap};

use super::entry::{Entry, Event};

/// All that the ledger says.
#[derive(Debug, Clone, Default)]
pub struct History {
    /// Periods in which an instance existed, in order of their beginning.
    pub stays: Vec<Stay>,
    /// Launches without an outcome: in progress, or cut short by a crash or a lost answer.
    pub wishes: Vec<Wish>,
    /// Numbers of the lines that could not be read, from 1.
    pub unreadable: Vec<usize>,
    /// Places of the stays that are not over, by provider and id.
    open: BTreeMap<String, HashMap<String, usize>>,
}

/// A period in which an instance existed and cost money. Texts are unchecked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stay {
    /// Provider.
    pub provider: String,
    /// The provider's id.
    pub id: String,
    /// Name.
    pub name: Option<String>,
    /// Type of the machine.
    pub kind: Option<String>,
    /// Region.
    pub region: Option<String>,
    /// Price, in hundredths of the provider's currency.
    pub price_cents_per_hour: Option<u64>,
    /// Begin, in seconds since the epoch: the launch, or the first sight.
    pub from: u64,
    /// True if soong launched it; otherwise it may be older than `from`.
    pub is_launched: bool,
    /// Time for which it was rented, in seconds.
    pub planned: Option<u64>,
    /// True once the launch has done all its steps.
    pub is_ready: bool,
    /// Time of the request to end it.
    pub end_asked: Option<u64>,
    /// End, if it is over.
    pub end: Option<End>,
}

/// End of a stay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct End {
    /// Time at which the end was noticed.
    pub noticed: u64,
    /// Last moment at which it was known to run; at most `noticed`.
    pub last_seen: u64,
    /// Reason.
    pub reason: Option<String>,
}

/// A launch that was asked for and has no outcome yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wish {
    /// Provider.
    pub provider: String,
    /// Unique name of the instance.
    pub name: String,
    /// Type of the machine.
    pub kind: Option<String>,
    /// Region.
    pub region: Option<String>,
    /// Price, in hundredths of the provider's currency.
    pub price_cents_per_hour: Option<u64>,
    /// Time of the request, in seconds since the epoch.
    pub asked: u64,
    /// Time for which it is rented, in seconds.
    pub planned: Option<u64>,
}

impl History {
    /// Adds an entry. Entries that contradict earlier ones change nothing.
    pub fn add(&mut self, mut entry: Entry) {
        match (entry.event, entry.id.take(), entry.name.take()) {
            (Event::LaunchAsked, _, Some(name)) => self.wishes.push(Wish::new(entry, name)),
            (Event::LaunchFailed, _, Some(name)) => drop(self.fulfil(&entry.provider, &name)),
            (Event::Launched, Some(id), name) => {
                let wish = name.as_ref().and_then(|name| self.fulfil(&entry.provider, name));
                self.begin(entry, id, name, wish, true);
            }
            (Event::Seen, Some(id), name) => self.begin(entry, id, name, None, false),
            (Event::Ready, Some(id), _) => {
                if let Some(stay) = self.open_mut(&entry.provider, &id) {
                    stay.is_ready = true;
                }
            }
            (Event::TerminateAsked, Some(id), _) => {
                if let Some(stay) = self.open_mut(&entry.provider, &id) {
                    stay.end_asked = Some(entry.time);
                }
            }
            (Event::Ended, Some(id), _) => {
                let open = self.open.get_mut(&entry.provider);
                if let Some(place) = open.and_then(|open| open.remove(&id)) {
                    self.stays[place].finish(entry);
                }
            }
            _ => {}
        }
    }

    /// Returns the stays that are not over.
    pub fn running(&self) -> impl Iterator<Item = &Stay> {
        self.stays.iter().filter(|stay| stay.end.is_none())
    }

    /// Returns the instance's stay that is not over.
    pub fn open(&self, provider: &str, id: &str) -> Option<&Stay> {
        self.place(provider, id).map(|place| &self.stays[place])
    }

    fn open_mut(&mut self, provider: &str, id: &str) -> Option<&mut Stay> {
        self.place(provider, id).map(|place| &mut self.stays[place])
    }

    /// Returns the place of the instance's stay that is not over.
    pub(super) fn place(&self, provider: &str, id: &str) -> Option<usize> {
        self.open.get(provider)?.get(id).copied()
    }

    /// Removes and returns the wish for `name`.
    fn fulfil(&mut self, provider: &str, name: &str) -> Option<Wish> {
        let place = self.wishes.iter().rposition(|wish| wish.provider == provider && wish.name == name)?;
        Some(self.wishes.remove(place))
    }

    fn begin(
        &mut self,
        entry: Entry,
        id: String,
        name: Option<String>,
        wish: Option<Wish>,
        is_launched: bool,
    ) {
        let planned = entry.planned();
        match self.open.entry(entry.provider.clone()).or_default().entry(id.clone()) {
            hash_map::Entry::Occupied(place) => {
                // Another command saw it before the launch was entered.
                let stay = &mut self.stays[*place.get()];
                stay.is_launched |= is_launched;
                stay.planned = stay.planned.or(planned);
                stay.price_cents_per_hour = stay.price_cents_per_hour.or(entry.price_cents_per_hour);
                return;
            }
            hash_map::Entry::Vacant(place) => {
                place.insert(self.stays.len());
            }
        }
        // An instance that was found by its name runs since it was asked for.
        let from = wish.as_ref().map_or(entry.time, |wish| wish.asked.min(entry.time));
        let (planned_then, price_then) =
            wish.as_ref().map_or((None, None), |wish| (wish.planned, wish.price_cents_per_hour));
        let (kind_then, region_then) = wish.map_or((None, None), |wish| (wish.kind, wish.region));
        self.stays.push(Stay {
            provider: entry.provider,
            id,
            name,
            kind: entry.kind.or(kind_then),
            region: entry.region.or(region_then),
            price_cents_per_hour: entry.price_cents_per_hour.or(price_then),
            from,
            is_launched,
            planned: planned.or(planned_then),
            is_ready: false,
            end_asked: None,
            end: None,
        });
    }
}

impl Stay {
    fn finish(&mut self, entry: Entry) {
        let seen = entry.last_seen.into_iter().chain(self.end_asked).max().unwrap_or(entry.time);
        self.end = Some(End {
            noticed: entry.time,
            last_seen: seen.clamp(self.from.min(entry.time), entry.time),
            reason: entry.reason,
        });
    }
}

impl Wish {
    fn new(entry: Entry, name: String) -> Self {
        Self {
            planned: entry.planned(),
            provider: entry.provider,
            name,
            kind: entry.kind,
            region: entry.region,
            price_cents_per_hour: entry.price_cents_per_hour,
            asked: entry.time,
        }
    }
}

#[cfg(test)]
pub(super) mod tests;
