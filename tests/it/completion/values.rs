//! Candidates that TAB shows: words with their descriptions.

use super::sandbox;
use super::shell::{Kind, Shell};
use crate::support::instance::Instance;
use crate::support::ports;
use crate::support::sandbox::Sandbox;

#[test]
fn commands_options_and_values_are_shown_with_what_they_mean() {
    for kind in Kind::ALL {
        let mut sandbox = sandbox();
        sandbox.provide("static", "exit 1");
        let cache = r#"{"version":1,"providers":{"static":{"taken":1,"answer":{"api":1,"instances":[
            {"id":"0920582c","name":"train","status":"booting","type":"gpu_1x_a10"}]}}}}"#;
        sandbox.write(&sandbox.path("home/.local/state/soong/instances.json"), cache);
        let mut shell = Shell::start(kind, &sandbox, "");
        shell.shows("soong tunnel st\t\t", &["start", "Start a tunnel in the background", "Stop a tunnel"]);
        shell.shows("soong \t\t", &["extend", "Extend the lease of an instance"]);
        shell.shows("soong tunnel start --\t\t", &["--dry-run", "Print the ssh command without"]);
        let train = "gpu_1x_a10, booting";
        shell.shows("soong ssh --instance-id \t\t", &["a1b2c3d4", "192.0.2.7", "train", train]);
        shell.shows("soong ssh -t \t\t", &["a1b2c3d4", "192.0.2.7", "train", train, "config"]);
        shell.shows("soong tunnel wait --service \t\t", &["comfyui", "port 8188"]);
        shell.shows("soong tunnel start \t\t", &["a1b2c3d4", "192.0.2.7", "train", train]);
        shell.shows("soong extend \t\t", &["a1b2c3d4", "192.0.2.7", "train", train]);
        shell.shows("soong tunnel run \t\t", &["a1b2c3d4", "192.0.2.7", "train", train]);
        shell.shows("soong tunnel url \t\t", &["comfyui", "port 8188", "sglang"]);
        shell.shows("soong configure get ssh.\t\t", &["ssh.host-key-check", "user name on the instance"]);
        shell.shows("soong configure set ssh.host-key-check \t\t", &["pin", "strict", "off"]);
        shell.shows("soong tunnel start --forward 5432\t", &["--forward 5432:localhost:5432"]);
        shell.shows("soong tunnel env --shell \t\t", &["bash", "fish"]);
    }
}

/// Returns the answer itself, which [`Sandbox::soong`] cannot show without a terminal.
fn answer(sandbox: &Sandbox, words: &[&str]) -> String {
    let program = super::shell::own_directory().join("soong-complete");
    let run = crate::support::run::Run::new(sandbox, &program, ["words"]).args(words);
    run.stdout_has("").run().stdout
}

#[test]
fn tunnels_that_run_are_offered_where_one_is_meant() {
    let instance = Instance::start();
    let sandbox = Sandbox::with(&instance);
    assert_eq!(answer(&sandbox, &["soong", "tunnel", "stop", ""]), ":4\n");
    sandbox.start(&instance);
    let ports = sandbox.config.local.map(|port| port.to_string()).join(" ");
    let expected = format!("dev\tup, ports {ports}\n:4\n");
    for words in
        ["stop", "stop --quiet", "stop --", "status --check", "logs -fn 3", "restart --port sglang=1"]
    {
        let line: Vec<&str> = ["soong", "tunnel"].into_iter().chain(words.split(' ')).chain([""]).collect();
        assert_eq!(answer(&sandbox, &line), expected, "{words}");
    }
    let address =
        ["dev\ta1b2c3d4", "a1b2c3d4\tdev"].map(|line| format!("--instance-id={line}, 127.0.0.1\n")).concat();
    let instances = answer(&sandbox, &["soong", "tunnel", "restart", "--instance-id="]);
    assert_eq!(instances, format!("{address}:4\n"), "instances, not tunnels");
    sandbox.tunnel(["stop"]).stdout_has("Stopped").run();
    assert_eq!(answer(&sandbox, &["soong", "tunnel", "stop", ""]), ":4\n");
    assert_eq!(answer(&sandbox, &["soong", "tunnel", "logs", ""]), "dev\tnot running\n:4\n");
}

