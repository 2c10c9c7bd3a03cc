//! Months in a time zone.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

/// A month of the calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Month {
    first: Date,
}

impl Month {
    /// Returns the month of `moment`, in seconds since the epoch.
    pub fn of(moment: u64, zone: &TimeZone) -> Self {
        let moment = i64::try_from(moment).ok().and_then(|moment| Timestamp::from_second(moment).ok());
        Self { first: moment.unwrap_or(Timestamp::MAX).to_zoned(zone.clone()).date().first_of_month() }
    }

    /// Returns the next month; the last one that can be shown has none.
    #[must_use]
    pub fn next(self) -> Option<Self> {
        let last = self.first.last_of_month();
        last.tomorrow().ok().map(|first| Self { first })
    }

    /// Returns its first second and the first one after it, in seconds since the epoch.
    pub fn bounds(self, zone: &TimeZone) -> (u64, u64) {
        let second = |date: Date| {
            let zoned = date.to_zoned(zone.clone()).ok();
            zoned.map(|zoned| zoned.timestamp().as_second()).map(|second| u64::try_from(second).unwrap_or(0))
        };
        let end = self.next().and_then(|next| second(next.first));
        (second(self.first).unwrap_or(0), end.unwrap_or(u64::MAX))
    }
}

impl fmt::Display for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}", self.first.year(), self.first.month())
    }
}

impl FromStr for Month {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parse = || {
            let (year, month) = text.split_once('-')?;
            let is_number = |text: &str, length: usize| {
                text.len() == length && text.bytes().all(|byte| byte.is_ascii_digit())
            };
            if !is_number(year, 4) || !is_number(month, 2) {
                return None;
            }
            let first = Date::new(year.parse().ok()?, month.parse().ok()?, 1).ok()?;
            (first.year() >= 1970).then_some(Self { first })
        };
        parse().ok_or_else(|| "a month is written like 2026-11".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn months_begin_at_midnight_of_the_zone() {
        let november: Month = "2026-11".parse().unwrap();
        assert_eq!(november.bounds(&TimeZone::UTC), (1_793_491_200, 1_796_083_200));
        let east = TimeZone::fixed(jiff::tz::offset(2));
        assert_eq!(november.bounds(&east), (1_793_484_000, 1_796_076_000));
        assert_eq!(Month::of(1_793_484_000, &east), november);
        assert_eq!(Month::of(1_793_484_000, &TimeZone::UTC).to_string(), "2026-10");
        assert_eq!("2026-12".parse::<Month>().unwrap().next().unwrap().to_string(), "2027-01");
        assert_eq!(Month::of(u64::MAX, &TimeZone::UTC).next(), None);
    }

    #[test]
    fn only_months_are_months() {
        for text in [
            "2026-13",
            "2026-00",
            "2026-1",
            "26-01",
            "2026-11-01",
            "",
            "-",
            "1969-12",
            "２０２６-11",
            "+026-11",
        ] {
            assert!(text.parse::<Month>().is_err(), "{text}");
        }
    }
}
