//! `soong-provider-lambda` rents and ends machines: exactly one for each order, whatever the API answers.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::lambda_cloud::{Account, BOOT, END, Failure, JUPYTER_TOKEN, KEY, LambdaCloud, customer};
use crate::support::provider::Answer;
use crate::support::run::Run;
use crate::support::sandbox::Sandbox;

struct User {
    cloud: LambdaCloud,
    sandbox: Sandbox,
}

impl User {
    fn new() -> Self {
        let cloud = LambdaCloud::start();
        let sandbox = customer(&cloud);
        Self { cloud, sandbox }
    }

    fn call(&self, verb: &str, order: &Value) -> Answer {
        let program = Path::new(env!("CARGO_BIN_EXE_soong-provider-lambda"));
        let answer = Answer::of(&Run::new(&self.sandbox, program, [verb]), &order.to_string());
        let text = format!("{} {}", answer.json, answer.stderr);
        for secret in [KEY, JUPYTER_TOKEN] {
            assert!(!text.contains(secret), "{text}");
        }
        answer
    }

    fn launch(&self, changes: &Value) -> Answer {
        let mut order = order();
        order.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        self.call("launch", &order)
    }

    fn terminate(&self, id: &str) -> Answer {
        self.call("terminate", &json!({"api": 1, "id": id}))
    }

    fn listed(&self) -> Vec<Value> {
        self.call("list", &Value::Null).json["instances"].as_array().unwrap().clone()
    }
}

fn order() -> Value {
    json!({"api": 1, "name": "dev", "type": "gpu_1x_a10", "region": "us-west-1", "ssh_key": "laptop"})
}

#[test]
fn offers_have_model_memory_price_and_the_regions_with_capacity() {
    let user = User::new();
    let offers = user.call("offers", &Value::Null);
    let expected = json!({"api": 1, "offers": [
        {"type": "cpu_4x_general", "description": "0x N/A", "gpu": null, "count": 0, "memory_gib": null,
         "price_cents_per_hour": 8, "regions": []},
        {"type": "gpu_1x_a10", "description": "1x A10 (24 GB PCIe)", "gpu": "A10", "count": 1, "memory_gib": 24,
         "price_cents_per_hour": 75, "regions": ["us-east-1", "us-west-1"]},
        {"type": "gpu_8x_h100_sxm5", "description": "8x H100 (80 GB SXM5)", "gpu": "H100", "count": 8,
         "memory_gib": 80, "price_cents_per_hour": 2392, "regions": []},
    ]});
    assert_eq!((offers.code, &offers.json), (0, &expected), "{offers:?}");
    assert_eq!(
        user.call("capabilities", &Value::Null).json["verbs"],
        json!(["list", "offers", "launch", "terminate"])
    );
    assert_eq!(user.cloud.counts(), (0, 0, 1), "capabilities ask nothing");
}

#[test]
fn a_machine_is_rented_boots_and_ends() {
    let user = User::new();
    let script = "#cloud-config\nruncmd: [\"echo \\\"hi\\\"\"]\n";
    let launched = user.launch(&json!({"filesystems": ["data"], "user_data": script}));
    let instance = &launched.json["instance"];
    assert_eq!(
        (launched.code, &instance["status"], &instance["name"]),
        (0, &json!("booting"), &json!("dev"))
    );
    assert_eq!((&instance["type"], &instance["region"]), (&json!("gpu_1x_a10"), &json!("us-west-1")));
    assert_eq!(
        user.cloud.instances()[0].order,
        json!({
            "region_name": "us-west-1", "instance_type_name": "gpu_1x_a10", "ssh_key_names": ["laptop"],
            "file_system_names": ["data"], "name": "dev", "user_data": script,
        })
    );
    let id = instance["id"].as_str().unwrap().to_owned();
    assert_eq!((&user.listed()[0]["id"], &user.listed()[0]["host"]), (&json!(id), &Value::Null));
    user.cloud.set(|account| account.now += BOOT);
    let active = &user.listed()[0];
    assert_eq!((&active["status"], &active["host"]), (&json!("active"), &json!("198.51.100.2")));

    let ended = user.terminate(&id);
    assert_eq!((ended.code, &ended.json["instance"]["status"]), (0, &json!("terminating")), "{ended:?}");
    assert_eq!(user.listed()[0]["status"], "terminating");
    user.cloud.set(|account| account.now += END);
    assert_eq!(user.listed(), [] as [Value; 0]);
    let gone = user.terminate(&id);
    assert_eq!((gone.code, gone.error()), (1, "not-found"));
    assert_eq!(user.cloud.counts().0, 1);
    for file in user.sandbox.files() {
        let text = String::from_utf8_lossy(&fs::read(&file).unwrap()).into_owned();
        assert!(!text.contains(JUPYTER_TOKEN), "{}", file.display());
        assert_eq!(text.contains(KEY), file.ends_with("credentials.toml"), "{}", file.display());
    }
}

