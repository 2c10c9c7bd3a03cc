//! A line of the ledger.

use serde::{Deserialize, Serialize};

/// Longest text of a field, in characters; longer ones are clipped.
const TEXT_MAX: usize = 256;

/// An event in the life of a rented instance. Missing fields are not written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Time of the event, in seconds since the epoch.
    pub time: u64,
    /// Kind of the event.
    pub event: Event,
    /// Provider of the instance.
    pub provider: String,
    /// The provider's id; missing before the provider has given one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Name of the instance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Type of the machine.
    #[serde(default, skip_serializing_if = "Option::is_none", rename = "type")]
    pub kind: Option<String>,
    /// Region.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// Price, in hundredths of the provider's currency.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price_cents_per_hour: Option<u64>,
    /// Time for which the user rents it, in minutes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub planned_minutes: Option<u64>,
    /// Last moment at which the provider listed an instance that has ended, in seconds since the epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_seen: Option<u64>,
    /// Reason of a failure or an end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// Kinds of events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Event {
    /// A launch is about to be requested.
    LaunchAsked,
    /// The provider has launched the instance.
    Launched,
    /// The launch has done all its steps, such as opening the tunnel.
    Ready,
    /// The launch failed, and no instance exists.
    LaunchFailed,
    /// The end is about to be requested.
    TerminateAsked,
    /// The instance has ended.
    Ended,
    /// A provider lists an instance that soong did not launch.
    Seen,
}

impl Entry {
    /// Returns an entry with `time`, `event` and `provider`.
    pub fn new(time: u64, event: Event, provider: &str) -> Self {
        Self {
            time,
            event,
            provider: clipped(provider),
            id: None,
            name: None,
            kind: None,
            region: None,
            price_cents_per_hour: None,
            planned_minutes: None,
            last_seen: None,
            reason: None,
        }
    }

    /// Returns the entry about the instance with this id and name.
    #[must_use]
    pub fn about(mut self, id: Option<&str>, name: Option<&str>) -> Self {
        self.id = id.map(str::to_owned);
        self.name = name.map(clipped);
        self
    }

    /// Returns the entry with `reason`.
    #[must_use]
    pub fn because(mut self, reason: &str) -> Self {
        self.reason = Some(clipped(reason));
        self
    }

    /// Returns the planned time, in seconds.
    pub(super) fn planned(&self) -> Option<u64> {
        self.planned_minutes.map(|minutes| minutes.saturating_mul(60))
    }
}

fn clipped(text: &str) -> String {
    text.chars().take(TEXT_MAX).collect()
}
