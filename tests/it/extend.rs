//! `soong extend`: more time from the daemon of an instance, or a reason why not.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::config::user;
use crate::support::daemon::{Daemon, TOKEN, on_port, start};
use crate::support::http::{Reply, Server};
use crate::support::instance::Instance;
use crate::support::run::Run;
use crate::support::sandbox::Sandbox;
use crate::support::{ports, wait};

fn extend<'a>(sandbox: &'a Sandbox, hours: &str) -> Run<'a> {
    sandbox.soong(["extend", hours])
}

/// A sandbox with the token stored, whose instance has this in place of a status daemon.
fn in_place_of_a_daemon(instance: &Instance, port: u16) -> Sandbox {
    let sandbox = on_port(instance, port);
    sandbox.store_secrets(&format!("[daemon]\ntoken = \"{TOKEN}\"\n"));
    sandbox
}

/// Returns the end of the lease of `dev` according to `soong status --json`.
fn shown_end(sandbox: &Sandbox) -> Option<u64> {
    let output = sandbox.soong(["status", "--json"]).stdout_has("").run();
    serde_json::from_str::<Value>(&output.stdout).unwrap()["instances"][0]["lease_end"].as_u64()
}

#[test]
fn through_the_tunnel_and_the_new_end_is_shown_at_once() {
    let instance = Instance::start();
    let daemon = Daemon::start(100);
    let sandbox = daemon.sandbox(&instance);
    start(&sandbox).run();
    wait::until_true("the lease to be known", || shown_end(&sandbox) == Some(daemon.lease_end()));
    let before = daemon.lease_end();
    let output = extend(&sandbox, "2").stdout_has("Lease extended by 2 hours, until ").run();
    // A second in which it is half past and one in which it is not any more are both right.
    let end = ["(in 7 h 30 min)\n", "(in 7 h 29 min)\n"];
    assert!(end.iter().any(|end| output.stdout.ends_with(end)), "{}", output.stdout);
    assert_eq!(daemon.lease_end(), before + 7200);
    // The next question is due in a minute; it is asked now.
    wait::until_true("the new end to be shown", || shown_end(&sandbox) == Some(before + 7200));
    assert_eq!(instance.sshd.logins(), 1, "no second connection");
    let requests = daemon.server.requests();
    let request = requests.iter().find(|request| request.line == "POST /extend").unwrap();
    assert_eq!(
        (request.body.as_str(), request.authorization.as_str()),
        ("hours=2", &*format!("Bearer {TOKEN}"))
    );
    extend(&sandbox, "1")
        .args(["--instance-id", "a1b2"])
        .stdout_has("Lease extended by 1 hour, until ")
        .run();
    wait::until_true("the new end to be shown", || shown_end(&sandbox) == Some(before + 3 * 3600));
}

#[test]
fn without_a_tunnel_over_a_connection_of_its_own() {
    let instance = Instance::start();
    let daemon = Daemon::start(1000);
    let sandbox = daemon.sandbox(&instance);
    extend(&sandbox, "720").stdout_has("Lease extended by 720 hours, until ").run();
    assert_eq!((daemon.server.count("POST /extend"), instance.sshd.logins()), (1, 1));
    sandbox.assert_idle();
    // Neither over a tunnel that leaves the daemon out.
    let mut sandbox = sandbox;
    sandbox.configure(|config| {
        config.set(["services", "status"], false);
    });
    start(&sandbox).run();
    extend(&sandbox, "1").fails(1, ["soong-extend: "]).hint("status = false").run();
}

#[test]
fn what_is_granted_is_told() {
    let instance = Instance::start();
    let daemon = Daemon::start(3);
    let sandbox = daemon.sandbox(&instance);
    start(&sandbox).run();
    let before = daemon.lease_end();
    extend(&sandbox, "8")
        .stdout_has("Lease extended by 3 hours instead of 8 hours, until ")
        .stdout_has("\nThat is the maximum of the status daemon.\n")
        .run();
    assert_eq!(daemon.lease_end(), before + 3 * 3600);
    extend(&sandbox, "1").fails(1, ["granted no time"]).hint("the lease ends ").run();
    assert_eq!(daemon.server.count("POST /extend"), 2);
}

