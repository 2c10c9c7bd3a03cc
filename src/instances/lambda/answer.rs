//! Parsing of the API's answers: instances, types of machines, and what orders return.
//!
//! Reads only the fields that a provider lists; the secrets `jupyter_token` and `jupyter_url` are never read.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Number;

use crate::error::Error;
use crate::instances::provider::Offer;
use crate::instances::provider::answer::{Listed, Status};

/// Frame of all answers.
#[derive(Deserialize)]
struct Answer<T> {
    data: T,
}

#[derive(Deserialize)]
struct Instance {
    id: String,
    name: Option<String>,
    ip: Option<String>,
    status: Option<String>,
    region: Option<Region>,
    #[serde(rename = "instance_type")]
    kind: Option<Kind>,
}

#[derive(Deserialize)]
struct Region {
    name: Option<String>,
}

#[derive(Deserialize)]
struct Kind {
    name: Option<String>,
    description: Option<String>,
    gpu_description: Option<String>,
    price_cents_per_hour: Option<Number>,
    specs: Option<Specs>,
}

#[derive(Deserialize)]
struct Specs {
    gpus: Option<u32>,
}

#[derive(Deserialize)]
struct Type {
    #[serde(rename = "instance_type")]
    kind: Kind,
    #[serde(default, rename = "regions_with_capacity_available")]
    regions: Vec<Region>,
}

#[derive(Deserialize)]
struct SshKey {
    name: String,
}

#[derive(Deserialize)]
struct Launched {
    instance_ids: Vec<String>,
}

#[derive(Deserialize)]
struct Terminated {
    terminated_instances: Vec<Instance>,
}

/// Parses the list of instances.
pub(super) fn instances(body: &[u8]) -> Result<Vec<Listed>, Error> {
    let list: Vec<Instance> = parse(body, "a list of instances")?;
    Ok(list.into_iter().map(listed).collect())
}

/// Parses the types of machines with the regions that have capacity.
pub(super) fn offers(body: &[u8]) -> Result<Vec<Offer>, Error> {
    let types: BTreeMap<String, Type> = parse(body, "a list of instance types")?;
    // A type without a price cannot be compared with a cap.
    Ok(types.into_iter().filter_map(|(name, kind)| offer(name, kind)).collect())
}

fn offer(type_name: String, Type { kind, regions }: Type) -> Option<Offer> {
    let count = kind.specs.and_then(|specs| specs.gpus).unwrap_or_default();
    let (gpu, memory_gib) = match kind.gpu_description.filter(|_| count > 0) {
        Some(text) => model(&text),
        None => (None, None),
    };
    Some(Offer {
        provider: String::new(),
        type_name,
        description: kind.description,
        gpu,
        count,
        memory_gib,
        price_cents_per_hour: kind.price_cents_per_hour?.as_u64()?,
        regions: regions.into_iter().filter_map(|region| region.name).collect(),
    })
}

/// Returns model and memory of a GPU from a description such as `H100 (80 GB SXM5)`.
fn model(text: &str) -> (Option<String>, Option<u32>) {
    let (model, rest) = text.split_once('(').unwrap_or((text, ""));
    let mut words = rest.split(|c: char| c.is_whitespace() || c == ')');
    let size = words.next().and_then(|word| word.parse().ok());
    let memory = size.filter(|_| matches!(words.next(), Some("GB" | "GiB")));
    (Some(model.trim().to_owned()).filter(|model| !model.is_empty()), memory)
}

/// Parses the names of the account's SSH keys.
pub(super) fn ssh_keys(body: &[u8]) -> Result<Vec<String>, Error> {
    let keys: Vec<SshKey> = parse(body, "a list of SSH keys")?;
    Ok(keys.into_iter().map(|key| key.name).collect())
}

/// Parses the id of the launched instance.
pub(super) fn launched(body: &[u8]) -> Result<String, Error> {
    let Launched { instance_ids } = parse(body, "a launch")?;
    match <[String; 1]>::try_from(instance_ids) {
        Ok([id]) => Ok(id),
        Err(ids) => {
            Err(Error::failed(format!("Lambda Cloud launched {} instances instead of one", ids.len())))
        }
    }
}

/// Parses the terminated instances.
pub(super) fn terminated(body: &[u8]) -> Result<Vec<Listed>, Error> {
    let Terminated { terminated_instances } = parse(body, "a termination")?;
    Ok(terminated_instances.into_iter().map(listed).collect())
}

fn parse<T: DeserializeOwned>(body: &[u8], expected: &str) -> Result<T, Error> {
    let answer: Answer<T> = serde_json::from_slice(body).map_err(|error| {
        // Not the parser's message, which quotes the input.
        let place = format!("line {}, column {}", error.line(), error.column());
        Error::failed(format!("Lambda Cloud's answer is not {expected} ({place})"))
            .with_hint("check lambda.base-url and SOONG_LAMBDA_ENDPOINT")
    })?;
    Ok(answer.data)
}

