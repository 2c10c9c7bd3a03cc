//! From what is known to what is shown. Values in, text out.

use std::ffi::OsString;

use serde_json::Value;
use soong::system::time::span;
use soong::terminal::printable;

use crate::metrics::Metrics;

/// How many characters the bar of the GPU has.
const BAR: u64 = 20;

/// One instance.
pub struct Row {
    name: String,
    tunnel: String,
    gpu: Option<u64>,
    model: Option<String>,
    lease_end: Option<u64>,
    requests: Option<Result<Metrics, String>>,
}

/// The instances in what `soong status --json` prints.
pub fn instances(status: &Value) -> impl Iterator<Item = &Value> {
    status["instances"].as_array().into_iter().flatten()
}

/// The local port of `service`, if the tunnel to `instance` is up.
pub fn port(instance: &Value, service: &str) -> Option<u16> {
    let tunnel = &instance["tunnel"];
    let forwards = tunnel["forwards"].as_array().filter(|_| tunnel["state"] == "up")?;
    let forward = forwards.iter().find(|forward| forward["service"] == service)?;
    forward["local"].as_u64()?.try_into().ok()
}

impl Row {
    /// The row of `instance`; `requests` is what its SGLang says, if it could be asked.
    pub fn new(instance: &Value, requests: Option<Result<Metrics, String>>) -> Self {
        let text = |value: &Value| value.as_str().map(|text| printable(text).into_owned());
        Self {
            name: text(&instance["name"]).unwrap_or_default(),
            tunnel: text(&instance["tunnel"]["state"]).unwrap_or_else(|| "no tunnel".to_owned()),
            gpu: instance["gpu_load"].as_u64().map(|load| load.min(100)),
            model: text(&instance["model"]),
            lease_end: instance["lease_end"].as_u64(),
            requests,
        }
    }
}

/// A few lines per instance.
pub fn render(rows: &[Row], now: u64) -> String {
    if rows.is_empty() {
        return "No instances\n".to_owned();
    }
    rows.iter().map(|row| block(row, now)).collect::<Vec<_>>().join("\n")
}

fn block(row: &Row, now: u64) -> String {
    let lease = match row.lease_end {
        None => "lease unknown".to_owned(),
        Some(end) if end <= now => "lease over".to_owned(),
        Some(end) => format!("lease {}", span(end - now)),
    };
    let gpu = row.gpu.map_or_else(|| "unknown".to_owned(), bar);
    let requests = match &row.requests {
        None => "unknown".to_owned(),
        Some(Err(why)) => printable(why).into_owned(),
        Some(Ok(metrics)) => counts(metrics),
    };
    let mut text =
        format!("{}  {}  {lease}\n  GPU       {gpu}\n  requests  {requests}\n", row.name, row.tunnel);
    if let Some(model) = &row.model {
        text.push_str(&format!("  model     {model}\n"));
    }
    text
}

fn bar(load: u64) -> String {
    let full = (load * BAR).div_ceil(100);
    let part = |sign: &str, count: u64| sign.repeat(usize::try_from(count).unwrap_or_default());
    format!("{}{} {load} %", part("█", full), part("░", BAR - full))
}

fn counts(metrics: &Metrics) -> String {
    let count = |value: Option<f64>, what: &str| value.map(|value| format!("{value:.0} {what}"));
    let parts = [
        count(metrics.running, "running"),
        count(metrics.queued, "queued"),
        count(metrics.throughput, "tokens/s"),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    if parts.is_empty() { "unknown".to_owned() } else { parts.join(", ") }
}

/// The answer to completion: the options, whatever came before.
pub fn completion(words: &[OsString]) -> String {
    let options = [
        ("--once", "Show everything once and end"),
        ("--interval", "Seconds between two looks"),
        ("--instance-id", "Only this instance"),
        ("--help", "Print help"),
    ];
    let wanted = words.last().is_some_and(|word| word.as_encoded_bytes().starts_with(b"-"));
    let lines = options.iter().filter(|_| wanted).map(|(option, what)| format!("{option}\t{what}\n"));
    lines.collect::<String>() + ":4\n"
}