/// Each case is one order: its failure, the code for the caller, and the machines that exist afterwards.
#[test]
fn each_order_is_one_launch_whatever_is_answered() {
    use Failure::{BadGateway, Garbled, Lost, Refused, Unsent};
    let capacity = "instance-operations/launch/insufficient-capacity";
    let cases: [(&str, Option<Failure>, Value, &str, usize); 22] = [
        ("works", None, json!({}), "", 1),
        ("lost answer", Some(Lost), json!({}), "unknown-outcome", 1),
        ("cut before", Some(Unsent), json!({}), "unknown-outcome", 0),
        ("garbled answer", Some(Garbled), json!({}), "unknown-outcome", 1),
        ("502 after the launch", Some(BadGateway), json!({}), "unknown-outcome", 1),
        (
            "500",
            Some(Refused("500 Internal Server Error", "global/internal-error", None)),
            json!({}),
            "unknown-outcome",
            0,
        ),
        (
            "503",
            Some(Refused("503 Service Unavailable", "provider/internal-unavailable", Some("7"))),
            json!({}),
            "unknown-outcome",
            0,
        ),
        ("429", Some(Refused("429 Too Many Requests", "", None)), json!({}), "rate-limited", 0),
        (
            "429 for 12 s",
            Some(Refused("429 Too Many Requests", "", Some("12"))),
            json!({}),
            "rate-limited",
            0,
        ),
        (
            "inactive",
            Some(Refused("403 Forbidden", "global/account-inactive", None)),
            json!({}),
            "unauthorized",
            0,
        ),
        (
            "bad key",
            Some(Refused("401 Unauthorized", "global/invalid-api-key", None)),
            json!({}),
            "unauthorized",
            0,
        ),
        (
            "gone at the last moment",
            Some(Refused("400 Bad Request", capacity, None)),
            json!({}),
            "no-capacity",
            0,
        ),
        (
            "provider's quota",
            Some(Refused("400 Bad Request", "provider/quota-exceeded", None)),
            json!({}),
            "quota",
            0,
        ),
        ("duplicate", Some(Refused("400 Bad Request", "global/duplicate", None)), json!({}), "other", 0),
        ("no capacity", None, json!({"type": "gpu_8x_h100_sxm5"}), "no-capacity", 0),
        ("no such key", None, json!({"ssh_key": "desktop"}), "other", 0),
        ("no such file system", None, json!({"filesystems": ["x"]}), "other", 0),
        ("another region", None, json!({"filesystems": ["data"], "region": "us-east-1"}), "other", 0),
        ("two file systems", None, json!({"filesystems": ["data", "x"]}), "other", 0),
        ("long name", None, json!({"name": "x".repeat(65)}), "other", 0),
        ("long data", None, json!({"user_data": "x".repeat(1_000_001)}), "other", 0),
        ("no order", None, json!({"name": null}), "other", 0),
    ];
    for (case, failure, changes, expected, machines) in cases {
        let user = User::new();
        user.cloud.fail_launch(&Vec::from_iter(failure));
        let answer = user.launch(&changes);
        assert_eq!(answer.error(), expected, "{case}: {answer:?}");
        assert_eq!(answer.code, i32::from(!expected.is_empty()), "{case}: {answer:?}");
        assert_eq!(user.cloud.instances().len(), machines, "{case}");
        let unsent = ["two file systems", "long name", "long data", "no order"].contains(&case);
        assert_eq!(user.cloud.counts(), (usize::from(!unsent), 0, 0), "{case}");
        let wait = &answer.json["error"]["retry_after"];
        match case {
            "429" => assert_eq!(wait, &json!(1)),
            "429 for 12 s" => assert_eq!(wait, &json!(12)),
            "503" => assert_eq!(wait, &json!(7)),
            _ => assert_eq!(wait, &Value::Null, "{case}"),
        }
        assert_eq!(answer.stderr.is_empty(), expected.is_empty(), "{case}: {answer:?}");
        // A caller that looks for the name finds what a lost answer launched.
        let found = user.listed().iter().filter(|instance| instance["name"] == "dev").count();
        assert_eq!(found, machines, "{case}");
    }
}

