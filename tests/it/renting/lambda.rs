//! `soong launch` at Lambda Cloud, against a server that behaves as its published description says: every answer, with
//! the requests counted, and no secret in what soong prints or keeps.

use std::fs;
use std::thread;
use std::time::Duration;

use crate::support::lambda_cloud::{Failure, JUPYTER_TOKEN, KEY, LambdaCloud, TYPES, customer};
use crate::support::run::Output;
use crate::support::sandbox::Sandbox;
use crate::support::wait;

/// Limit of a launch that waits for capacity: asking every 15 to 25 s, it has a machine after 75 s.
const PATIENCE: Duration = Duration::from_secs(240);

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
    let customer = Customer::new();
    let Customer { cloud, sandbox } = &customer;
    sandbox.soong(["launch", "--dry-run"]).stdout_has("gpu_1x_a10 in us-").run();
    assert_eq!(cloud.counts().0, 0, "only reading before the user agrees");
    cloud.fail_launch(failures);
    let output = customer.launch(&[], text);
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

/// Seconds from the first request until there is capacity, the answers to launches from then on, the launch requests,
/// and the questions for offers at most.
type Wait = (u64, &'static [Failure], usize, usize);

const WAITS: &[Wait] = &[
    // The shortest pause is 15 s.
    (40, &[], 1, 4),
    // A launch is repeated three times, and after the pause again.
    (1, &[BUSY, BUSY, BUSY, BUSY], 5, 3),
    (1, &[BUSY_WITHOUT_TIME, BUSY_WITHOUT_TIME, BUSY_WITHOUT_TIME, BUSY_WITHOUT_TIME], 5, 3),
    // Capacity that is gone again before the request arrives, in both regions.
    (1, &[CAPACITY, CAPACITY], 3, 3),
];

#[test]
fn capacity_that_appears_after_40_seconds_and_is_refused_at_first_gives_one_machine() {
    thread::scope(|scope| {
        for wait in WAITS {
            scope.spawn(|| check_wait(wait));
        }
    });
}

fn check_wait((after, failures, requests, questions): &Wait) {
    let customer = Customer::new();
    let cloud = &customer.cloud;
    cloud.set(|account| {
        account.is_real_time = true;
        account.capacity.values_mut().for_each(|from| *from = *after);
    });
    cloud.fail_launch(failures);
    let output = customer.launch(&["--wait-capacity=10m"], "launched dev (");
    let instances = cloud.instances();
    assert_eq!((cloud.counts().0, instances.len()), (*requests, 1), "{failures:?}: {output:?}");
    assert!(instances[0].launched >= *after, "{instances:?}");
    let asked = cloud.requests().iter().filter(|request| request.line == TYPES).count();
    assert!((2..=*questions).contains(&asked), "{asked} questions: {output:?}");
    assert!(output.stderr.contains("Waiting for capacity...\n"), "{output:?}");
    assert!(output.stderr.contains("  there is capacity\n"), "{output:?}");
}

/// An account at Lambda Cloud, and its owner.
struct Customer {
    cloud: LambdaCloud,
    sandbox: Sandbox,
}

impl Customer {
    fn new() -> Self {
        let cloud = LambdaCloud::start();
        let sandbox = customer(&cloud);
        Self { cloud, sandbox }
    }

    /// Runs `soong launch WORDS` until `text` is on stderr, and interrupts it then: a machine boots for minutes.
    fn launch(&self, words: &[&str], text: &str) -> Output {
        let launch = self.sandbox.soong(["launch", "--yes", "--no-tunnel"]).args(words).stderr_has("");
        let mut launch = launch.patience(PATIENCE).spawn();
        launch.wait_for_stderr(text);
        if text.starts_with("launched") {
            // It is asked again and again while the machine boots. Other users can see arguments.
            wait::until_true("the provider's program", || {
                let processes = self.sandbox.processes();
                let exposed = processes.iter().find(|process| process.mentions(KEY));
                assert!(exposed.is_none(), "the key is in {exposed:?}");
                processes.iter().any(|process| process.program() == "soong-provider-lambda")
            });
        }
        wait::until_true("the end or the boot", || {
            launch.interrupt();
            self.sandbox.processes().is_empty()
        });
        launch.unchecked()
    }
}