fn listed(instance: Instance) -> Listed {
    let (kind, price) = match instance.kind {
        Some(kind) => (kind.name, kind.price_cents_per_hour),
        None => (None, None),
    };
    Listed {
        id: instance.id,
        name: instance.name.filter(|name| !name.is_empty()),
        status: instance.status.map_or(Status::Unknown, |word| Status::from_word(&word)),
        host: instance.ip.filter(|ip| !ip.is_empty()),
        user: None,
        port: None,
        kind,
        region: instance.region.and_then(|region| region.name),
        price_cents_per_hour: price.and_then(|price| price.as_u64()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instance_as_described_is_listed_without_its_secrets() {
        let body = br#"{"data":[{"id":"0920582c","name":"My Instance","ip":"198.51.100.2","private_ip":"10.0.2.100",
            "status":"active","ssh_key_names":["k"],"file_system_names":[],"region":{"name":"us-west-1","description":"x"},
            "instance_type":{"name":"gpu_8x_example","description":"d","gpu_description":"g","price_cents_per_hour":1592,
            "specs":{"vcpus":124,"memory_gib":1800,"storage_gib":6144,"gpus":8}},"hostname":"h",
            "jupyter_token":"s3cret","jupyter_url":"https://j.example/?token=s3cret","is_reserved":false,
            "actions":{"migrate":{"available":true}},"tags":[]}]}"#;
        let all = instances(body).unwrap();
        assert_eq!(
            all,
            [Listed {
                id: "0920582c".into(),
                name: Some("My Instance".into()),
                status: Status::Active,
                host: Some("198.51.100.2".into()),
                user: None,
                port: None,
                kind: Some("gpu_8x_example".into()),
                region: Some("us-west-1".into()),
                price_cents_per_hour: Some(1592),
            }]
        );
    }

    #[test]
    fn what_may_be_missing_may_be_missing() {
        let body = br#"{"data":[{"id":"a","status":"booting"},{"id":"b","name":"","ip":"","status":"new-word","region":{}}]}"#;
        let all = instances(body).unwrap();
        assert_eq!((all[0].status, &all[0].host, &all[0].name), (Status::Booting, &None, &None));
        assert_eq!((all[1].status, &all[1].host, &all[1].name), (Status::Unknown, &None, &None));
        for body in ["", "{}", "[]", "<html>", r#"{"data":[{"status":"active"}]}"#, r#"{"data":"s3cret"}"#] {
            let error = instances(body.as_bytes()).unwrap_err().to_string();
            assert!(error.starts_with("Lambda Cloud's answer is not a list of instances"), "{error}");
            assert!(!error.contains("s3cret"));
        }
    }

    #[test]
    fn types_are_offers_with_model_memory_and_regions() {
        let body = br#"{"data":{
            "gpu_8x_h100":{"instance_type":{"name":"gpu_8x_h100","description":"8x H100 (80 GB SXM5)",
                "gpu_description":"H100 (80 GB SXM5)","price_cents_per_hour":2392,"specs":{"vcpus":208,"memory_gib":1800,
                "storage_gib":22528,"gpus":8}},"regions_with_capacity_available":[{"name":"us-west-1","description":"x"}]},
            "cpu_4x":{"instance_type":{"name":"cpu_4x","description":"4x CPU","gpu_description":"N/A",
                "price_cents_per_hour":8,"specs":{"gpus":0}}},
            "free":{"instance_type":{"name":"free"}}}}"#;
        let cpu = Offer {
            type_name: "cpu_4x".into(),
            description: Some("4x CPU".into()),
            price_cents_per_hour: 8,
            ..Offer::default()
        };
        let h100 = Offer {
            type_name: "gpu_8x_h100".into(),
            description: Some("8x H100 (80 GB SXM5)".into()),
            gpu: Some("H100".into()),
            count: 8,
            memory_gib: Some(80),
            price_cents_per_hour: 2392,
            regions: vec!["us-west-1".into()],
            ..Offer::default()
        };
        assert_eq!(offers(body).unwrap(), [cpu, h100]);
        for (text, expected, memory) in [
            ("A10 (24 GB PCIe)", "A10", Some(24)),
            ("RTX 6000 (24 GB)", "RTX 6000", Some(24)),
            ("GH200 (96 GiB)", "GH200", Some(96)),
            ("B200 (SXM6)", "B200", None),
            ("V100", "V100", None),
            ("X (1 TB)", "X", None),
        ] {
            assert_eq!(model(text), (Some(expected.to_owned()), memory), "{text}");
        }
    }

    #[test]
    fn orders_return_ids_and_instances() {
        assert_eq!(launched(br#"{"data":{"instance_ids":["a1"]}}"#).unwrap(), "a1");
        for body in
            [r#"{"data":{"instance_ids":[]}}"#, r#"{"data":{"instance_ids":["a","b"]}}"#, "{}", "<html>"]
        {
            assert!(launched(body.as_bytes()).is_err(), "{body}");
        }
        let body =
            br#"{"data":{"terminated_instances":[{"id":"a1","status":"terminating","jupyter_token":"x"}]}}"#;
        assert_eq!(terminated(body).unwrap()[0].status, Status::Terminating);
        assert_eq!(
            ssh_keys(br#"{"data":[{"id":"1","name":"laptop","public_key":"ssh-rsa"}]}"#).unwrap(),
            ["laptop"]
        );
    }
}
