//! `soong terminate`: the question, the tunnel, the wait, and answers that are lost.

use super::pretended::Renter;
use crate::support::instance::Instance;
use crate::support::sshd::Sshd;
use crate::support::terminal::Terminal;

#[test]
fn the_name_must_be_typed() {
    let sshd = Sshd::start();
    let renter = Renter::at(&sshd);
    renter.launch(&[]).stderr_has("launched dev").run();
    renter
        .soong(&["terminate", "dev"])
        .fails(1, ["not a terminal; pass --yes to terminate without a question"])
        .run();
    for (answer, code) in [("\r", 1), ("yes\r", 1), ("\x04", 1), ("dev-2\r", 1), ("\x03", 130)] {
        let mut terminal = Terminal::run(&renter.soong(&["terminate", "dev"]), 24, 80);
        terminal.wait_for("Type its name to terminate it: ");
        terminal.type_text(answer);
        assert_eq!(terminal.finish(), code, "{answer:?}: {}", terminal.screen());
    }
    assert_eq!(renter.calls("terminate"), 0);
    let mut terminal = Terminal::run(&renter.soong(&["terminate", "dev"]), 24, 80);
    terminal.wait_for("dev (static-1), gpu_1x_a10 in us-west-1");
    terminal.wait_for("Its disk is lost; file systems of the provider stay.");
    terminal.wait_for("Type its name to terminate it: ");
    terminal.type_text("dev\r");
    assert_eq!(terminal.finish(), 0, "{}", terminal.screen());
    assert_eq!(renter.calls("terminate"), 1);
    assert_eq!(renter.ledger()[3..], ["terminate-asked dev", "ended dev"]);
    renter.soong(&["terminate", "dev", "-y"]).fails(1, ["no instance 'dev'"]).hint("soong status").run();
}

#[test]
fn without_a_name_one_is_chosen_and_its_name_is_typed_all_the_same() {
    let sshd = Sshd::start();
    let renter = Renter::at(&sshd);
    renter.soong(&["terminate", "-y"]).stdout("No instances\n").run();
    renter.launch(&[]).stderr_has("launched dev").run();
    renter
        .soong(&["terminate", "-y"])
        .fails(2, ["NAME is missing"])
        .hint("choose one with --instance-id: dev (static-1)")
        .run();
    let mut terminal = Terminal::run(&renter.soong(&["terminate"]), 24, 80);
    terminal.wait_for("Which instance?");
    terminal.type_text("\x1b");
    assert_eq!(terminal.finish(), 1, "{}", terminal.screen());
    let mut terminal = Terminal::run(&renter.soong(&["terminate"]), 24, 80);
    terminal.wait_for("Which instance?");
    terminal.type_text("\r");
    terminal.wait_for("Type its name to terminate it: ");
    terminal.type_text("\r");
    assert_eq!(terminal.finish(), 1, "{}", terminal.screen());
    assert_eq!(renter.calls("terminate"), 0);
    renter
        .soong(&["terminate", "dev", "--instance-id", "dev", "-y"])
        .stdout_has("Terminated dev")
        .stderr_has("")
        .run();
}

#[test]
fn its_tunnel_stops_first_and_the_end_is_waited_for() {
    let instance = Instance::start();
    let renter = Renter::of(&instance).with("END", "2");
    renter.soong(&["launch", "-y"]).stdout_has("SSH tunnel started").stderr_has("the tunnel is up").run();
    let output = renter
        .soong(&["terminate", "dev", "-y"])
        .stdout_has("Stopped tunnel (PID: ")
        .stderr_has("so far")
        .run();
    assert!(output.stdout.ends_with("Terminated dev\n"), "{}", output.stdout);
    assert!(renter.calls("list") > 4, "it looks until the instance is gone");
    renter.soong(&["status"]).stdout_has("No instances").run();
    renter.soong(&["tunnel", "status"]).code(3).stdout("Tunnel is not running\n").run();
    renter.sandbox.assert_idle();
}

#[test]
fn answers_that_are_lost_and_refusals_are_survived() {
    let sshd = Sshd::start();
    for (words, code, requests) in [
        ("lost", 0, 2),
        ("unsent ok", 0, 2),
        ("rate-limited/1 ok", 0, 2),
        ("garbled", 0, 2),
        ("not-found", 0, 1),
        ("unauthorized", 1, 1),
        ("other", 1, 1),
    ] {
        let renter = Renter::at(&sshd).with("ON_TERMINATE", words);
        renter.launch(&[]).stderr_has("launched dev").run();
        let run = renter.soong(&["terminate", "dev", "-y"]).code(code).stdout_has("").stderr_has("");
        let output = run.run();
        assert_eq!(renter.calls("terminate"), requests, "{words}: {output:?}");
        assert_eq!(output.stdout == "Terminated dev\n", code == 0, "{words}: {output:?}");
        let has_ended = renter.ledger().contains(&"ended dev".to_owned());
        assert_eq!(has_ended, code == 0, "{words}: {:?}", renter.ledger());
    }
}

#[test]
fn all_asks_for_each() {
    let sshd = Sshd::start();
    let renter = Renter::at(&sshd);
    renter.launch(&[]).stderr_has("launched dev").run();
    renter.launch(&[]).stderr_has("launched dev-2").run();
    let mut terminal = Terminal::run(&renter.soong(&["terminate", "--all"]), 24, 80);
    terminal.wait_for("Type its name to terminate it: ");
    terminal.type_text("no\r");
    terminal.wait_for("dev stays");
    terminal.wait_for("dev-2 (static-2)");
    terminal.type_text("dev-2\r");
    assert_eq!(terminal.finish(), 1, "{}", terminal.screen());
    assert_eq!((renter.calls("terminate"), renter.ledger().last().unwrap().as_str()), (1, "ended dev-2"));
    renter.soong(&["terminate"]).code(2).stderr_has("NAME").run();
    renter.soong(&["terminate", "--all", "-y"]).stdout("Terminated dev\n").stderr_has("dev (static-1)").run();
    renter.soong(&["terminate", "--all", "-y"]).stdout("No instances\n").run();
}

#[test]
fn what_cannot_be_ended_here_is_told() {
    let mut renter = Renter::new();
    renter.sandbox.configure(|config| {
        config.instance("mine", "192.0.2.9", 22);
    });
    renter.sandbox.provide("x", r#"[ "$1" = list ] || exit 2; echo '{"api":1,"instances":[{"id":"abcdef","name":"theirs","status":"active"}]}'"#);
    renter.soong(&["terminate", "mine", "-y"]).fails(1, ["mine is an instance of config.toml"]).run();
    renter
        .soong(&["terminate", "theirs", "-y"])
        .fails(1, ["the provider x cannot terminate instances"])
        .run();
    renter.soong(&["terminate", "thiers", "-y"]).fails(1, ["no instance 'thiers'"]).hint("'theirs'").run();
    renter.soong(&["terminate", "abc", "-y"]).fails(1, ["no instance 'abc'"]).run();
}
