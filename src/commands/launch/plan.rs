//! The plan that the user agrees to, and the budget: pure functions.

use std::time::Duration;

use jiff::tz::TimeZone;

use super::choice::Candidate;
use crate::error::{Error, Result};
use crate::ledger::History;
use crate::ledger::cost::{cents, dollars};
use crate::ledger::month::Month;
use crate::system::time::span;
use crate::terminal::printable;

/// Percentage of the budget from which a plan warns.
const WARNING: u64 = 80;
/// Number of offers to show.
const SHOWN: usize = 5;

/// The months that a launch touches, each with what it will have cost, with the launch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Forecast {
    /// Month, its cost until now, and its cost with all that is rented and this launch.
    months: Vec<(Month, u64, u64)>,
    budget: Option<u64>,
}

impl Forecast {
    /// Returns the forecast for a launch at `price` for `time` from `now` on.
    pub fn new(
        history: &History,
        price: u64,
        time: Duration,
        budget: Option<u64>,
        now: u64,
        zone: &TimeZone,
    ) -> Self {
        let end = now.saturating_add(time.as_secs());
        let mut months = Vec::new();
        let mut month = Some(Month::of(now, zone));
        while let Some(this) = month {
            let period = this.bounds(zone);
            if period.0 >= end && !months.is_empty() {
                break;
            }
            let mine = cents(price, end.min(period.1).saturating_sub(now.max(period.0)));
            let before = history.spent(period, now);
            months.push((this, before, history.committed(period, now).saturating_add(mine)));
            month = this.next();
        }
        Self { months, budget }
    }

    /// Refuses a launch beyond the budget.
    pub fn check(&self, over_budget: bool) -> Result<()> {
        let Some(budget) = self.budget.filter(|_| !over_budget) else { return Ok(()) };
        match self.months.iter().find(|(_, _, sum)| *sum > budget) {
            None => Ok(()),
            Some((month, _, sum)) => Err(Error::failed(format!(
                "{month} would cost {} with this launch, more than the budget of {}",
                dollars(*sum),
                dollars(budget)
            ))
            .with_hint("launch all the same: --over-budget; see what costs: soong cost")),
        }
    }

    /// Returns the lines of the plan about months.
    fn lines(&self) -> String {
        let line = |(month, before, sum): &(Month, u64, u64)| {
            let of = self.budget.map(|budget| format!(" of {}", dollars(budget))).unwrap_or_default();
            let percent = |budget: u64| u128::from(*sum) * 100 / u128::from(budget.max(1));
            let warning = self.budget.map(percent).filter(|percent| *percent >= u128::from(WARNING));
            let warning =
                warning.map(|percent| format!("\n  warning: {percent} % of the budget")).unwrap_or_default();
            format!(
                "  {month}: {} so far, {}{of} with this launch{warning}\n",
                dollars(*before),
                dollars(*sum)
            )
        };
        self.months.iter().map(line).collect()
    }
}

/// Facts of a plan besides offers and costs.
#[derive(Debug, Clone, Default)]
pub(super) struct Facts {
    pub name: String,
    pub provider: String,
    pub time: Duration,
    pub has_guard: bool,
    pub filesystems: Vec<String>,
    pub recipe: Option<String>,
    /// Highest price that the user agrees to while waiting for capacity.
    pub ceiling: Option<u64>,
}

/// Renders the plan for `candidates`; without any, for a wait until there is capacity.
pub(super) fn render(facts: &Facts, candidates: &[Candidate], forecast: &Forecast) -> String {
    let mut text = format!("Launch {} at {}\n", printable(&facts.name), printable(&facts.provider));
    for (index, candidate) in candidates.iter().take(SHOWN).enumerate() {
        text.push_str(&offer_line(candidate, index));
    }
    if candidates.len() > SHOWN {
        text.push_str(&format!("     and {} more\n", candidates.len() - SHOWN));
    }
    let highest = candidates.iter().map(|candidate| candidate.offer.price_cents_per_hour).max();
    let price = match (candidates.first(), facts.ceiling) {
        (Some(first), _) => first.offer.price_cents_per_hour,
        (None, Some(ceiling)) => {
            text.push_str(&format!("  the first offer with capacity, at most {}/h\n", dollars(ceiling)));
            ceiling
        }
        (None, None) => 0,
    };
    let cost = |price: u64| dollars(cents(price, facts.time.as_secs()));
    let at_most = highest.filter(|highest| *highest > price);
    let at_most = at_most.map(|highest| format!(", at most {}", cost(highest))).unwrap_or_default();
    text.push_str(&format!("  {}: {}{at_most}\n", span(facts.time.as_secs()), cost(price)));
    text.push_str(&if facts.has_guard {
        "  the status daemon ends it after that time, or when nothing uses it\n".to_owned()
    } else {
        format!("  nothing ends it but 'soong terminate {}'\n", printable(&facts.name))
    });
    if !facts.filesystems.is_empty() {
        text.push_str(&format!("  file systems: {}\n", printable(&facts.filesystems.join(", "))));
    }
    if let Some(recipe) = &facts.recipe {
        text.push_str(&format!("  recipe: {}\n", printable(recipe)));
    }
    text.push_str(&forecast.lines());
    text
}

