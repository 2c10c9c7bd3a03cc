//! `soong-provider-runpod` against a local server: exactly one launch for each order, and an SSH port for each pod.

use std::path::Path;

use serde_json::{Value, json};

use crate::support::provider::Answer;
use crate::support::run::Run;
use crate::support::runpod_cloud::{Failure, GPU, KEY, POD_SECRET, REGION, RunpodCloud};
use crate::support::sandbox::Sandbox;

struct User {
    cloud: RunpodCloud,
    sandbox: Sandbox,
}

impl User {
    fn new() -> Self {
        let (cloud, mut sandbox) = (RunpodCloud::start(), Sandbox::new());
        sandbox.configure(|config| {
            config.set(["providers", "runpod"], true);
            config.set(["runpod", "base-url"], format!("{}/v1", cloud.url()));
            config.set(["runpod", "catalog-url"], format!("{}/v2/catalog", cloud.url()));
        });
        sandbox.store_secrets(&format!("[runpod]\napi-key = \"{KEY}\"\n"));
        Self { cloud, sandbox }
    }

    fn call(&self, verb: &str, order: &Value) -> Answer {
        let program = Path::new(env!("CARGO_BIN_EXE_soong-provider-runpod"));
        let answer = Answer::of(&Run::new(&self.sandbox, program, [verb]), &order.to_string());
        let text = format!("{} {}", answer.json, answer.stderr);
        for secret in [KEY, POD_SECRET] {
            assert!(!text.contains(secret), "{text}");
        }
        answer
    }

    fn launch(&self, changes: &Value) -> Answer {
        let mut order = json!({"api": 1, "name": "dev", "type": format!("2x {GPU}"), "region": REGION});
        order.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        self.call("launch", &order)
    }

    fn terminate(&self, id: &str) -> Answer {
        self.call("terminate", &json!({"api": 1, "id": id}))
    }
}

#[test]
fn a_pod_is_rented_gets_its_ssh_port_and_ends() {
    let user = User::new();
    let launched = user.launch(&json!({"filesystems": ["vol1"], "ssh_key": "ssh-ed25519 AAAA me"}));
    let instance = json!({
        "id": "pod1abc", "name": "dev", "status": "booting", "host": null, "user": "root", "port": null,
        "type": "2x NVIDIA L40S", "region": REGION, "price_cents_per_hour": 158,
    });
    assert_eq!((launched.code, &launched.json["instance"]), (0, &instance), "{launched:?}");
    let order = &user.cloud.pods()[0];
    assert_eq!((&order["gpuCount"], &order["networkVolumeId"]), (&json!(2), &json!("vol1")));
    assert_eq!(order["env"], json!({"PUBLIC_KEY": "ssh-ed25519 AAAA me"}));

    user.cloud.boot();
    user.sandbox
        .tunnel(["start", "--dry-run", "--instance-id", "dev"])
        .stdout_has("-p 10341 -- root@100.65.0.119")
        .run();
    let ended = user.terminate("pod1abc");
    assert_eq!((ended.code, &ended.json["instance"]["status"]), (0, &json!("terminated")), "{ended:?}");
    assert_eq!(user.call("list", &Value::Null).json["instances"], json!([]));
    assert_eq!(user.terminate("pod1abc").error(), "not-found");
    assert_eq!(user.terminate("../pods").error(), "not-found");
    assert_eq!(user.cloud.counts(), (1, 2, 2));
}

#[test]
fn offers_are_pods_with_one_gpu_or_several() {
    let user = User::new();
    let answer = user.call("offers", &Value::Null);
    let offers = answer.json["offers"].as_array().unwrap();
    assert_eq!(
        offers[1],
        json!({
            "type": "2x NVIDIA L40S", "description": "2x L40S", "gpu": "L40S", "count": 2, "memory_gib": 48,
            "price_cents_per_hour": 158, "regions": [REGION],
        })
    );
    let counts: Vec<u64> = offers.iter().map(|offer| offer["count"].as_u64().unwrap()).collect();
    assert_eq!((counts, &offers[3]["regions"]), (vec![1, 2, 4, 8], &json!([])));
    assert_eq!(user.cloud.counts(), (0, 0, 4), "only GET");
    user.sandbox.soong(["offers", "--count", "2"]).stdout_has("2x NVIDIA L40S  US-KS-2\n").run();
}

