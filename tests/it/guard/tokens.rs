//! The token of all instances: which instances it is sent to.

use std::fs;

use crate::support::config::user;
use crate::support::daemon::{Daemon, TOKEN};
use crate::support::instance::Instance;
use crate::support::sandbox::Sandbox;
use crate::support::terminal::Terminal;
use crate::support::wait;

/// A sandbox with the token of all, whose instance is listed by a provider and not named in the config.
fn listed(instance: &Instance, daemon: &Daemon) -> Sandbox {
    let mut sandbox = daemon.sandbox(instance);
    let port = instance.sshd.port;
    let listing = format!(
        r#"{{"api":1,"instances":[{{"id":"a1b2c3d4","name":"dev","status":"active","host":"127.0.0.1","port":{port},"user":"{}"}}]}}"#,
        user()
    );
    sandbox.provide("fake", &format!("echo '{listing}'"));
    sandbox.configure(|config| {
        config.remove("instances", "dev");
    });
    sandbox
}

fn requests_with_token(daemon: &Daemon) -> usize {
    daemon.server.requests().iter().filter(|request| !request.authorization.is_empty()).count()
}

#[test]
fn the_token_of_all_is_sent_to_a_listed_instance_only_after_a_yes() {
    let (instance, daemon) = (Instance::start(), Daemon::start(9));
    let sandbox = listed(&instance, &daemon);
    let extend = || sandbox.soong_with_bin(["extend", "1"]);
    let refusal = "no token for the status daemon of dev is configured";
    extend()
        .fails(1, [refusal])
        .hint("soong daemon install dev")
        .hint("in a terminal and allow it to send daemon.token there")
        .run();
    for answer in ["\n", "n\n"] {
        let mut terminal = Terminal::run(&extend(), 24, 250);
        terminal.wait_for("Send it daemon.token, the token of your other instances? [y/N] ");
        terminal.type_text(answer);
        terminal.wait_for(refusal);
        assert_eq!(terminal.finish(), 1);
    }
    assert_eq!(requests_with_token(&daemon), 0);
    let mut terminal = Terminal::run(&extend(), 24, 250);
    terminal.wait_for("[y/N] ");
    terminal.type_text("y\n");
    terminal.wait_for("Lease extended by 1 hour, until ");
    assert_eq!(terminal.finish(), 0);
    // It is the instance's own token now.
    extend().stdout_has("Lease extended by 1 hour, until ").run();
    let file = sandbox.config_file().with_file_name("credentials.toml");
    let text = fs::read_to_string(file).unwrap();
    assert!(text.contains(&format!("[daemon.tokens]\na1b2c3d4 = \"{TOKEN}\"\n")), "{text}");
}

#[test]
fn a_tunnel_to_a_listed_instance_sends_it_no_token() {
    let (instance, daemon) = (Instance::start(), Daemon::start(9));
    let sandbox = listed(&instance, &daemon);
    let path = sandbox.soong_with_bin(["tunnel", "start"]);
    path.stdout_has("SSH tunnel started").run();
    // The first poll comes at once; the answer of a service through the tunnel comes after it.
    crate::support::curl::get(&sandbox.url(0, "id"));
    assert_eq!(requests_with_token(&daemon), 0);
    sandbox.tunnel(["stop"]).stdout_has("Stopped tunnel").run();
    sandbox.store_secrets(&format!("[daemon.tokens]\na1b2c3d4 = \"{TOKEN}\"\n"));
    sandbox.soong_with_bin(["tunnel", "start"]).stdout_has("SSH tunnel started").run();
    wait::until_true("a poll", || requests_with_token(&daemon) > 0);
}
