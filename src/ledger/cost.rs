//! Cost of stays: pure functions of the history, a period and the present.
//!
//! Amounts are in cents, hundredths of the provider's currency, rounded up per instance. Times are in seconds
//! since the epoch.

use super::history::{History, Stay, Wish};

/// An end that was noticed later than this after the last sight is uncertain.
const CERTAIN: u64 = 600;

/// Cost of a stay within a period.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cost {
    /// Begin of the part that counts.
    pub from: u64,
    /// End of the part that counts.
    pub to: u64,
    /// Amount; `None` without a price.
    pub cents: Option<u64>,
    /// True if the real amount may be higher.
    pub is_at_least: bool,
}

impl Stay {
    /// Returns the end as far as it counts: until then, the instance is known to have run. The flag is true if
    /// it may have run longer.
    fn counted_end(&self, now: u64) -> (u64, bool) {
        match &self.end {
            None => (now, false),
            Some(end) if end.noticed.saturating_sub(end.last_seen) <= CERTAIN => (end.noticed, false),
            Some(end) => (end.last_seen, true),
        }
    }

    /// Returns the cost from `begin` to `end`; `None` if nothing of the stay is in that period.
    pub fn cost(&self, (begin, end): (u64, u64), now: u64) -> Option<Cost> {
        let (until, is_open) = self.counted_end(now);
        let (from, to) = (self.from.max(begin), until.min(end));
        // An instance that has just been launched counts, with nothing yet.
        if from > to || from >= end || (until < begin || until == begin && self.from < begin) {
            return None;
        }
        let began_before = !self.is_launched && self.from >= begin;
        let ran_on = is_open && until < end;
        let cents = self.price_cents_per_hour.map(|price| cents(price, to - from));
        Some(Cost { from, to, cents, is_at_least: began_before || ran_on || cents.is_none() })
    }

    /// Returns the whole cost until `now`.
    pub fn cost_so_far(&self, now: u64) -> Cost {
        let whole = self.cost((0, u64::MAX), now);
        whole.unwrap_or(Cost { from: self.from, to: self.from, cents: Some(0), is_at_least: true })
    }

    /// Returns what the stay will have cost within a period once its planned time is over.
    fn committed(&self, (begin, end): (u64, u64), now: u64) -> u64 {
        let Some(price) = self.price_cents_per_hour else { return 0 };
        let until = match (&self.end, self.planned) {
            (None, Some(planned)) => now.max(self.from.saturating_add(planned)),
            _ => self.counted_end(now).0,
        };
        cents(price, until.min(end).saturating_sub(self.from.max(begin)))
    }
}

impl Wish {
    /// Returns what the launch would cost within a period.
    fn committed(&self, (begin, end): (u64, u64)) -> u64 {
        let until = self.asked.saturating_add(self.planned.unwrap_or(0));
        let length = until.min(end).saturating_sub(self.asked.max(begin));
        self.price_cents_per_hour.map_or(0, |price| cents(price, length))
    }
}

impl History {
    /// Returns the stays with their cost within a period.
    pub fn costs(&self, period: (u64, u64), now: u64) -> Vec<(&Stay, Cost)> {
        self.stays.iter().filter_map(|stay| Some((stay, stay.cost(period, now)?))).collect()
    }

    /// Returns the cost of a period until now.
    pub fn spent(&self, period: (u64, u64), now: u64) -> u64 {
        let costs = self.costs(period, now).into_iter();
        costs.filter_map(|(_, cost)| cost.cents).fold(0, u64::saturating_add)
    }

    /// Returns the cost of a period including the rest of the time for which instances are rented, and launches
    /// without an outcome.
    pub fn committed(&self, period: (u64, u64), now: u64) -> u64 {
        let stays = self.stays.iter().map(|stay| stay.committed(period, now));
        let wishes = self.wishes.iter().map(|wish| wish.committed(period));
        stays.chain(wishes).fold(0, u64::saturating_add)
    }
}

/// Returns the price of `seconds`, rounded up.
pub fn cents(price_per_hour: u64, seconds: u64) -> u64 {
    let exact = (u128::from(price_per_hour) * u128::from(seconds)).div_ceil(3600);
    u64::try_from(exact).unwrap_or(u64::MAX)
}