#[test]
fn quota_and_the_rate_limit_hold_for_launches_at_once() {
    let user = User::new();
    user.cloud.set(|account| account.quota = 2);
    let answers: Vec<Answer> = thread::scope(|scope| {
        let user = &user;
        let calls: Vec<_> =
            (0..5).map(|n| scope.spawn(move || user.launch(&json!({"name": format!("n{n}")})))).collect();
        calls.into_iter().map(|call| call.join().unwrap()).collect()
    });
    let refused: Vec<&str> = answers.iter().map(Answer::error).filter(|code| !code.is_empty()).collect();
    assert_eq!(refused, ["quota"; 3]);
    assert_eq!((user.cloud.instances().len(), user.cloud.counts()), (2, (5, 0, 0)));
}

#[test]
fn without_a_key_the_only_one_is_chosen_within_the_rate() {
    let user = User::new();
    user.cloud.set(|account| account.spacing = Some(Duration::from_secs(1)));
    let launched = user.launch(&json!({"ssh_key": null}));
    assert_eq!(launched.code, 0, "{launched:?}");
    assert_eq!(user.cloud.instances()[0].order["ssh_key_names"], json!(["laptop"]));
    assert_eq!(user.cloud.counts(), (1, 0, 1));

    let user = User::new();
    user.cloud.set(|account| account.ssh_keys = vec!["laptop", "desktop"]);
    let refused = user.launch(&json!({"ssh_key": null}));
    assert_eq!(refused.error(), "other");
    assert!(refused.stderr.contains("hint: choose one: laptop, desktop"), "{refused:?}");
    user.cloud.set(|account| account.ssh_keys.clear());
    assert!(user.launch(&json!({"ssh_key": null})).stderr.contains("https://cloud.lambda.ai/ssh-keys"));
    assert_eq!(user.cloud.counts().0, 0, "nothing but GET");
}

#[test]
fn capacity_appears_and_a_machine_is_taken_away() {
    let user = User::new();
    user.cloud.set(|account| account.capacity = [(("gpu_1x_a10", "us-west-1"), 40)].into());
    let regions = |user: &User| user.call("offers", &Value::Null).json["offers"][1]["regions"].clone();
    assert_eq!(regions(&user), json!([]));
    assert_eq!(user.launch(&json!({})).error(), "no-capacity");
    user.cloud.set(|account| account.now = 40);
    assert_eq!(regions(&user), json!(["us-west-1"]));
    assert_eq!(user.launch(&json!({})).code, 0);
    user.cloud.set(Account::preempt);
    assert_eq!(user.listed()[0]["status"], "preempted");
}

#[test]
fn a_termination_is_repeated_until_it_is_certain() {
    use Failure::{Lost, Refused, Unsent};
    let user = User::new();
    let id = user.launch(&json!({})).json["instance"]["id"].as_str().unwrap().to_owned();
    user.cloud.fail_terminate(&[Lost, Unsent, Refused("503 Service Unavailable", "", None)]);
    let ended = user.terminate(&id);
    assert_eq!((ended.code, &ended.json["instance"]["status"]), (0, &json!("terminating")), "{ended:?}");
    assert_eq!(user.cloud.counts().1, 4);
    user.cloud.fail_terminate(&[Failure::Garbled]);
    assert_eq!(user.terminate(&id).error(), "unknown-outcome");
    assert_eq!(user.terminate("no-such-id").error(), "not-found");
}

#[test]
fn questions_are_repeated_and_a_missing_key_is_told() {
    let user = User::new();
    user.cloud.fail_types(&[
        Failure::Refused("429 Too Many Requests", "", None),
        Failure::Lost,
        Failure::Refused("500 Internal Server Error", "", None),
    ]);
    assert_eq!(user.call("offers", &Value::Null).code, 0);
    assert_eq!(user.cloud.counts(), (0, 0, 4));
    user.sandbox.store_secrets("");
    for verb in ["offers", "launch", "terminate"] {
        let mut order = order();
        order["id"] = json!("x");
        let refused = user.call(verb, &order);
        assert_eq!((refused.code, refused.error()), (1, "unauthorized"), "{refused:?}");
        assert!(refused.stderr.contains("hint: create one at https://cloud.lambda.ai/api-keys"));
    }
    assert_eq!(user.call("capabilities", &Value::Null).code, 0);
    assert_eq!(user.cloud.requests().len(), 4);
}

#[test]
fn before_the_user_agrees_soong_only_reads() {
    let user = User::new();
    user.sandbox.soong(["launch", "--dry-run", "--gpu", "A10"]).stdout_has("gpu_1x_a10 in us-").run();
    user.sandbox.soong(["launch", "--gpu", "A10"]).code(1).stderr_has("pass --yes").run();
    user.sandbox.soong(["offers"]).stdout_has("gpu_1x_a10  us-east-1, us-west-1\n").run();
    let (launches, terminations, questions) = user.cloud.counts();
    assert_eq!((launches, terminations), (0, 0));
    assert!(questions > 0 && user.cloud.requests().iter().all(|request| request.line.starts_with("GET ")));
}
