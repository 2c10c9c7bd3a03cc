//! Answers to `/status` and `/metrics`.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::activity::Load;
use crate::clock::{Moment, milliseconds, rfc3339};
use crate::guard::{Guard, Snapshot};
use crate::lease::{Phase, Usage};
use crate::why;

const MINUTE: u64 = 60_000;

/// The answer to `GET /status`.
pub fn json(guard: &Guard) -> Value {
    let snapshot = guard.snapshot();
    let (policy, lease, look) = (&guard.config.policy, &snapshot.lease, &snapshot.look);
    let time = |moment: Moment| rfc3339(snapshot.anchor.wall_at(moment));
    let minutes = |moment: Moment| milliseconds(moment.since(snapshot.now)) / MINUTE;
    let usage = look.observation.usage();
    let announced = snapshot.announced(guard);
    let source = |load: &Load| json!({ "state": load.word(), "detail": load.detail() });
    let status = match (lease.phase, lease.warned) {
        (Phase::Ending(_), _) => "ending",
        (Phase::Running, 0) => "running",
        (Phase::Running, _) => "warning",
    };
    json!({
        "instance_id": guard.config.instance_id,
        "status": status,
        "boot_time": rfc3339(snapshot.reading.wall.saturating_sub(snapshot.reading.boottime)),
        "uptime_minutes": snapshot.reading.boottime / MINUTE,
        "idle_minutes": milliseconds(snapshot.now.since(lease.last_use)) / MINUTE,
        "shutdown_at": time(announced.at),
        "shutdown_in_minutes": minutes(announced.at),
        "gpu_utilization": busiest(&snapshot).map_or(-1, i64::from),
        "model_loaded": look.model.as_deref().unwrap_or("not-loaded"),
        "gpus": look.gpus.iter().map(|gpu| json!({
            "index": gpu.index,
            "name": gpu.name,
            "utilization": gpu.utilization,
            "memory": { "used": gpu.memory_used, "total": gpu.memory_total },
            "temperature": gpu.temperature,
            "power": gpu.power,
        })).collect::<Vec<_>>(),
        "activity": {
            "gpu": source(&look.observation.gpu),
            "sessions": source(&look.observation.sessions),
            "models": source(&look.observation.models),
            "last_activity": time(lease.last_use),
            "last_activity_by": lease.last_use_by,
        },
        "why": why::explain(policy, lease, &look.observation, &snapshot.anchor, snapshot.now),
        "ends_by": announced.reason.word(),
        "lease_end": time(lease.lease_plan(policy).at),
        "limit_at": time(lease.limit_at(policy)),
        "idle_shutdown_at": lease.idle_end(policy).filter(|_| usage == Usage::Quiet).map(time),
        "keep_until": lease.keep_until.filter(|keep| *keep > snapshot.now).map(time),
        "end_attempts": snapshot.attempts.count,
        "end_error": snapshot.attempts.error,
        "dry_run": guard.config.dry_run,
        "version": env!("CARGO_PKG_VERSION"),
    })
}

/// The load of the busiest GPU, in percent; `None` if unknown.
fn busiest(snapshot: &Snapshot) -> Option<u8> {
    snapshot.look.gpus.iter().filter_map(|gpu| gpu.utilization).max()
}

/// The answer to `GET /metrics`, in the text format of Prometheus.
pub fn metrics(guard: &Guard) -> String {
    let snapshot = guard.snapshot();
    let (policy, lease, look) = (&guard.config.policy, &snapshot.lease, &snapshot.look);
    let seconds = |moment: Moment| moment.since(snapshot.now).as_secs();
    let mut page = String::new();
    let mut gauge = |name: &str, help: &str, samples: &[(String, String)]| {
        if !samples.is_empty() {
            let _ = writeln!(page, "# HELP soong_{name} {help}\n# TYPE soong_{name} gauge");
        }
        for (labels, number) in samples {
            let _ = writeln!(page, "soong_{name}{labels} {number}");
        }
    };
    let one = |number: u64| vec![(String::new(), number.to_string())];
    gauge("uptime_seconds", "Seconds since the boot", &one(snapshot.reading.boottime / 1000));
    gauge(
        "idle_seconds",
        "Seconds since the machine was used",
        &one(snapshot.now.since(lease.last_use).as_secs()),
    );
    gauge("lease_left_seconds", "Seconds until the lease ends", &one(seconds(lease.lease_plan(policy).at)));
    gauge("limit_left_seconds", "Seconds until the hard limit", &one(seconds(lease.limit_at(policy))));
    let shutdown = snapshot.anchor.wall_at(snapshot.announced(guard).at) / 1000;
    gauge("shutdown_timestamp_seconds", "When the machine ends, since the epoch", &one(shutdown));
    let in_use = look.observation.usage() != Usage::Quiet;
    gauge("in_use", "1 if something uses the machine or might", &one(in_use.into()));
    gauge("end_attempts", "Attempts to end the machine", &one(snapshot.attempts.count.into()));
    let gpus = |number: &dyn Fn(&crate::activity::gpu::Gpu) -> Option<u64>| -> Vec<(String, String)> {
        let samples = look.gpus.iter().filter_map(|gpu| Some((gpu.index, number(gpu)?)));
        samples.map(|(index, number)| (format!("{{gpu=\"{index}\"}}"), number.to_string())).collect()
    };
    gauge("gpu_utilization_percent", "Load of a GPU", &gpus(&|gpu| gpu.utilization.map(Into::into)));
    gauge("gpu_memory_used_bytes", "Used memory of a GPU", &gpus(&|gpu| gpu.memory_used));
    gauge("gpu_memory_total_bytes", "Memory of a GPU", &gpus(&|gpu| gpu.memory_total));
    gauge("gpu_temperature_celsius", "Temperature of a GPU", &gpus(&|gpu| gpu.temperature.map(Into::into)));
    gauge("gpu_power_watts", "Power of a GPU", &gpus(&|gpu| gpu.power.map(Into::into)));
    page
}
