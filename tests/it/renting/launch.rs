//! `soong launch`: consent, interruptions, crashes, capacity that comes late.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use nix::sys::signal::Signal;

use super::pretended::Renter;
use crate::support::sshd::Sshd;
use crate::support::terminal::Terminal;
use crate::support::wait;

#[test]
fn nothing_but_reading_is_sent_before_the_user_agrees() {
    let renter = Renter::new();
    renter
        .soong(&["launch"])
        .code(1)
        .stderr_has("Launch dev at static\n  1  gpu_1x_a10 in us-west-1, 1x A10 24 GiB, $0.75/h\n")
        .stderr_has("\n  4 h: $3.00, at most $9.96\n")
        .stderr_has("soong-launch: not a terminal; pass --yes to launch without a question\n")
        .run();
    let plan = renter
        .soong(&["launch", "--dry-run", "--name", "x", "--hours", "90m"])
        .stdout_has("Launch x at static\n");
    plan.stdout_has("  1 h 30 min: $1.13, at most $3.74\n").run();
    for answer in ["n\r", "\r", "\x04", "\x03"] {
        let mut terminal = Terminal::run(&renter.soong(&["launch"]), 24, 80);
        terminal.wait_for("Launch it? [y/N] ");
        terminal.type_text(answer);
        let code = terminal.finish();
        assert_eq!(code, if answer == "\x03" { 130 } else { 0 }, "{answer:?}: {}", terminal.screen());
        wait::until_true("the word", || terminal.screen().to_lowercase().contains("nothing was launched"));
    }
    assert_eq!((renter.calls("launch"), renter.calls("terminate"), renter.ledger().len()), (0, 0, 0));
    assert!(renter.calls("offers") > 0);
}

#[test]
fn a_yes_on_the_terminal_launches() {
    let sshd = Sshd::start();
    let renter = Renter::at(&sshd);
    let mut terminal = Terminal::run(&renter.soong(&["launch", "--no-tunnel"]), 24, 80);
    terminal.wait_for("Launch it? [y/N] ");
    terminal.type_text("what\r");
    terminal.wait_for("Launch it? [y/N] what\r\nLaunch it? [y/N] ");
    terminal.type_text("yes\r");
    assert_eq!(terminal.finish(), 0, "{}", terminal.screen());
    assert_eq!(renter.rented(), ["dev"]);
    assert_eq!(renter.ledger(), ["launch-asked dev", "launched dev", "ready dev"]);
}

#[test]
fn an_interrupt_says_what_exists_and_how_to_end_it() {
    let renter = Renter::new().with("BOOT", "600");
    let mut launch = renter
        .launch(&[])
        .code(130)
        .stderr_has(
            "soong-launch: interrupted; dev (static-1, gpu_1x_a10 in us-west-1) exists and costs $0.75/h\n",
        )
        .stderr_has("hint: end it: soong terminate dev\n")
        .spawn();
    launch.wait_for_stderr("Waiting for dev to boot");
    // Its launch goes on, so there is nothing to pick up.
    renter.soong(&["status"]).stdout_has("dev").run();
    launch.interrupt();
    launch.finish();
    assert_eq!(renter.rented(), ["dev"]);
    // The next commands pick it up.
    let line = "has no tunnel\nhint: start it: soong tunnel start dev --wait\n";
    renter.soong(&["status"]).stdout_has("dev").stderr_has("dev was launched ").stderr_has(line).run();
    renter.launch(&["--name", "dev"]).code(1).stderr_has("an instance called dev exists already").run();
    renter.soong(&["terminate", "dev", "-y"]).stdout("Terminated dev\n").stderr_has("dev (static-1)").run();
    assert_eq!((renter.calls("launch"), renter.calls("terminate")), (1, 1));
}

#[test]
fn an_interrupt_during_the_request_waits_for_its_answer_and_a_second_one_does_not() {
    // The first interrupt is held back while the provider is asked: it answers, and the machine is known.
    let renter = Renter::new().with("ON_LAUNCH", "hang");
    let launch = renter
        .launch(&[])
        .code(130)
        .stderr_has("soong-launch: interrupted; a launch of dev was requested, and its outcome is unknown\n")
        .stderr_has("hint: look for it: soong status; end it: soong terminate dev\n")
        .spawn();
    wait::until_true("the machine", || renter.rented().len() == 1);
    launch.interrupt();
    launch.interrupt();
    wait::until_true("the second interrupt to count", || {
        launch.interrupt();
        renter.sandbox.processes().iter().all(|process| process.program() != "soong-launch")
    });
    launch.finish();
    assert_eq!(renter.ledger(), ["launch-asked dev"]);
    renter.soong(&["status"]).stdout_has("dev").stderr_has("dev was launched ").run();
    assert_eq!(renter.ledger(), ["launch-asked dev", "launched dev"]);
}

