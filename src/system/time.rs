//! Times for people: local time, and distances in time.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// Returns seconds since the epoch.
pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_secs())
}

/// Returns `18:30 (in 5 h 12 min)` for a moment today, otherwise with the date, in local time. Both moments
/// are in seconds since the epoch.
pub fn clock_and_distance(moment: u64, now: u64) -> String {
    format!("{} ({})", clock(moment, now, &TimeZone::system()), distance(moment, now))
}

/// Returns `2026-11-27 18:30` in local time.
pub fn date_and_clock(moment: u64) -> String {
    // The epoch has no "today".
    clock(moment, 0, &TimeZone::system())
}

/// Returns `11-27 18:30` in `zone`.
pub fn day_and_clock(moment: u64, zone: &TimeZone) -> String {
    let timestamp = i64::try_from(moment).ok().and_then(|moment| Timestamp::from_second(moment).ok());
    let local = timestamp.map(|timestamp| timestamp.to_zoned(zone.clone()));
    local.map_or_else(|| "unknown".to_owned(), |local| local.strftime("%m-%d %H:%M").to_string())
}

fn clock(moment: u64, now: u64, zone: &TimeZone) -> String {
    let local = |seconds: u64| {
        let timestamp = i64::try_from(seconds).ok().and_then(|seconds| Timestamp::from_second(seconds).ok());
        timestamp.map(|timestamp| timestamp.to_zoned(zone.clone()))
    };
    match (local(moment), local(now)) {
        (Some(then), Some(today)) if then.date() == today.date() => then.strftime("%H:%M").to_string(),
        (Some(then), _) => then.strftime("%Y-%m-%d %H:%M").to_string(),
        (None, _) => "unknown time".to_owned(),
    }
}

/// Returns `in 5 h 12 min`, `3 min ago` or `now`.
fn distance(moment: u64, now: u64) -> String {
    match moment.abs_diff(now) {
        0 => "now".to_owned(),
        seconds if moment > now => format!("in {}", span(seconds)),
        seconds => format!("{} ago", span(seconds)),
    }
}

/// Returns a duration in its two largest units: `45 s`, `12 min`, `5 h 12 min`, `3 d 4 h`.
pub fn span(seconds: u64) -> String {
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, _) => format!("{minutes} min"),
        (0, _, _) => two(hours, "h", minutes % 60, "min"),
        _ => two(days, "d", hours % 24, "h"),
    }
}

/// Returns how long a state has lasted, for after its name: ` for 5 h 12 min`; nothing within its first second.
pub fn lasting(seconds: u64) -> String {
    if seconds == 0 { String::new() } else { format!(" for {}", span(seconds)) }
}

/// Returns a duration in at most six columns: `0m`, `12m`, `5h12m`, `3d4h`.
pub fn narrow_span(seconds: u64) -> String {
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    match (days, hours) {
        (0, 0) => format!("{minutes}m"),
        (0, _) => format!("{hours}h{}m", minutes % 60),
        (1..100, _) => format!("{days}d{}h", hours % 24),
        _ => format!("{}d", days.min(99_999)),
    }
}

fn two(large: u64, large_unit: &str, small: u64, small_unit: &str) -> String {
    if small == 0 {
        format!("{large} {large_unit}")
    } else {
        format!("{large} {large_unit} {small} {small_unit}")
    }
}

/// Parses a length of time: `90m`, `2h30m`, `1d`, or hours without unit, `2` or `1.5`. At least a minute and
/// at most a month.
pub fn parse_length(text: &str) -> Result<Duration, String> {
    const MONTH: Duration = Duration::from_secs(720 * 3600);
    const MINUTE: Duration = Duration::from_secs(60);
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    let length = if is_number {
        let hours = text.parse::<f64>().ok().filter(|hours| *hours <= 720.0);
        hours.map(|hours| Duration::from_secs_f64((hours * 3600.0).round()))
    } else {
        humantime::parse_duration(text).ok()
    };
    let expected = "hours such as 2 or 1.5, or a duration such as 90m or 2h30m; at most 720 hours";
    length.filter(|length| (MINUTE..=MONTH).contains(length)).ok_or_else(|| expected.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_have_two_units_at_most() {
        let table = [
            (0, "0 s"),
            (59, "59 s"),
            (60, "1 min"),
            (3600, "1 h"),
            (18_720, "5 h 12 min"),
            (273_600, "3 d 4 h"),
        ];
        for (seconds, text) in table {
            assert_eq!(span(seconds), text);
        }
        assert_eq!((lasting(0).as_str(), lasting(1).as_str()), ("", " for 1 s"));
        for (seconds, text) in
            [(59, "0m"), (3599, "59m"), (18_720, "5h12m"), (8_636_399, "99d22h"), (u64::MAX, "99999d")]
        {
            assert_eq!(narrow_span(seconds), text);
        }
    }

    #[test]
    fn a_moment_today_needs_no_date() {
        let noon = 1_767_355_200; // 2026-01-02T12:00:00Z
        assert_eq!(clock(noon + 3600, noon, &TimeZone::UTC), "13:00");
        assert_eq!(clock(noon + 86_400, noon, &TimeZone::UTC), "2026-01-03 12:00");
        assert_eq!(clock(u64::MAX, noon, &TimeZone::UTC), "unknown time");
        assert_eq!(distance(noon + 60, noon), "in 1 min");
        assert_eq!(distance(noon, noon + 7200), "2 h ago");
    }

    #[test]
    fn lengths_are_hours_or_have_units() {
        let table = [
            ("2", 7200),
            ("1.5", 5400),
            ("90m", 5400),
            ("2h30m", 9000),
            ("2h 30m", 9000),
            ("1d", 86_400),
            ("720", 2_592_000),
            ("0.25", 900),
        ];
        for (text, seconds) in table {
            assert_eq!(parse_length(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for text in ["0", "0h", "30s", "721", "31d", "-1", "two", "", ".", "1e9", "inf", "2 x", "99999999999"]
        {
            assert!(parse_length(text).is_err(), "{text}");
        }
    }
}