fn offer_line(candidate: &Candidate, index: usize) -> String {
    let offer = &candidate.offer;
    let gpu = offer.gpu.as_ref().map(|gpu| {
        let memory = offer.memory_gib.map(|memory| format!(" {memory} GiB")).unwrap_or_default();
        format!(", {}x {}{memory}", offer.count, printable(gpu))
    });
    format!(
        "  {}  {} in {}{}, {}/h\n",
        index + 1,
        printable(&offer.type_name),
        printable(&candidate.region),
        gpu.unwrap_or_default(),
        dollars(offer.price_cents_per_hour)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::instances::provider::Offer;
    use crate::ledger::{Entry, Event};

    const NOON: u64 = 1_793_534_400; // 2026-11-01T12:00:00Z
    const HOUR: u64 = 3600;

    fn history(price: u64, hours: u64) -> History {
        let mut history = History::default();
        history.add(Entry {
            price_cents_per_hour: Some(price),
            planned_minutes: Some(hours * 60),
            ..Entry::new(NOON - 2 * HOUR, Event::Launched, "x").about(Some("a"), Some("a"))
        });
        history
    }

    fn forecast(history: &History, price: u64, hours: u64, budget: u64) -> Forecast {
        Forecast::new(history, price, Duration::from_secs(hours * HOUR), Some(budget), NOON, &TimeZone::UTC)
    }

    #[test]
    fn what_is_rented_counts_in_full() {
        let history = history(100, 10);
        // 2 h so far, 8 h to come, and this launch.
        assert!(forecast(&history, 100, 10, 2000).check(false).is_ok());
        let beyond = forecast(&history, 100, 10, 1999);
        assert_eq!(
            beyond.check(false).unwrap_err().to_string(),
            "2026-11 would cost $20.00 with this launch, more than the budget of $19.99"
        );
        assert!(beyond.check(true).is_ok());
        assert!(
            beyond
                .lines()
                .starts_with("  2026-11: $2.00 so far, $20.00 of $19.99 with this launch\n  warning: 100 %")
        );
        assert!(!forecast(&history, 100, 10, 2600).lines().contains("warning"));
        assert!(forecast(&history, 100, 10, 2500).lines().contains("warning: 80 % of the budget"));
        assert!(forecast(&History::default(), 100, 1, 100).check(false).is_ok());
    }

    #[test]
    fn every_month_that_it_touches_is_checked() {
        let month = 30 * 24;
        let long = forecast(&History::default(), 100, month, 70_900);
        assert_eq!(long.months.len(), 2, "{long:?}");
        assert_eq!(long.months[0].2 + long.months[1].2, 72_000);
        assert!(long.check(false).is_ok());
        let Forecast { months, .. } = forecast(&History::default(), 100, 24, 1);
        assert_eq!(months.len(), 1);
    }

    #[test]
    fn a_plan_says_what_where_and_how_much() {
        let offer = Offer {
            type_name: "gpu_1x_h100".into(),
            gpu: Some("H100".into()),
            count: 1,
            memory_gib: Some(80),
            price_cents_per_hour: 249,
            ..Offer::default()
        };
        let candidates = [Candidate { offer: offer.clone(), region: "us-west-1".into() }];
        let facts = Facts {
            name: "dev".into(),
            provider: "lambda".into(),
            time: Duration::from_secs(4 * HOUR),
            ..Facts::default()
        };
        let forecast = forecast(&History::default(), 249, 4, 20_000);
        assert_eq!(
            render(&facts, &candidates, &forecast),
            "Launch dev at lambda\n  1  gpu_1x_h100 in us-west-1, 1x H100 80 GiB, $2.49/h\n  4 h: $9.96\n  \
             nothing ends it but 'soong terminate dev'\n  2026-11: $0.00 so far, $9.96 of $200.00 with this launch\n"
        );
        let dearer =
            Candidate { offer: Offer { price_cents_per_hour: 300, ..offer }, region: "\u{1b}[2J".into() };
        let text = render(&facts, &[candidates[0].clone(), dearer], &forecast);
        assert!(text.contains("  4 h: $9.96, at most $12.00\n") && !text.contains('\u{1b}'), "{text}");
        let waiting = Facts { ceiling: Some(300), has_guard: true, ..facts };
        let text = render(&waiting, &[], &forecast);
        assert!(text.contains("  the first offer with capacity, at most $3.00/h\n  4 h: $12.00\n"), "{text}");
        assert!(text.contains("the status daemon ends it"), "{text}");
    }
}
