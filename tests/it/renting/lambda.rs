//! `soong launch` at Lambda Cloud, against a server that behaves as its published description says: every answer, with
//! the requests counted, and no secret in what soong prints or keeps.

use std::fs;
use std::thread;

use crate::support::lambda_cloud::{Failure, JUPYTER_TOKEN, KEY, LambdaCloud};
use crate::support::sandbox::Sandbox;
use crate::support::wait;

const CAPACITY: Failure =
    Failure::Refused("400 Bad Request", "instance-operations/launch/insufficient-capacity", None);
const BUSY: Failure = Failure::Refused("429 Too Many Requests", "global/rate-limit", Some("1"));
const BUSY_WITHOUT_TIME: Failure = Failure::Refused("429 Too Many Requests", "global/rate-limit", None);
const KEY_REFUSED: Failure = Failure::Refused("401 Unauthorized", "global/invalid-api-key", None);
const BROKEN: Failure = Failure::Refused("500 Internal Server Error", "global/internal-error", None);

/// The answers to launches, a text on stderr, the launch requests, the machines.
type Case = (&'static [Failure], &'static str, usize, usize);

const CASES: &[Case] = &[
    (&[], "launched dev (", 1, 1),
    (&[Failure::Lost], "launched dev (", 1, 1),
    (&[Failure::Garbled], "launched dev (", 1, 1),
    (&[Failure::BadGateway], "launched dev (", 1, 1),
    (&[Failure::Unsent], "the outcome is unknown, and dev is not listed", 1, 0),
    (&[BROKEN], "the outcome is unknown, and dev is not listed", 1, 0),
    (&[CAPACITY], "launched dev (", 2, 1),
    (&[CAPACITY, CAPACITY], "nothing was launched", 2, 0),
    (&[BUSY], "launched dev (", 2, 1),
    (&[BUSY_WITHOUT_TIME], "launched dev (", 2, 1),
    (&[KEY_REFUSED], "nothing was launched", 1, 0),
];

#[test]
fn one_machine_for_each_wish_whatever_the_api_answers() {
    thread::scope(|scope| {
        for case in CASES {
            scope.spawn(|| check(case));
        }
    });
}

fn check((failures, text, requests, machines): &Case) {
    let (cloud, mut sandbox) = (LambdaCloud::start(), Sandbox::new());
    sandbox.configure(|config| {
        config.set(["providers", "lambda"], true);
        config.set(["lambda", "base-url"], cloud.url());
    });
    sandbox.store_secrets(&format!("[lambda]\napi-key = \"{KEY}\"\n"));
    sandbox.soong(["launch", "--dry-run"]).stdout_has("gpu_1x_a10 in us-").run();
    assert_eq!(cloud.counts().0, 0, "only reading before the user agrees");
    cloud.fail_launch(failures);
    let mut launch = sandbox.soong(["launch", "--yes", "--no-tunnel"]).stderr_has("").spawn();
    launch.wait_for_stderr(text);
    // The machine boots for minutes.
    wait::until_true("the end or the boot", || {
        launch.interrupt();
        sandbox.processes().is_empty()
    });
    let output = launch.unchecked();
    assert_eq!(
        (cloud.counts().0, cloud.instances().len()),
        (*requests, *machines),
        "{failures:?}: {output:?}"
    );
    let ledger = fs::read_to_string(sandbox.path("home/.local/state/soong/ledger.jsonl")).unwrap();
    assert_eq!(ledger.matches("\"launched\"").count(), *machines, "{failures:?}: {ledger}");
    for secret in [KEY, JUPYTER_TOKEN] {
        for place in [&ledger, &output.stdout, &output.stderr] {
            assert!(!place.contains(secret), "{failures:?}: {place}");
        }
    }
    sandbox.soong(["cost", "--cached"]).stdout_has(if *machines == 1 { "dev" } else { "No instances" }).run();
}