#[test]
fn forwards_are_those_of_the_config_or_where_one_is_to_go_of_the_tunnel() {
    let instance = Instance::start();
    let mut sandbox = Sandbox::with(&instance);
    let [port, remote] = [(); 2].map(|()| ports::free().to_string());
    sandbox.configure(|config| {
        let list = |text: &str| toml::Value::from(vec![text.to_owned()]);
        config
            .set(["instances", "other", "forward"], list("5432:db.internal:5432"))
            .set(["instances", "other", "remote"], list("9000:localhost:3000"));
    });
    let words = |words: &[&str]| answer(&sandbox, &[&["soong", "tunnel"], words].concat());
    assert_eq!(words(&["start", "--forward", ""]), "5432:db.internal:5432\tthat of other\n:4\n");
    assert_eq!(words(&["run", "--remote="]), "--remote=9000:localhost:3000\tthat of other\n:4\n");
    assert_eq!(words(&["start", "--socks", ""]), "1080\tdefault port\n:4\n");
    assert_eq!(words(&["forward", "--remove", ""]), ":4\n");
    sandbox.start(&instance);
    let added = ["forward", &format!("{port}:localhost:1"), "--remote", &format!("{remote}:localhost:2")];
    sandbox.tunnel(added).stdout_has("Forwarding").run();
    assert!(words(&["forward", "7"]).starts_with("dev\tup, "), "the tunnel can be named");
    let more = words(&["forward", "dev", "7"]);
    assert_eq!(more, "5432:db.internal:5432\tthat of other\n7:localhost:7\tsame port\n:4\n");
    let gone = words(&["forward", "dev", "--remove", ""]);
    assert_eq!(gone, format!("{port}\tto localhost:1\n:4\n"));
    let gone = words(&["forward", "--remove", "--remote", ""]);
    assert_eq!(gone, format!("{remote}\tto localhost:2\n:4\n"));
    assert_eq!(words(&["forward", "dev", "--remove", &port, ""]), ":4\n", "that is said");
}

#[test]
fn keys_are_those_that_can_be_read_or_taken_out() {
    let sandbox = sandbox();
    let get = answer(&sandbox, &["soong", "configure", "get", ""]);
    for key in ["ssh.key\t", "services.sglang\t", "instances.dev.user\t", "instances.\"my box\".host\t"] {
        assert!(get.lines().any(|line| line.starts_with(key)), "{key} in {get}");
    }
    let unset = answer(&sandbox, &["soong", "configure", "unset", ""]);
    assert!(unset.contains("instances.dev\tthe instance with all its keys\n"), "{unset}");
    assert!(!unset.contains("instances.dev.user") && !unset.contains("ssh.key"), "{unset}");
}

/// TAB runs no provider, contacts no tunnel and writes nothing.
#[test]
fn nobody_is_asked() {
    let mut sandbox = sandbox();
    let called = sandbox.path("tmp/called");
    sandbox.provide("static", &format!("touch {}", called.display()));
    let before = sandbox.files();
    answer(&sandbox, &["soong", "ssh", "--instance-id", ""]);
    answer(&sandbox, &["soong", "tunnel", "stop", ""]);
    assert!(!called.exists());
    assert_eq!(sandbox.files(), before);
}

#[test]
fn what_is_wrong_is_no_news_to_whoever_presses_tab() {
    let sandbox = Sandbox::new();
    sandbox.write(&sandbox.config_file(), "this is not TOML");
    assert_eq!(answer(&sandbox, &["soong", "ssh", "--instance-id", ""]), ":4\n");
    assert_eq!(answer(&sandbox, &["ls", ""]), ":1\n");
    assert_eq!(answer(&sandbox, &[]), ":1\n");
}

#[test]
fn what_is_rented_and_where_is_completed() {
    let mut sandbox = sandbox();
    sandbox.provide("x", "exit 1");
    assert_eq!(answer(&sandbox, &["soong", "launch", "--provider", ""]), "x\tenabled\n:4\n");
    let instances = answer(&sandbox, &["soong", "terminate", ""]);
    assert!(instances.lines().any(|line| line.starts_with("dev\t")), "{instances}");
    let providers = answer(&sandbox, &["soong", "configure", "set", "launch.provider", ""]);
    assert!(providers.contains("lambda\tinstalled\n"), "{providers}");
}
