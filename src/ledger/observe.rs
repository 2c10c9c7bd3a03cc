//! Compares a provider's answer with the ledger: instances that soong did not launch, launches whose answer was
//! lost, and ends.

use super::entry::{Entry, Event};
use super::file::{self, Snapshot};
use super::history::{History, Wish};
use crate::error::Result;
use crate::system::paths::Paths;

/// Time after which a launch without an outcome has failed, if no instance has its name. Providers list an
/// instance within seconds.
pub const LOST: u64 = 600;

/// An instance in a provider's answer.
#[derive(Debug, Clone, Copy)]
pub struct Sighting<'a> {
    /// Id.
    pub id: &'a str,
    /// Name.
    pub name: Option<&'a str>,
    /// Type of the machine.
    pub kind: Option<&'a str>,
    /// Region.
    pub region: Option<&'a str>,
    /// Price, in hundredths of the provider's currency.
    pub price_cents_per_hour: Option<u64>,
    /// Reason why it no longer runs; `None` while it does.
    pub over: Option<&'static str>,
}

/// A provider's answer.
#[derive(Debug, Clone, Copy)]
pub struct Answer<'a> {
    /// Provider.
    pub provider: &'a str,
    /// Instances.
    pub sightings: &'a [Sighting<'a>],
    /// Time of the answer, in seconds since the epoch.
    pub time: u64,
}