#[test]
fn a_token_that_is_wrong_or_missing() {
    let instance = Instance::start();
    let daemon = Daemon::start(9);
    let sandbox = daemon.sandbox(&instance);
    sandbox.store_secrets("[daemon]\ntoken = \"another\"\n");
    for tunnel in [false, true] {
        if tunnel {
            start(&sandbox).run();
        }
        let output = extend(&sandbox, "1")
            .fails(1, ["soong-extend: the status daemon rejects the token"])
            .hint("soong configure set daemon.token")
            .run();
        assert!(!output.stderr.contains("another"));
    }
    assert_eq!(daemon.server.count("POST /extend"), 2, "asked once each time");
    sandbox.store_secrets("");
    extend(&sandbox, "1")
        .fails(1, ["no token for the status daemon"])
        .hint("configure set daemon.token")
        .run();
    assert_eq!(daemon.server.count("POST /extend"), 2);
}

#[test]
fn times_are_within_reason() {
    let instance = Instance::start();
    let daemon = Daemon::start(1000);
    let sandbox = daemon.sandbox(&instance);
    for hours in ["0", "-1", "30s", "two", "", "721", "4294967298"] {
        extend(&sandbox, hours).fails(2, ["soong-extend: "]).run();
    }
    sandbox.soong(["extend"]).fails(2, ["TIME"]).run();
    assert!(daemon.server.requests().is_empty());
    assert_eq!(instance.sshd.logins(), 0);
}

#[test]
fn where_there_is_no_daemon() {
    let instance = Instance::start();
    let sandbox = in_place_of_a_daemon(&instance, ports::free());
    for tunnel in [false, true] {
        if tunnel {
            start(&sandbox).run();
        }
        extend(&sandbox, "1")
            .fails(1, ["nothing listens on the status daemon's port on the instance"])
            .hint("[services]")
            .run();
    }
}

#[test]
fn where_there_is_no_instance() {
    let instance = Instance::start();
    let daemon = Daemon::start(1);
    let mut sandbox = daemon.sandbox(&instance);
    extend(&sandbox, "1").args(["--instance-id", "deb"]).fails(1, ["no instance 'deb'"]).hint("dev").run();
    sandbox.configure(|config| {
        config.set(["instances", "dev", "port"], i64::from(ports::free()));
    });
    extend(&sandbox, "1").fails(1, ["cannot reach the instance: ", "refused"]).run();
    assert!(daemon.server.requests().is_empty());
}

