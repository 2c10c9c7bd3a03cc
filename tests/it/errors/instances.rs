//! Choosing an instance, and names that are hard on files, terminals and shells.

use crate::support::curl::get;
use crate::support::instance::Instance;
use crate::support::sandbox::Sandbox;

#[test]
fn without_any_instance_the_way_to_one_is_shown() {
    let sandbox = Sandbox::new();
    sandbox.tunnel(["start"]).fails(1, ["no instances"]).hint("soong configure").run();
    sandbox
        .tunnel(["start", "--instance-id", "dev"])
        .fails(1, ["no instances"])
        .hint("soong configure")
        .run();
    sandbox.assert_idle();
}

#[test]
fn without_a_config_file_nothing_is_configured() {
    let sandbox = Sandbox::new();
    std::fs::remove_file(sandbox.config_file()).unwrap();
    sandbox.tunnel(["start"]).fails(1, ["no instances"]).hint("soong configure").run();
    sandbox.tunnel(["status"]).code(3).stdout("Tunnel is not running\n").run();
    sandbox.assert_idle();
}

#[test]
fn an_instance_that_does_not_exist_is_told_with_those_that_do() {
    let instance = Instance::start();
    let sandbox = Sandbox::with(&instance);
    sandbox.tunnel(["start", "--instance-id", "zzz"]).fails(1, ["zzz"]).hint("dev").hint("a1b2c3d4").run();
    sandbox.tunnel(["start", "--instance-id", ""]).fails(1, [""]).hint("dev").run();
    sandbox.assert_idle();
}

#[test]
fn several_instances_have_to_be_told_apart() {
    let instance = Instance::start();
    let mut sandbox = Sandbox::with(&instance);
    sandbox.configure(|config| {
        config.instance("staging", "127.0.0.1", 1).set(["instances", "staging", "id"], "a1ffffff");
    });
    sandbox
        .tunnel(["start"])
        .fails(1, ["more than one"])
        .hint("--instance-id")
        .hint("dev")
        .hint("staging")
        .run();
    sandbox.tunnel(["start", "--instance-id", "a1"]).fails(1, ["a1"]).hint("a1b2c3d4").hint("a1ffffff").run();
    sandbox.assert_idle();
    for wanted in ["dev", "a1b2c3d4", "a1b"] {
        sandbox.tunnel(["start", "--instance-id", wanted]).stdout(sandbox.started(&instance)).run();
        assert_eq!(get(&sandbox.url(0, "id")), "sglang");
        sandbox.tunnel(["stop"]).stdout("Stopped tunnel (PID: [PID])\n").run();
    }
    sandbox.assert_idle();
}

#[test]
fn odd_names_work_and_are_never_executed() {
    let instance = Instance::start();
    for name in [
        "my instance",
        "it's \"mine\"",
        "$(touch pwned)",
        "`touch pwned`;touch pwned",
        "größe",
        "../../etc",
        "%h%%",
    ] {
        let mut sandbox = Sandbox::with(&instance);
        sandbox.configure(|config| {
            config.remove("instances", "dev").instance(name, "127.0.0.1", instance.sshd.port);
        });
        let flag = format!("--instance-id={name}");
        sandbox.tunnel(["start", &flag]).stdout(sandbox.started(&instance)).run();
        assert_eq!(get(&sandbox.url(0, "id")), "sglang", "{name}");
        sandbox.tunnel(["status"]).stdout_has("Tunnel is running\n").run();
        sandbox.tunnel(["stop"]).stdout("Stopped tunnel (PID: [PID])\n").run();
        sandbox.assert_idle();
        assert_nothing_was_executed(&sandbox);
    }
}

#[test]
fn names_that_no_one_could_type_are_refused() {
    let instance = Instance::start();
    let long = "x".repeat(300);
    for name in ["two\nlines", "-x", "--help", "\u{1b}[31mred", "tab\there", "nul\0", "", &long] {
        let mut sandbox = Sandbox::with(&instance);
        sandbox.configure(|config| {
            config.instance(name, "127.0.0.1", instance.sshd.port);
        });
        let output =
            sandbox.tunnel(["start", "--instance-id", "dev"]).fails(1, ["config.toml: line ", "name"]).run();
        assert!(!output.stderr.contains('\u{1b}'), "a terminal must not obey a name: {:?}", output.stderr);
        assert!(output.stderr.len() < 400, "{}", output.stderr);
        sandbox.assert_idle();
    }
}

#[test]
fn odd_names_that_are_asked_for_are_shown_harmlessly() {
    let instance = Instance::start();
    let sandbox = Sandbox::with(&instance);
    for name in ["two\nlines", "-x", "$(touch pwned)", "\u{1b}[31mred", &"x".repeat(300)] {
        let flag = format!("--instance-id={name}");
        let output = sandbox.tunnel(["start", &flag]).fails(1, [""]).hint("dev").run();
        assert!(!output.stderr.contains('\u{1b}'), "{:?}", output.stderr);
        assert_nothing_was_executed(&sandbox);
    }
    sandbox.assert_idle();
}

/// No name above was run as a command: each would have left this file in the working directory.
#[track_caller]
pub fn assert_nothing_was_executed(sandbox: &Sandbox) {
    let pwned = sandbox.files().into_iter().find(|file| file.ends_with("pwned"));
    assert_eq!(pwned, None);
}

#[test]
fn a_second_name_is_one_too_many() {
    let sandbox = Sandbox::new();
    for words in [&["tunnel", "start", "dev"][..], &["status", "dev"], &["tunnel", "list", "dev"]] {
        sandbox.soong(words.iter().copied()).arg("x").fails(2, ["unexpected argument 'x'"]).run();
    }
    for words in ["tunnel", "ext"] {
        let output = sandbox.soong([words]).code(2).stderr_has(format!("\nUsage: soong {words}")).run();
        assert!(!output.stderr.contains("hint:"), "the help as it is: {}", output.stderr);
    }
}
