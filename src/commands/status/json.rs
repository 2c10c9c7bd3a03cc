//! `soong status --json`. `docs/json.md` documents the format; fields are added, never renamed or removed,
//! while `api` stays the same.

use serde::Serialize;

use super::overview::{self, Overview, Row};
use crate::error::Result;
use crate::json_text::JsonText;
use crate::runtime::forward::Forward;
use crate::runtime::liveness::TunnelStatus;

/// Version of the format.
const API: u32 = 1;
/// Usual length of an instance, in bytes.
const INSTANCE_LENGTH: usize = 350;

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
    let mut json = JsonText::with_capacity(INSTANCE_LENGTH * overview.rows.len());
    json.number("{\"api\":", Some(API));
    json.list(",\"instances\":", &overview.rows, write)?;
    json.value(",\"providers\":", &providers.collect::<Vec<_>>())?;
    json.json("}\n");
    Ok(json.into_string())
}

/// Writes an instance.
fn write(json: &mut JsonText, row: &Row) -> Result<()> {
    let rental = row.rental.map(|rental| rental.so_far);
    json.string(r#"{"id":"#, Some(&row.id));
    json.string(r#","name":"#, Some(&row.name));
    json.string(r#","status":"#, Some(row.status.word()));
    json.flag(r#","stale":"#, Some(row.stale));
    json.string(r#","host":"#, row.host.as_deref());
    json.string(r#","type":"#, row.kind.as_deref());
    json.string(r#","region":"#, row.region.as_deref());
    json.number(r#","price_cents_per_hour":"#, row.price_cents_per_hour);
    json.string(r#","provider":"#, row.provider.as_deref());
    json.number(r#","since":"#, rental.map(|cost| cost.from));
    json.number(r#","cents_so_far":"#, rental.and_then(|cost| cost.cents));
    json.flag(r#","at_least":"#, rental.map(|cost| cost.is_at_least));
    match &row.tunnel {
        Some(tunnel) => json.value(r#","tunnel":"#, &Tunnel::from(tunnel))?,
        None => json.json(r#","tunnel":null"#),
    }
    json.number(r#","lease_end":"#, row.facts.lease_end);
    json.number(r#","gpu_load":"#, row.facts.gpu_load);
    json.string(r#","model":"#, row.facts.model.as_deref());
    json.number(r#","idle_minutes":"#, row.facts.idle_minutes);
    json.string(r#","why":"#, row.facts.why.as_deref());
    json.json("}");
    Ok(())
}

impl<'a> From<&'a overview::Tunnel> for Tunnel<'a> {
    fn from(tunnel: &'a overview::Tunnel) -> Self {
        Self {
            state: tunnel.doing,
            pid: tunnel.pid,
            last_error: tunnel.last_error.as_deref(),
            forwards: &tunnel.forwards,
        }
    }
}
