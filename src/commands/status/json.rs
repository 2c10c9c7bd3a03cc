//! `soong status --json`. `docs/json.md` documents the format; fields are added, never renamed or removed,
//! while `api` stays the same.

use serde::{Serialize, Serializer};

use super::overview::{Overview, Row};
use crate::command_line;
use crate::error::Result;
use crate::instances::inventory::Status;
use crate::runtime::forward::Forward;
use crate::runtime::liveness::TunnelStatus;

/// Version of the format.
const API: u32 = 1;

#[derive(Serialize)]
struct Document<'a> {
    api: u32,
    instances: Instances<'a>,
    providers: Vec<Provider<'a>>,
}

/// Entries, made one after the other.
struct Instances<'a>(&'a [Row]);

impl Serialize for Instances<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(Entry::from))
    }
}

#[derive(Serialize)]
struct Entry<'a> {
    id: &'a str,
    name: &'a str,
    status: Status,
    stale: bool,
    host: Option<&'a str>,
    #[serde(rename = "type")]
    kind: Option<&'a str>,
    region: Option<&'a str>,
    price_cents_per_hour: Option<u64>,
    provider: Option<&'a str>,
    since: Option<u64>,
    cents_so_far: Option<u64>,
    at_least: Option<bool>,
    tunnel: Option<Tunnel<'a>>,
    lease_end: Option<u64>,
    gpu_load: Option<u8>,
    model: Option<&'a str>,
    idle_minutes: Option<u64>,
    why: Option<&'a str>,
}

#[derive(Serialize)]
struct Tunnel<'a> {
    state: TunnelStatus,
    pid: Option<u32>,
    last_error: Option<&'a str>,
    forwards: &'a [Forward],
}

#[derive(Serialize)]
struct Provider<'a> {
    name: &'a str,
    taken: Option<u64>,
    error: Option<String>,
}

/// Renders one line of JSON.
pub(super) fn render(overview: &Overview) -> Result<String> {
    let providers = overview.sources.iter().map(|source| Provider {
        name: &source.provider,
        taken: source.taken,
        error: source.error.as_ref().map(ToString::to_string),
    });
    let document =
        Document { api: API, instances: Instances(&overview.rows), providers: providers.collect() };
    command_line::json_line(&document)
}

impl<'a> From<&'a Row> for Entry<'a> {
    fn from(row: &'a Row) -> Self {
        Self {
            id: &row.id,
            name: &row.name,
            status: row.status,
            stale: row.stale,
            host: row.host.as_deref(),
            kind: row.kind.as_deref(),
            region: row.region.as_deref(),
            price_cents_per_hour: row.price_cents_per_hour,
            provider: row.provider.as_deref(),
            since: row.rental.map(|rental| rental.so_far.from),
            cents_so_far: row.rental.and_then(|rental| rental.so_far.cents),
            at_least: row.rental.map(|rental| rental.so_far.is_at_least),
            tunnel: row.tunnel.as_ref().map(|tunnel| Tunnel {
                state: tunnel.doing,
                pid: tunnel.pid,
                last_error: tunnel.last_error.as_deref(),
                forwards: &tunnel.forwards,
            }),
            lease_end: row.facts.lease_end,
            gpu_load: row.facts.gpu_load,
            model: row.facts.model.as_deref(),
            idle_minutes: row.facts.idle_minutes,
            why: row.facts.why.as_deref(),
        }
    }
}