/// Returns an amount for people: `$12.05`.
pub fn dollars(cents: u64) -> String {
    format!("${}.{:02}", cents / 100, cents % 100)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::history::tests::history;

    const HOUR: u64 = 3600;
    /// A month for the tests: 100 hours, from hour 100 on.
    const MONTH: (u64, u64) = (100 * HOUR, 200 * HOUR);

    /// Describes the costs within the month when `now` is the given hour.
    fn told(now: u64, lines: &[&str]) -> Vec<String> {
        let hours = |word: &str| match word.strip_prefix('@') {
            Some(hour) => format!("@{}", hour.parse::<u64>().unwrap() * HOUR),
            None => word.to_owned(),
        };
        let scaled: Vec<String> = lines
            .iter()
            .map(|line| {
                let (time, rest) = line.split_once(' ').unwrap();
                let time = time.parse::<u64>().unwrap() * HOUR;
                format!("{time} {}", rest.split(' ').map(hours).collect::<Vec<_>>().join(" "))
            })
            .collect();
        let history = history(&scaled.iter().map(String::as_str).collect::<Vec<_>>());
        let costs = history.costs(MONTH, now * HOUR);
        let told = |(stay, cost): &(&Stay, Cost)| {
            let cents = cost.cents.map_or("?".to_owned(), |cents| cents.to_string());
            let plus = if cost.is_at_least { "+" } else { "" };
            format!("{} {}-{} {cents}{plus}", stay.id, cost.from / HOUR, cost.to / HOUR)
        };
        costs.iter().map(told).collect()
    }

    #[test]
    fn histories_cost_what_they_cost() {
        let table: &[(&str, u64, &[&str], &[&str])] = &[
            ("a running one", 112, &["110 launched a dev $100"], &["a 110-112 200"]),
            ("just launched", 110, &["110 launched a dev $100"], &["a 110-110 0"]),
            ("one that is over", 150, &["110 launched a dev $100", "113 ended a"], &["a 110-113 300"]),
            ("from the month before", 103, &["90 launched a dev $100"], &["a 100-103 300"]),
            ("into the next month", 230, &["198 launched a dev $100", "210 ended a"], &["a 198-200 200"]),
            ("through the whole month", 300, &["90 launched a dev $1", "210 ended a"], &["a 100-200 100"]),
            ("before the month", 150, &["10 launched a dev $1", "99 ended a"], &[]),
            ("ended as the month began", 150, &["10 launched a dev $1", "100 ended a"], &[]),
            ("after the month", 250, &["200 launched a dev $1"], &[]),
            ("not launched here", 112, &["110 seen a dev $100"], &["a 110-112 200+"]),
            ("not launched here, but seen before the month", 112, &["90 seen a dev $1"], &["a 100-112 12"]),
            (
                "an end noticed late",
                190,
                &["110 launched a dev $100", "180 ended a - @112"],
                &["a 110-112 200+"],
            ),
            (
                "an end noticed late in another month",
                250,
                &["110 launched a dev $1", "240 ended a - @220"],
                &["a 110-200 90"],
            ),
            (
                "an end asked for",
                190,
                &["110 launched a dev $100", "112 terminate-asked a", "112 ended a - @111"],
                &["a 110-112 200"],
            ),
            ("without a price", 112, &["110 launched a dev"], &["a 110-112 ?+"]),
            ("a launch without an outcome", 112, &["110 launch-asked - dev $100"], &[]),
            (
                "found by its name",
                112,
                &["110 launch-asked - dev $100", "111 launched a dev"],
                &["a 110-112 200"],
            ),
            ("in the future", 105, &["110 launched a dev $100"], &[]),
            (
                "twice",
                150,
                &["110 seen a $100", "111 ended a", "113 seen a $100", "114 ended a"],
                &["a 110-111 100+", "a 113-114 100+"],
            ),
        ];
        for (name, now, lines, expected) in table {
            assert_eq!(&told(*now, lines), expected, "{name}");
        }
    }

    #[test]
    fn amounts_are_rounded_up_and_never_overflow() {
        assert_eq!(cents(129, 3600), 129);
        assert_eq!(cents(129, 1), 1);
        assert_eq!(cents(0, 1000), 0);
        assert_eq!(cents(u64::MAX, u64::MAX), u64::MAX);
        assert_eq!(dollars(5), "$0.05");
        assert_eq!(dollars(123_456), "$1234.56");
    }

    #[test]
    fn rented_time_is_spoken_for() {
        let lines =
            ["396000 launched a dev $100 +240", "396000 launch-asked - b $50 +120", "396000 seen c $10"];
        let history = history(&lines);
        let now = 110 * HOUR + 1800;
        assert_eq!(history.spent(MONTH, now), 50 + 5);
        assert_eq!(history.committed(MONTH, now), 400 + 100 + 5);
        // Beyond the planned time, it goes on.
        assert_eq!(history.committed(MONTH, 120 * HOUR), 1000 + 100 + 100);
    }
}
