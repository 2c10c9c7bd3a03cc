//! Output of a provider:
//!
//! ```json
//! {"api": 1, "instances": [
//!   {"id": "0920582c", "name": "train", "status": "active", "host": "192.0.2.7", "user": "ubuntu",
//!    "port": 22, "type": "gpu_1x_a10", "region": "us-west-1", "price_cents_per_hour": 75}]}
//! ```
//!
//! Only `api`, `instances` and each `id` are required; `null` means absent, and unknown fields are ignored. Texts
//! are unchecked and can contain control characters; code that shows them must escape them.

use std::collections::HashSet;
use std::fmt;

use serde::de::{SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use super::field::{API, Field, ID_MAX, Version, clipped, document, port, price, text};
use crate::config::address::{is_host, is_user};

/// Largest number of instances in an answer.
pub const INSTANCES_MAX: usize = 10_000;

/// A provider's answer, to be written: instances in the provider's order.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Answer<'a> {
    api: u64,
    instances: &'a [Listed],
}

/// An instance as its provider lists it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Listed {
    /// Id, unique within the provider; not empty.
    pub id: String,
    /// The owner's name for it.
    pub name: Option<String>,
    /// Status.
    pub status: Status,
    /// Address, if any. Unchecked: see [`Listed::fault`].
    pub host: Option<String>,
    /// User name. Unchecked: see [`Listed::fault`].
    pub user: Option<String>,
    /// Port of its SSH server.
    pub port: Option<u16>,
    /// Machine type.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// Region.
    pub region: Option<String>,
    /// Price per hour, in hundredths of the provider's currency.
    pub price_cents_per_hour: Option<u64>,
}

/// Status of an instance.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Starting, not reachable yet.
    Booting,
    /// Running.
    Active,
    /// Running, but unhealthy according to the provider.
    Unhealthy,
    /// Terminated.
    Terminated,
    /// Being terminated.
    Terminating,
    /// Taken away by the provider.
    Preempted,
    /// Missing or not known here.
    #[default]
    Unknown,
}

impl Status {
    /// Returns true for an instance that is gone, or about to be, for good.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Terminated | Self::Terminating | Self::Preempted)
    }

    /// Returns the word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Booting => "booting",
            Self::Active => "active",
            Self::Unhealthy => "unhealthy",
            Self::Terminated => "terminated",
            Self::Terminating => "terminating",
            Self::Preempted => "preempted",
            Self::Unknown => "unknown",
        }
    }

    /// Returns the status for a provider's `word`.
    pub fn from_word(word: &str) -> Self {
        match word {
            "booting" => Self::Booting,
            "active" => Self::Active,
            "unhealthy" => Self::Unhealthy,
            "terminated" => Self::Terminated,
            "terminating" => Self::Terminating,
            "preempted" => Self::Preempted,
            _ => Self::Unknown,
        }
    }
}

impl Listed {
    /// Returns the reason why ssh cannot be given this instance's address or user, if any.
    pub fn fault(&self) -> Option<&'static str> {
        if self.host.as_deref().is_some_and(|host| !is_host(host)) {
            Some("ssh does not accept its address")
        } else if self.user.as_deref().is_some_and(|user| !is_user(user)) {
            Some("ssh does not accept its user name")
        } else {
            None
        }
    }
}

#[derive(Deserialize)]
struct RawAnswer {
    #[serde(rename = "api")]
    _api: Version,
    instances: Option<Instances>,
}

#[derive(Deserialize)]
struct RawSingle<'a> {
    #[serde(rename = "api")]
    _api: Version,
    #[serde(borrow)]
    instance: Option<RawInstance<'a>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct RawInstance<'a> {
    #[serde(borrow)]
    id: Field<'a>,
    name: Field<'a>,
    status: Field<'a>,
    host: Field<'a>,
    user: Field<'a>,
    port: Field<'a>,
    #[serde(rename = "type")]
    kind: Field<'a>,
    region: Field<'a>,
    price_cents_per_hour: Field<'a>,
}

/// The list of instances, read one after the other.
#[derive(Default)]
struct Instances {
    /// Those before the first fault, at most [`INSTANCES_MAX`].
    listed: Vec<Listed>,
    /// Number of all.
    count: usize,
    /// The first fault.
    fault: Option<String>,
}

impl Instances {
    fn add(&mut self, raw: RawInstance<'_>) {
        if self.fault.is_none() && self.count < INSTANCES_MAX {
            match raw.read() {
                Ok(listed) => self.listed.push(listed),
                Err(reason) => self.fault = Some(format!("instances[{}]{reason}", self.count)),
            }
        }
        self.count += 1;
    }
}

impl<'de> Deserialize<'de> for Instances {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(InstancesVisitor)
    }
}

struct InstancesVisitor;

impl<'de> Visitor<'de> for InstancesVisitor {
    type Value = Instances;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a sequence")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut values: A) -> Result<Self::Value, A::Error> {
        let mut instances = Instances::default();
        while let Some(raw) = values.next_element()? {
            instances.add(raw);
        }
        Ok(instances)
    }
}

impl<'a> Answer<'a> {
    /// Returns the answer that lists `instances`.
    pub fn new(instances: &'a [Listed]) -> Self {
        Self { api: API, instances }
    }
}

/// Parses a provider's output into the instances that it lists, in its order; the error describes the fault.
pub fn parse(bytes: &[u8]) -> Result<Vec<Listed>, String> {
    let raw: RawAnswer = document(bytes)?;
    let Instances { listed: instances, count, fault } = raw.instances.ok_or("\"instances\" is missing")?;
    if count > INSTANCES_MAX {
        return Err(format!("it lists {count} instances; the maximum is {INSTANCES_MAX}"));
    }
    if let Some(fault) = fault {
        return Err(fault);
    }
    let mut ids = HashSet::with_capacity(instances.len());
    match instances.iter().find(|instance| !ids.insert(instance.id.as_str())) {
        Some(twice) => Err(format!("two instances have the id \"{}\"", twice.id)),
        None => Ok(instances),
    }
}

/// Answer to `launch` and `terminate`: one instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Single {
    api: u64,
    /// The instance.
    pub instance: Listed,
}

impl Single {
    /// Returns the answer with `instance`.
    pub fn new(instance: Listed) -> Self {
        Self { api: API, instance }
    }

    /// Parses a provider's output; the error describes the fault.
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        let raw: RawSingle<'_> = document(bytes)?;
        let raw = raw.instance.ok_or("\"instance\" is missing")?;
        raw.read().map(Self::new).map_err(|reason| format!("instance{reason}"))
    }
}

impl RawInstance<'_> {
    fn read(self) -> Result<Listed, String> {
        let id = match text(self.id, ".id")? {
            Some(id) if id.len() > ID_MAX => return Err(format!(".id is longer than {ID_MAX} bytes")),
            Some(id) => id.into_owned(),
            None => return Err(" has no id".to_owned()),
        };
        Ok(Listed {
            id,
            name: text(self.name, ".name")?.map(clipped),
            status: text(self.status, ".status")?.map_or(Status::Unknown, |word| Status::from_word(&word)),
            host: text(self.host, ".host")?.map(clipped),
            user: text(self.user, ".user")?.map(clipped),
            port: port(&self.port)?,
            kind: text(self.kind, ".type")?.map(clipped),
            region: text(self.region, ".region")?.map(clipped),
            price_cents_per_hour: price(&self.price_cents_per_hour)?,
        })
    }
}

#[cfg(test)]
mod tests;