#[test]
fn a_crash_after_the_request_leaves_a_trace_that_the_next_command_picks_up() {
    let renter = Renter::new().with("ON_LAUNCH", "hang");
    let launch = renter.launch(&[]).code(137).stderr_has("").spawn();
    wait::until_true("the machine", || renter.rented().len() == 1);
    launch.signal(Signal::SIGKILL);
    launch.unchecked();
    renter.sandbox.kill_all();
    assert_eq!(renter.ledger(), ["launch-asked dev"]);
    renter
        .launch(&["--name", "dev"])
        .code(1)
        .stderr_has("an instance called dev exists already")
        .stderr_has("dev was launched ")
        .run();
    assert_eq!(renter.ledger(), ["launch-asked dev", "launched dev"]);
    renter.soong(&["cost", "--json"]).stdout_has(r#""price_cents_per_hour":75"#).run();
    assert_eq!(renter.calls("launch"), 1);
}

#[test]
fn a_request_without_a_trace_at_the_provider_blocks_the_name_for_a_while() {
    let sshd = Sshd::start();
    let renter = Renter::at(&sshd).with("ON_LAUNCH", "unsent ok");
    renter.launch(&[]).code(1).stderr_has("the outcome is unknown, and dev is not listed").run();
    let again = "has no outcome yet";
    renter
        .launch(&[])
        .code(1)
        .stderr_has(again)
        .stderr_has("hint: launch another one all the same: --name OTHER\n")
        .run();
    renter.launch(&["--name", "dev"]).code(1).stderr_has(again).run();
    renter
        .soong(&["status"])
        .stdout_has("No instances")
        .stderr_has("soong-status: the launch of dev, ")
        .run();
    assert_eq!(renter.calls("launch"), 1);
    renter.launch(&["--name", "other"]).stderr_has("launched other").run();
    assert_eq!(renter.rented(), ["other"]);
}

#[test]
fn an_instance_that_is_taken_away_while_it_boots_is_told() {
    let renter = Renter::new().with("BOOT", "600").with("PREEMPT", "0");
    renter.launch(&[]).code(1).stderr_has("dev is preempted before it was active").run();
    assert_eq!(renter.ledger(), ["launch-asked dev", "launched dev", "ended dev"]);
}

#[test]
fn capacity_that_comes_later_is_waited_for_and_the_hook_says_so() {
    let sshd = Sshd::start();
    let renter = Renter::at(&sshd).with("CAPACITY_AFTER", "3");
    let hook = renter.sandbox.path("home/.config/soong/hooks/launched");
    renter.sandbox.write(
        &hook,
        "#!/bin/sh\necho \"$SOONG_EVENT $SOONG_INSTANCE_NAME $SOONG_TYPE $SOONG_REGION $SOONG_PRICE\" >\"$HOME/told\"\n",
    );
    fs::set_permissions(&hook, fs::Permissions::from_mode(0o700)).unwrap();
    let capacity = hook.with_file_name("capacity");
    renter.sandbox.write(
        &capacity,
        "#!/bin/sh\necho \"$SOONG_EVENT:$SOONG_INSTANCE_NAME:$SOONG_TYPE $SOONG_REGION $SOONG_PRICE, $SOONG_REASON\" >>\"$HOME/appeared\"\n",
    );
    fs::set_permissions(&capacity, fs::Permissions::from_mode(0o700)).unwrap();
    let refused = renter.launch(&["--gpu", "H100"]).code(1).stderr_has("no capacity for gpu_1x_h100");
    refused.stderr_has("hint: wait for it: --wait-capacity\n").run();
    let waiting = renter.launch(&["--gpu", "H100", "--wait-capacity=1h"]);
    let waiting = waiting.stderr_has("  the first offer with capacity, at most $19.92/h\n");
    waiting.stderr_has("launched dev (static-1): gpu_1x_h100 in us-west-1, $2.49/h\n").run();
    let told = fs::read_to_string(renter.sandbox.home().join("told")).unwrap();
    assert_eq!(told, "launched dev gpu_1x_h100 us-west-1 $2.49\n");
    let appeared = fs::read_to_string(renter.sandbox.home().join("appeared")).unwrap();
    let expected = "capacity::gpu_1x_h100 us-west-1 $2.49, there is capacity for gpu_1x_h100 in us-west-1\n";
    assert_eq!(appeared, expected);
    assert_eq!((renter.calls("launch"), renter.rented().len()), (1, 1));
    assert!(renter.calls("offers") <= 4, "{} questions", renter.calls("offers"));
}

#[test]
fn an_interrupt_while_waiting_for_capacity_leaves_nothing() {
    let renter = Renter::new().with("CAPACITY_AFTER", "600");
    let mut launch = renter
        .launch(&["--wait-capacity"])
        .code(130)
        .stderr_has("soong-launch: interrupted; nothing was launched\n")
        .spawn();
    launch.wait_for_stderr("Waiting for capacity");
    launch.interrupt();
    launch.finish();
    assert_eq!(renter.calls("launch"), 0);
}

#[test]
fn a_provider_that_cannot_launch_is_told() {
    let mut renter = Renter::new();
    renter.sandbox.provide("x", r#"echo '{"api":1,"instances":[]}'"#);
    renter
        .launch(&["--provider", "x"])
        .code(1)
        .stderr_has("no launch at x: it can only list instances")
        .run();
    renter.launch(&["--provider", "y"]).code(1).stderr_has("the provider y is not enabled").run();
    let sandbox = crate::support::sandbox::Sandbox::new();
    sandbox.soong(["launch"]).fails(1, ["no provider is enabled"]).run();
}