/// An order: its name, a failure, changes, the code for the caller, the pods afterwards, and the launches sent.
type Case = (&'static str, Option<Failure>, Value, &'static str, usize, usize);

#[test]
fn each_order_is_one_launch_whatever_is_answered() {
    use Failure::{Garbled, Internal, Lost, Refused};
    let cases: [Case; 13] = [
        ("works", None, json!({}), "", 1, 1),
        ("lost answer", Some(Lost), json!({}), "unknown-outcome", 1, 1),
        ("500 after the launch", Some(Internal), json!({}), "unknown-outcome", 1, 1),
        ("garbled answer", Some(Garbled), json!({}), "unknown-outcome", 1, 1),
        ("503", Some(Refused("503 Service Unavailable", "")), json!({}), "unknown-outcome", 0, 1),
        ("429", Some(Refused("429 Too Many Requests", "")), json!({}), "rate-limited", 0, 1),
        ("bad key", Some(Refused("403 Forbidden", "no")), json!({}), "unauthorized", 0, 1),
        ("no money", Some(Refused("402 Payment Required", "balance too low")), json!({}), "quota", 0, 1),
        ("sold out", None, json!({"region": "EU-RO-1"}), "no-capacity", 0, 1),
        ("cloud-init", None, json!({"user_data": "#cloud-config"}), "other", 0, 0),
        ("named key", None, json!({"ssh_key": "laptop"}), "other", 0, 0),
        ("two volumes", None, json!({"filesystems": ["a", "b"]}), "other", 0, 0),
        ("another provider's type", None, json!({"type": "gpu_1x_a10"}), "other", 0, 0),
    ];
    for (case, failure, changes, expected, pods, launches) in cases {
        let user = User::new();
        user.cloud.fail(&Vec::from_iter(failure));
        let answer = user.launch(&changes);
        assert_eq!(answer.error(), expected, "{case}: {answer:?}");
        assert_eq!(answer.code, i32::from(!expected.is_empty()), "{case}: {answer:?}");
        assert_eq!(user.cloud.pods().len(), pods, "{case}");
        assert_eq!(user.cloud.counts(), (launches, 0, 0), "{case}");
        let listed = user.call("list", &Value::Null).json["instances"].clone();
        let found = listed.as_array().unwrap().iter().filter(|pod| pod["name"] == "dev").count();
        assert_eq!(found, pods, "{case}: a caller that looks for the name finds it");
    }
}

#[test]
fn a_termination_is_repeated_until_it_is_certain() {
    let user = User::new();
    assert_eq!(user.launch(&json!({})).code, 0);
    user.cloud.fail(&[Failure::Refused("500 Internal Server Error", ""), Failure::Internal]);
    // The second deletion was carried out, though its answer says otherwise; the third finds nothing.
    assert_eq!(user.terminate("pod1abc").error(), "not-found");
    assert_eq!((user.cloud.pods().len(), user.cloud.counts().1), (0, 3));
}

#[test]
fn the_key_is_stored_and_missing_like_lambdas() {
    let user = User::new();
    user.sandbox.soong(["configure", "get", "--reveal", "runpod.api-key"]).stdout(format!("{KEY}\n")).run();
    user.sandbox.store_secrets("");
    let refused = user.call("offers", &Value::Null);
    assert_eq!(refused.error(), "unauthorized");
    assert!(refused.stderr.contains("soong configure set runpod.api-key"), "{refused:?}");
    assert_eq!(user.call("capabilities", &Value::Null).code, 0);
    assert_eq!(user.cloud.counts(), (0, 0, 0));
}
