//! Parsing of the API's answers: pods and types of GPUs.
//!
//! Reads only the fields that a provider lists; the environment of a pod, which can hold secrets, is never read.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::service::SERVICE;
use super::type_name;
use crate::error::Error;
use crate::instances::provider::Offer;
use crate::instances::provider::answer::{Listed, Status};

/// User of RunPod's images.
const USER: &str = "root";
/// Port of the SSH server in a pod.
const SSH_PORT: &str = "22";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Pod {
    id: String,
    name: Option<String>,
    desired_status: Option<String>,
    public_ip: Option<String>,
    /// Public ports by the pod's own.
    port_mappings: Option<BTreeMap<String, u16>>,
    /// Dollars, as a number or text.
    #[serde(default)]
    adjusted_cost_per_hr: Value,
    #[serde(default)]
    cost_per_hr: Value,
    gpu: Option<PodGpu>,
    machine: Option<Machine>,
}

#[derive(Deserialize)]
struct PodGpu {
    id: Option<String>,
    count: Option<u32>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Machine {
    gpu_type_id: Option<String>,
    data_center_id: Option<String>,
}

#[derive(Deserialize)]
struct Catalog {
    gpus: Vec<Gpu>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Gpu {
    id: String,
    name: Option<String>,
    memory: Option<u32>,
    price: Option<Price>,
    #[serde(default)]
    data_centers: Vec<DataCenter>,
}

/// Dollars per GPU and hour.
#[derive(Deserialize)]
struct Price {
    #[serde(default)]
    secure: Value,
}

#[derive(Deserialize)]
struct DataCenter {
    id: String,
    availability: Option<String>,
}

/// Parses the list of pods.
pub(super) fn pods(body: &[u8]) -> Result<Vec<Listed>, Error> {
    let pods: Vec<Pod> = parse(body, "a list of pods")?;
    Ok(pods.into_iter().map(listed).collect())
}

/// Parses a new pod.
pub(super) fn pod(body: &[u8]) -> Result<Listed, Error> {
    parse(body, "a pod").map(listed)
}

/// Parses the types of GPUs for machines with `count` of them.
pub(super) fn offers(body: &[u8], count: u32) -> Result<Vec<Offer>, Error> {
    let catalog: Catalog = parse(body, "a list of GPU types")?;
    // A type without a price is not for rent, or cannot be compared with a cap.
    Ok(catalog.gpus.into_iter().filter_map(|gpu| offer(gpu, count)).collect())
}

fn listed(pod: Pod) -> Listed {
    let ports = pod.port_mappings.unwrap_or_default();
    let host = pod.public_ip.filter(|ip| !ip.is_empty());
    // Both are known only when the container runs.
    let (host, port) = host.zip(ports.get(SSH_PORT).copied()).unzip();
    let status = match pod.desired_status.as_deref() {
        Some("RUNNING") if host.is_some() => Status::Active,
        Some("RUNNING") => Status::Booting,
        Some("TERMINATED") => Status::Terminated,
        // A stopped pod still costs its disk, and can be started again.
        _ => Status::Unknown,
    };
    let (gpu, count) = pod.gpu.map_or((None, None), |gpu| (gpu.id, gpu.count));
    let (machine_gpu, region) =
        pod.machine.map_or((None, None), |machine| (machine.gpu_type_id, machine.data_center_id));
    let gpu = gpu.or(machine_gpu).filter(|gpu| !gpu.is_empty());
    Listed {
        id: pod.id,
        name: pod.name.filter(|name| !name.is_empty()),
        status,
        host,
        user: Some(USER.to_owned()),
        port,
        kind: gpu.map(|gpu| type_name::join(count.unwrap_or(1), &gpu)),
        region: region.filter(|region| !region.is_empty()),
        price_cents_per_hour: cents(&pod.adjusted_cost_per_hr, 1).or(cents(&pod.cost_per_hr, 1)),
    }
}

fn offer(gpu: Gpu, count: u32) -> Option<Offer> {
    let price = cents(&gpu.price?.secure, count)?;
    let has_capacity =
        |center: &DataCenter| matches!(center.availability.as_deref(), Some("HIGH" | "MEDIUM" | "LOW"));
    let name = gpu.name.filter(|name| !name.is_empty()).unwrap_or_else(|| gpu.id.clone());
    Some(Offer {
        provider: String::new(),
        type_name: type_name::join(count, &gpu.id),
        description: Some(format!("{count}x {name}")),
        gpu: Some(name),
        count,
        memory_gib: gpu.memory,
        price_cents_per_hour: price,
        regions: gpu.data_centers.into_iter().filter(has_capacity).map(|center| center.id).collect(),
    })
}

/// Returns the price of `count` machines or GPUs in cents, rounded up; `None` without a price.
fn cents(dollars: &Value, count: u32) -> Option<u64> {
    let dollars = match dollars {
        Value::String(text) => text.parse().ok()?,
        value => value.as_f64()?,
    };
    let cents = (dollars * 100.0 * f64::from(count) - 1e-6).ceil();
    if !(1.0..1e9).contains(&cents) {
        return None;
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked above")]
    Some(cents as u64)
}

fn parse<T: DeserializeOwned>(body: &[u8], expected: &str) -> Result<T, Error> {
    serde_json::from_slice(body).map_err(|error| {
        // Not the parser's message, which quotes the input.
        let place = format!("line {}, column {}", error.line(), error.column());
        Error::failed(format!("RunPod's answer is not {expected} ({place})"))
            .with_hint(SERVICE.check_address())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pod_has_its_own_ssh_port_once_it_runs() {
        let body = br#"[
            {"id":"xedezhzb9la3ye","name":"dev","desiredStatus":"RUNNING","publicIp":"100.65.0.119",
             "portMappings":{"22":10341,"8888":10342},"costPerHr":"0.74","adjustedCostPerHr":0.69,
             "env":{"HF_TOKEN":"s3cret"},"gpu":{"id":"NVIDIA L40S","count":2,"displayName":"L40S"},
             "machine":{"gpuTypeId":"NVIDIA L40S","dataCenterId":"US-KS-2"},"machineId":"m"},
            {"id":"b","desiredStatus":"RUNNING","publicIp":"","portMappings":null,"costPerHr":"0.741"},
            {"id":"c","desiredStatus":"EXITED","name":""},{"id":"d","desiredStatus":"TERMINATED"}]"#;
        let all = pods(body).unwrap();
        let first = Listed {
            id: "xedezhzb9la3ye".into(),
            name: Some("dev".into()),
            status: Status::Active,
            host: Some("100.65.0.119".into()),
            user: Some("root".into()),
            port: Some(10341),
            kind: Some("2x NVIDIA L40S".into()),
            region: Some("US-KS-2".into()),
            price_cents_per_hour: Some(69),
        };
        assert_eq!(all[0], first);
        assert_eq!((all[1].status, &all[1].host, all[1].port), (Status::Booting, &None, None));
        assert_eq!(all[1].price_cents_per_hour, Some(75), "rounded up");
        assert_eq!((all[2].status, &all[2].name), (Status::Unknown, &None));
        assert_eq!(all[3].status, Status::Terminated);
        for body in ["", "{}", "<html>", r#"[{"name":"s3cret"}]"#] {
            let error = pods(body.as_bytes()).unwrap_err().to_string();
            assert!(error.starts_with("RunPod's answer is not a list of pods (line "), "{error}");
            assert!(!error.contains("s3cret"));
        }
    }

    #[test]
    fn gpus_are_offers_of_several() {
        let body = br#"{"gpus":[
            {"id":"NVIDIA L40S","name":"L40S","memory":48,"secure":true,"price":{"secure":0.79,"community":0.5},
             "availability":"HIGH","dataCenters":[{"id":"US-KS-2","availability":"HIGH"},
             {"id":"EU-RO-1","availability":"NONE"},{"id":"EU-SE-1","availability":"LOW"},{"id":"x"}]},
            {"id":"no price","price":{"secure":null}},{"id":"free","price":{"secure":0}},{"id":"bare"}]}"#;
        let offer = Offer {
            type_name: "2x NVIDIA L40S".into(),
            description: Some("2x L40S".into()),
            gpu: Some("L40S".into()),
            count: 2,
            memory_gib: Some(48),
            price_cents_per_hour: 158,
            regions: vec!["US-KS-2".into(), "EU-SE-1".into()],
            ..Offer::default()
        };
        assert_eq!(offers(body, 2).unwrap(), [offer]);
    }

    #[test]
    fn prices_are_rounded_up() {
        for (value, count, expected) in [
            (Value::from(0.79), 1, Some(79)),
            (Value::from(0.69), 8, Some(552)),
            (Value::from("2.391"), 1, Some(240)),
            (Value::from(3), 1, Some(300)),
            (Value::from(-1), 1, None),
            (Value::from(1e300), 1, None),
            (Value::from("NaN"), 1, None),
            (Value::Null, 1, None),
        ] {
            assert_eq!(cents(&value, count), expected, "{value}");
        }
    }
}
