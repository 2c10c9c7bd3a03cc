//! The verbs of `examples/soong-provider-static`, on which other tests and authors of providers rely.

use std::fs;
use std::path::Path;
use std::thread;

use serde_json::{Value, json};

use crate::support::provider::Answer;
use crate::support::run::Run;
use crate::support::sandbox::Sandbox;

struct Sample {
    sandbox: Sandbox,
    settings: Vec<(&'static str, &'static str)>,
}

impl Sample {
    fn new(settings: &[(&'static str, &'static str)]) -> Self {
        Self { sandbox: Sandbox::new(), settings: settings.to_vec() }
    }

    fn call(&self, verb: &str, input: &Value) -> Answer {
        let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/soong-provider-static");
        let run = Run::new(&self.sandbox, &program, [verb]).env("SOONG_STATIC_STATE", self.state());
        let run = self.settings.iter().fold(run, |run, (name, value)| run.env(name, value));
        Answer::of(&run, &input.to_string())
    }

    fn launch(&self, name: &str) -> Answer {
        self.call("launch", &json!({"api": 1, "name": name, "type": "gpu_1x_a10", "region": "us-west-1"}))
    }

    fn instances(&self) -> Vec<Value> {
        self.call("list", &Value::Null).json["instances"].as_array().unwrap().clone()
    }

    fn names(&self) -> Vec<String> {
        let all = self.instances();
        all.iter().map(|instance| instance["name"].as_str().unwrap().to_owned()).collect()
    }

    fn calls(&self) -> Vec<String> {
        fs::read_to_string(self.state().join("calls")).unwrap().lines().map(str::to_owned).collect()
    }

    fn state(&self) -> std::path::PathBuf {
        self.sandbox.path("rentals")
    }
}

#[test]
fn a_machine_is_rented_listed_and_ended() {
    let sample = Sample::new(&[("SOONG_STATIC_HOST", "127.0.0.1"), ("SOONG_STATIC_PORT", "2222")]);
    let verbs = &sample.call("capabilities", &Value::Null).json["verbs"];
    assert_eq!(verbs, &json!(["list", "offers", "launch", "terminate"]));
    let offers = sample.call("offers", &Value::Null).json;
    assert_eq!(offers["offers"][1]["gpu"], "H100");
    assert_eq!(offers["offers"][2]["regions"], json!([]));

    let odd = "two  words \"quoted\" \\ ü";
    let order = json!({
        "api": 1, "name": odd, "type": "gpu_1x_a10", "region": "us-west-1", "filesystems": ["name", "x"],
        "user_data": "#cloud-config\n\"name\":\"not this\",\"type\":\"nor this\"",
    });
    let launched = sample.call("launch", &order);
    let instance = json!({
        "id": "static-1", "name": odd, "status": "active", "host": "127.0.0.1", "port": 2222, "user": null,
        "type": "gpu_1x_a10", "region": "us-west-1", "price_cents_per_hour": 75,
    });
    assert_eq!((launched.code, &launched.json["instance"]), (0, &instance), "{launched:?}");
    assert_eq!(sample.instances(), [instance]);

    let ended = sample.call("terminate", &json!({"api": 1, "id": "static-1"}));
    assert_eq!(ended.json["instance"]["status"], "terminating");
    assert_eq!(ended.json["instance"]["name"], odd);
    assert_eq!(sample.instances(), [] as [Value; 0]);
    let again = sample.call("terminate", &json!({"api": 1, "id": "static-1"}));
    assert_eq!((again.code, again.error()), (1, "not-found"));
    assert_eq!(sample.launch("next").json["instance"]["id"], "static-2", "ids are not reused");
}

#[test]
fn failures_come_in_the_order_in_which_they_are_named() {
    let sample = Sample::new(&[
        ("SOONG_STATIC_ON_LAUNCH", "no-capacity rate-limited/7 unsent lost garbled killed"),
        ("SOONG_STATIC_ON_LIST", "ok unauthorized"),
    ]);
    let answers: Vec<Answer> = ["a", "b", "c", "d", "e", "f", "g"].map(|name| sample.launch(name)).into();
    let told: Vec<(i32, &str)> = answers.iter().map(|answer| (answer.code, answer.error())).collect();
    assert_eq!(
        told,
        [
            (1, "no-capacity"),
            (1, "rate-limited"),
            (1, "unknown-outcome"),
            (1, "unknown-outcome"),
            (0, ""),
            (-1, ""),
            (0, "")
        ]
    );
    assert_eq!(answers[1].json["error"]["retry_after"], 7);
    assert_eq!((&answers[4].json, &answers[5].json), (&Value::Null, &Value::Null));
    assert_eq!(sample.names(), ["d", "e", "f", "g"], "what was lost was done");
    assert_eq!(sample.call("list", &Value::Null).error(), "unauthorized");
    assert_eq!(sample.calls()[..3], ["launch a", "launch b", "launch c"]);
    assert_eq!(sample.calls().len(), 9);
}

#[test]
fn boot_preemption_end_and_capacity_take_their_time() {
    let sample = Sample::new(&[("SOONG_STATIC_BOOT", "1000"), ("SOONG_STATIC_END", "1000")]);
    let booting = &sample.launch("slow").json["instance"];
    assert_eq!((&booting["status"], &booting["host"]), (&json!("booting"), &Value::Null));
    sample.call("terminate", &json!({"api": 1, "id": "static-1"}));
    assert_eq!(sample.instances()[0]["status"], "terminating");

    let sample = Sample::new(&[("SOONG_STATIC_PREEMPT", "0")]);
    sample.launch("short");
    assert_eq!(sample.instances()[0]["status"], "preempted");

    let sample = Sample::new(&[("SOONG_STATIC_CAPACITY_AFTER", "1000")]);
    assert_eq!(sample.call("offers", &Value::Null).json["offers"][0]["regions"], json!([]));
    assert_eq!(sample.launch("early").error(), "no-capacity");
    sample.sandbox.write(&sample.state().join("first"), "1\n");
    assert_eq!(sample.launch("late").code, 0);
}

#[test]
fn five_at_once_are_five_machines() {
    let sample = Sample::new(&[]);
    thread::scope(|scope| {
        for name in ["a", "b", "c", "d", "e"] {
            let sample = &sample;
            scope.spawn(move || assert_eq!(sample.launch(name).code, 0));
        }
    });
    let mut names = sample.names();
    names.sort();
    assert_eq!(names, ["a", "b", "c", "d", "e"]);
    let all = sample.instances();
    let ids: std::collections::BTreeSet<&str> = all.iter().map(|one| one["id"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), 5);
}

#[test]
fn without_a_state_directory_it_only_lists() {
    let sandbox = Sandbox::new();
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/soong-provider-static");
    let call = |verb: &str| Answer::of(&Run::new(&sandbox, &program, [verb]), "");
    assert_eq!(call("capabilities").json["verbs"], json!(["list"]));
    let refused = call("launch");
    assert_eq!(refused.code, 2);
    assert!(refused.stderr.contains("unknown command 'launch'"), "{}", refused.stderr);
}