/// Enters what `answers` add to the ledger, and returns the ledger with it. Writes nothing, and takes no lock, if
/// they add nothing. `ledger` was read before; `before` returns the time of a provider's previous answer.
pub fn observe(
    paths: &Paths,
    ledger: Snapshot,
    answers: &[Answer<'_>],
    before: &dyn Fn(&str) -> Option<u64>,
) -> Result<History> {
    let all_news =
        |history: &History| answers.iter().flat_map(|answer| news(history, answer, before)).collect();
    let history = ledger.renewed()?;
    let entries: Vec<Entry> = all_news(&history);
    if entries.is_empty() { Ok(history) } else { file::update(paths, all_news) }
}

/// Returns the entries for what `answer` adds to `history`.
pub fn news(history: &History, answer: &Answer<'_>, before: &dyn Fn(&str) -> Option<u64>) -> Vec<Entry> {
    let mut entries = Vec::new();
    // The sighting of each stay.
    let mut listed: Vec<Option<&Sighting<'_>>> = vec![None; history.stays.len()];
    for sighting in answer.sightings {
        match history.place(answer.provider, sighting.id) {
            Some(place) => listed[place] = Some(sighting),
            None if sighting.over.is_none() => entries.push(begin(history, answer, sighting)),
            None => {}
        }
    }
    let stays = history.stays.iter().zip(listed);
    for (stay, sighting) in stays.filter(|(stay, _)| stay.end.is_none() && stay.provider == answer.provider) {
        // An answer from before the launch does not know it.
        if stay.from > answer.time {
            continue;
        }
        let reason = match sighting {
            None => "no longer listed",
            Some(Sighting { over: Some(reason), .. }) => reason,
            Some(_) => continue,
        };
        let entry = Entry::new(answer.time, Event::Ended, answer.provider);
        let mut entry = entry.about(Some(&stay.id), stay.name.as_deref()).because(reason);
        entry.last_seen = Some(before(answer.provider).unwrap_or(stay.from).max(stay.from));
        entries.push(entry);
    }
    let lost = history.wishes.iter().filter(|wish| is_lost(wish, answer));
    entries.extend(lost.map(|wish| {
        let entry = Entry::new(answer.time, Event::LaunchFailed, answer.provider);
        entry.about(None, Some(&wish.name)).because("no answer, and never listed")
    }));
    entries
}

/// Returns the entry for an instance that is new to the ledger.
fn begin(history: &History, answer: &Answer<'_>, sighting: &Sighting<'_>) -> Entry {
    let wish = history.wishes.iter().find(|wish| is_for(wish, answer, sighting));
    let event = if wish.is_some() { Event::Launched } else { Event::Seen };
    let mut entry = Entry::new(answer.time, event, answer.provider).about(Some(sighting.id), sighting.name);
    if let Some(wish) = wish {
        entry = entry.because("found by its name");
        entry.planned_minutes = wish.planned.map(|seconds| seconds / 60);
    }
    entry.kind = sighting.kind.map(str::to_owned).or_else(|| wish?.kind.clone());
    entry.region = sighting.region.map(str::to_owned).or_else(|| wish?.region.clone());
    entry.price_cents_per_hour = sighting.price_cents_per_hour.or_else(|| wish?.price_cents_per_hour);
    entry
}

fn is_for(wish: &Wish, answer: &Answer<'_>, sighting: &Sighting<'_>) -> bool {
    wish.provider == answer.provider && sighting.name == Some(wish.name.as_str())
}

fn is_lost(wish: &Wish, answer: &Answer<'_>) -> bool {
    let is_listed = answer.sightings.iter().any(|sighting| is_for(wish, answer, sighting));
    wish.provider == answer.provider && !is_listed && answer.time.saturating_sub(wish.asked) > LOST
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::history::tests::history;

    /// Describes the entries that an answer adds: `ID:NAME`, with `!` before an instance that is over.
    fn told(lines: &[&str], time: u64, before: Option<u64>, listed: &[&str]) -> Vec<String> {
        let sightings: Vec<Sighting<'_>> = listed
            .iter()
            .map(|text| {
                let over = text.starts_with('!').then_some("preempted");
                let (id, name) = text.trim_start_matches('!').split_once(':').unwrap();
                Sighting { id, name: Some(name), kind: None, region: None, price_cents_per_hour: None, over }
            })
            .collect();
        let answer = Answer { provider: "x", sightings: &sightings, time };
        let mut history = history(lines);
        let entries = news(&history, &answer, &|_| before);
        for entry in entries.clone() {
            history.add(entry);
        }
        assert!(news(&history, &answer, &|_| before).is_empty(), "the same answer adds nothing again");
        let told = |entry: &Entry| {
            let event = serde_json::to_string(&entry.event).unwrap();
            let seen = entry.last_seen.map(|seen| format!(" @{seen}")).unwrap_or_default();
            let reason = entry.reason.as_deref().unwrap_or("-");
            let id = entry.id.as_deref().unwrap_or("-");
            format!("{} {id}{seen}: {reason}", event.trim_matches('"'))
        };
        entries.iter().map(told).collect()
    }

    #[test]
    fn an_answer_adds_what_the_ledger_lacks() {
        let dev: &[&str] = &["10 launched a dev"];
        assert_eq!(told(&[], 50, None, &["a:dev"]), ["seen a: -"]);
        assert!(told(dev, 50, None, &["a:dev"]).is_empty());
        assert_eq!(told(dev, 50, Some(40), &[]), ["ended a @40: no longer listed"]);
        assert_eq!(told(dev, 50, None, &[]), ["ended a @10: no longer listed"]);
        assert_eq!(told(dev, 50, Some(40), &["!a:dev"]), ["ended a @40: preempted"]);
        assert!(told(&[], 50, None, &["!a:dev"]).is_empty(), "one that is over is not counted");
        assert!(told(dev, 9, None, &[]).is_empty(), "an answer from before the launch");
    }

    #[test]
    fn a_lost_answer_is_found_by_name_or_given_up() {
        let asked: &[&str] = &["10 launch-asked - dev"];
        assert_eq!(told(asked, 50, None, &["a:dev"]), ["launched a: found by its name"]);
        assert_eq!(told(asked, 50, None, &["a:other"]), ["seen a: -"]);
        assert!(told(asked, 610, None, &[]).is_empty(), "it may still appear");
        assert_eq!(told(asked, 611, None, &[]), ["launch-failed -: no answer, and never listed"]);
        assert_eq!(told(asked, 900, None, &["a:dev"]), ["launched a: found by its name"]);
    }
}
