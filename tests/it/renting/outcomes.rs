//! Every outcome of a launch request, with its calls counted: one machine for each wish, and no second request where
//! the first may have been carried out.

use super::pretended::Renter;
use crate::support::sshd::Sshd;

/// How the provider treats launches, the arguments, the exit code, a text on stderr, the requests, the machines.
type Case = (&'static str, &'static [&'static str], i32, &'static str, usize, usize);

/// The sample offers an A10 in two regions, cheapest, and an H100 in one.
const CASES: &[Case] = &[
    ("ok", &[], 0, "launched dev (static-1): gpu_1x_a10 in us-west-1, $0.75/h", 1, 1),
    ("lost", &[], 0, "launched dev (static-1)", 1, 1),
    ("garbled", &[], 0, "launched dev (static-1)", 1, 1),
    ("killed", &[], 0, "launched dev (static-1)", 1, 1),
    ("unsent", &[], 1, "the outcome is unknown, and dev is not listed", 1, 0),
    ("no-capacity ok", &[], 0, "launched dev (static-1): gpu_1x_a10 in us-east-1", 2, 1),
    ("quota no-capacity ok", &[], 0, "gpu_1x_h100 in us-west-1, $2.49/h", 3, 1),
    ("no-capacity no-capacity no-capacity", &[], 1, "nothing was launched", 3, 0),
    ("no-capacity lost", &[], 0, "launched dev (static-1): gpu_1x_a10 in us-east-1", 2, 1),
    ("rate-limited/1 ok", &[], 0, "launched dev (static-1): gpu_1x_a10 in us-west-1", 2, 1),
    ("rate-limited/1 lost", &[], 0, "launched dev (static-1)", 2, 1),
    ("rate-limited/4000", &[], 1, "nothing was launched", 1, 0),
    ("unauthorized", &[], 1, "nothing was launched", 1, 0),
    ("other", &[], 1, "nothing was launched", 1, 0),
    ("not-found", &[], 1, "nothing was launched", 1, 0),
    ("ok", &["--gpu", "h100,a10"], 0, "launched dev (static-1): gpu_1x_h100 in us-west-1", 1, 1),
    ("ok", &["--region", "us-east-*"], 0, "launched dev (static-1): gpu_1x_a10 in us-east-1", 1, 1),
    ("ok", &["--gpu", "H100", "--max-price", "2.48"], 1, "nothing at or below $2.48/h", 0, 0),
    ("no-capacity no-capacity ok", &["--max-price", "1"], 1, "nothing was launched", 2, 0),
    ("ok", &["--count", "8"], 1, "no capacity for gpu_8x_h100", 0, 0),
    ("ok", &["--gpu", "B200"], 1, "no offer fits", 0, 0),
];

#[test]
fn one_machine_for_each_wish_and_none_beyond_the_cap() {
    let sshd = Sshd::start();
    for (words, arguments, code, text, requests, machines) in CASES {
        let renter = Renter::at(&sshd).with("ON_LAUNCH", words);
        let run = renter.launch(arguments).code(*code).stderr_has(*text);
        run.run();
        let counted = (renter.calls("launch"), renter.rented().len());
        assert_eq!(counted, (*requests, *machines), "{words} {arguments:?}");
        let ledger = renter.ledger();
        let asked = ledger.iter().filter(|event| *event == "launch-asked dev").count();
        assert_eq!(asked, *requests, "each request is in the ledger: {ledger:?}");
        let launched = ledger.iter().filter(|event| *event == "launched dev").count();
        assert_eq!(launched, *machines, "{words}: {ledger:?}");
    }
}

#[test]
fn the_budget_is_kept_and_can_be_exceeded_on_request() {
    let sshd = Sshd::start();
    let renter = Renter::at(&sshd).launch_key("budget", 7).launch_key("hours", 4);
    renter.launch(&[]).stderr_has("$0.00 so far, $3.00 of $7.00 with this launch").run();
    // The price of the rented time counts, not the amount spent so far.
    renter.launch(&[]).stderr_has("$6.00 of $7.00").stderr_has("warning: 85 % of the budget").run();
    renter
        .launch(&[])
        .code(1)
        .stderr_has("would cost $9.00 with this launch, more than the budget of $7.00")
        .stderr_has("--over-budget")
        .run();
    assert_eq!(renter.rented(), ["dev", "dev-2"]);
    renter.launch(&["--hours", "1h"]).stderr_has("$6.75 of $7.00").run();
    renter.launch(&["--over-budget"]).stderr_has("launched dev-4").run();
    assert_eq!((renter.rented().len(), renter.calls("launch")), (4, 4));
    renter.soong(&["cost"]).stdout_has("of the budget of $7.00\n").run();
}

#[test]
fn five_launches_at_once_keep_the_budget_and_the_names() {
    let sshd = Sshd::start();
    let renter = Renter::at(&sshd).launch_key("budget", 6.5).launch_key("hours", 4);
    let launches: Vec<_> = (0..5).map(|_| renter.launch(&[]).stderr_has("").spawn()).collect();
    let codes: Vec<i32> = launches.into_iter().map(|launch| launch.unchecked().code).collect();
    assert_eq!(codes.iter().filter(|code| **code == 0).count(), 2, "{codes:?}");
    assert_eq!((renter.rented(), renter.calls("launch")), (vec!["dev".to_owned(), "dev-2".to_owned()], 2));

    let renter = Renter::at(&sshd);
    let launches: Vec<_> = (0..5).map(|_| renter.launch(&["--name", "one"]).spawn()).collect();
    let outputs: Vec<_> =
        launches.into_iter().map(super::super::support::spawned::Spawned::unchecked).collect();
    assert_eq!(outputs.iter().filter(|output| output.code == 0).count(), 1, "{outputs:#?}");
    let refused =
        outputs.iter().filter(|output| output.stderr.contains("an instance called one exists already"));
    assert_eq!(refused.count(), 4, "{outputs:#?}");
    assert_eq!((renter.rented(), renter.calls("launch")), (vec!["one".to_owned()], 1));
}