#[test]
fn answers_that_make_no_sense() {
    const FOUL: &str = r#"{"error":"disk \u001b[31mfull"}"#;
    type Answer = fn() -> Reply;
    let cases: [(Answer, &str); 7] = [
        (|| Reply::Raw(b"SSH-2.0-dropbear\r\n".to_vec()), "the answer is not HTTP"),
        (|| Reply::Raw(b"HTTP/1.1 200 OK\r\nContent-Le".to_vec()), "the answer is incomplete"),
        (|| Reply::Raw(Vec::new()), "nothing listens on the status daemon's port"),
        (|| Reply::ok("<html>"), "the status daemon's answer is malformed"),
        (|| Reply::ok("[1]"), "the status daemon's answer is malformed"),
        (|| Reply::error("404 Not Found", ""), "another program answers"),
        (|| Reply::error("500 Oops", FOUL), "the status daemon answered 500: disk \\u{1b}[31mfull"),
    ];
    let instance = Instance::start();
    for (answer, reason) in cases {
        let server = Server::start(move |_| answer());
        let sandbox = in_place_of_a_daemon(&instance, server.port);
        extend(&sandbox, "1").fails(1, ["soong-extend: ", reason]).run();
        start(&sandbox).run();
        extend(&sandbox, "1").fails(1, ["soong-extend: ", reason]).run();
        assert_eq!(server.count("POST /extend"), 2, "{reason}: asked again by itself");
    }
    // Nothing but the success is certain.
    let server = Server::start(|_| Reply::ok(r#"{"new_shutdown_at":7,"extended_by_hours":"2"}"#));
    extend(&in_place_of_a_daemon(&instance, server.port), "2").stdout("Lease extended\n").run();
}

#[test]
fn a_daemon_that_does_not_get_on_with_it_is_not_waited_for() {
    let instance = Instance::start();
    for answer in [|| Reply::Silence, || Reply::Drip] {
        let server = Server::start(move |_| answer());
        let sandbox = in_place_of_a_daemon(&instance, server.port);
        start(&sandbox).run();
        let begun = Instant::now();
        extend(&sandbox, "1").fails(1, ["the status daemon is not answering"]).run();
        assert!(begun.elapsed() < Duration::from_secs(60), "{:?}", begun.elapsed());
    }
}

#[test]
fn hours_may_have_decimals_and_units() {
    let instance = Instance::start();
    let server = Server::start(|_| Reply::ok(r#"{"extended_by_hours":1.5}"#));
    let sandbox = in_place_of_a_daemon(&instance, server.port);
    start(&sandbox).run();
    for (time, form) in [("90m", "hours=1.5"), ("1.5", "hours=1.5"), ("2h30m", "hours=2.5"), ("3", "hours=3")]
    {
        extend(&sandbox, time).stdout_has("Lease extended by 1 h 30 min").run();
        let requests = server.requests();
        let last = requests.iter().rfind(|request| request.line == "POST /extend").unwrap();
        assert_eq!(last.body, form, "{time}");
    }
}

#[test]
fn keep_asks_for_minutes_and_warns_of_an_earlier_end() {
    let instance = Instance::start();
    let server = Server::start(|_| {
        Reply::ok(r#"{"kept_until":"2099-01-02T03:04:05Z","shutdown_at":"2099-01-02T01:00:00Z"}"#)
    });
    let sandbox = in_place_of_a_daemon(&instance, server.port);
    let output =
        sandbox.soong(["keep", "2h"]).stdout_has("No idle shutdown until 2099-01-02 ").stderr_has("").run();
    assert!(output.stderr.contains("The lease ends before that, at 2099-01-02 "), "{}", output.stderr);
    let request = &server.requests()[0];
    assert_eq!((request.line.as_str(), request.body.as_str()), ("POST /keep", "minutes=120"));
    assert_eq!(request.authorization, format!("Bearer {TOKEN}"));
}

/// A token belongs to one instance. The global one goes only to instances that the config names.
#[test]
fn a_token_reaches_its_own_instance_only() {
    let instance = Instance::start();
    let server = Server::start(|_| Reply::ok(r#"{"extended_by_hours":1}"#));
    let mut sandbox = on_port(&instance, server.port);
    sandbox.store_secrets("[daemon]\ntoken = \"the-global-one\"\n[daemon.tokens]\na1b2c3d4 = \"its-own\"\nother = \"foreign\"\n");
    start(&sandbox).run();
    extend(&sandbox, "1").stdout_has("Lease extended by 1 hour").run();
    let tokens = |server: &Server| -> Vec<String> {
        server.requests().iter().map(|request| request.authorization.clone()).collect()
    };
    wait::until_true("the supervisor to ask", || server.count("GET /status") > 0);
    assert!(tokens(&server).iter().all(|token| token == "Bearer its-own"), "{:?}", tokens(&server));
    sandbox.tunnel(["stop"]).stdout_has("").run();
    // The same machine, listed by a provider instead of the config, under an id without token.
    let count = server.requests().len();
    let entry = format!(
        r#"{{"id":"stranger","name":"stranger","status":"active","host":"127.0.0.1","port":{},"user":"{}"}}"#,
        instance.sshd.port,
        user()
    );
    sandbox.provide("x", &format!("echo '{{\"api\":1,\"instances\":[{entry}]}}'"));
    let listed = |words: &[&str]| sandbox.soong_with_bin(words).args(["--instance-id", "stranger"]);
    listed(&["tunnel", "start"]).stdout_has("SSH tunnel started").run();
    listed(&["extend", "1"])
        .fails(1, ["no token for the status daemon of stranger"])
        .hint("soong daemon install stranger")
        .run();
    assert_eq!(server.requests().len(), count, "{:?}", tokens(&server));
}
