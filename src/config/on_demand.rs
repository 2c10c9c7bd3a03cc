//! The setting `on-demand`: whether a tunnel starts ssh only when something connects.

use std::time::Duration;

use serde::Deserialize;

/// Time without use after which an on-demand tunnel's ssh ends, if none is set.
const IDLE: Duration = Duration::from_secs(600);

/// Bounds of that time.
const SHORTEST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(30 * 86_400);

/// Value of `on-demand`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnDemand {
    /// The tunnel stays up.
    Off,
    /// ssh runs while clients are connected, and for [`IDLE`] after the last one.
    On,
    /// ssh runs while clients are connected, and for this time after the last one.
    After(Duration),
}

impl OnDemand {
    /// Parses the text of an option: `off`, `on`, or a duration such as `10m`.
    pub fn parse(text: &str) -> Result<Self, String> {
        match text {
            "off" => return Ok(Self::Off),
            "on" => return Ok(Self::On),
            _ => {}
        }
        let idle = humantime::parse_duration(text).ok();
        let idle = idle.filter(|idle| (SHORTEST..=LONGEST).contains(idle) && idle.subsec_nanos() == 0);
        idle.map(Self::After)
            .ok_or_else(|| "expected a duration such as 10m, from 1s to 30d, or off".to_owned())
    }

    /// Returns this choice, with the time of `written` if this is a plain [`OnDemand::On`].
    pub fn or_time_of(self, written: Option<Self>) -> Self {
        match (self, written) {
            (Self::On, Some(written @ Self::After(_))) => written,
            (chosen, _) => chosen,
        }
    }

    /// Returns the time without use after which ssh ends; `None` for a tunnel that stays up.
    pub fn idle(self) -> Option<Duration> {
        match self {
            Self::Off => None,
            Self::On => Some(IDLE),
            Self::After(idle) => Some(idle),
        }
    }
}

impl<'de> Deserialize<'de> for OnDemand {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Value {
            Switch(bool),
            Text(String),
        }
        match Value::deserialize(deserializer)? {
            Value::Switch(true) => Ok(Self::On),
            Value::Switch(false) => Ok(Self::Off),
            Value::Text(text) => Self::parse(&text).map_err(serde::de::Error::custom),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_a_switch_or_a_duration() {
        for (text, expected) in [
            ("off", OnDemand::Off),
            ("on", OnDemand::On),
            ("90s", OnDemand::After(Duration::from_secs(90))),
            ("1h 30m", OnDemand::After(Duration::from_secs(5400))),
        ] {
            assert_eq!(OnDemand::parse(text), Ok(expected), "{text}");
        }
        for text in ["", "0s", "10", "1ms", "31d", "-1s", "ten", "true"] {
            assert!(OnDemand::parse(text).is_err(), "{text}");
        }
    }
}
