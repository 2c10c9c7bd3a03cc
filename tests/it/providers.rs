//! Providers: programs of others that list instances, behave or do not, and never get more than they need.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::support::run::Run;
use crate::support::sandbox::Sandbox;
use crate::support::{tools, wait};

/// A sandbox in which the provider `x` is switched on and is this shell script.
fn with_provider(script: &str) -> Sandbox {
    let mut sandbox = Sandbox::new();
    sandbox.configure(|config| {
        config.set(["providers", "x"], true);
    });
    install(&sandbox, "bin/soong-provider-x", script);
    sandbox
}

/// A sandbox whose provider `x` prints the instances `list`.
fn listing(list: &str) -> Sandbox {
    with_provider(&format!("cat <<'END'\n{{\"api\":1,\"instances\":[{list}]}}\nEND\n"))
}

fn install(sandbox: &Sandbox, file: &str, script: &str) -> PathBuf {
    let file = sandbox.path(file);
    sandbox.write(&file, format!("#!/bin/sh\n{script}"));
    fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
    file
}

/// `soong tunnel start --dry-run ARGS`, with the sandbox's own programs on PATH.
fn start<'a>(sandbox: &'a Sandbox, args: &[&str]) -> Run<'a> {
    sandbox.tunnel(["start", "--dry-run"]).args(args).env("PATH", path(sandbox, ""))
}

fn path(sandbox: &Sandbox, before: &str) -> String {
    format!("{before}{}:{}", sandbox.path("bin").display(), tools::system_path().to_str().unwrap())
}

fn cache(sandbox: &Sandbox) -> PathBuf {
    sandbox.path("home/.local/state/soong/instances.json")
}

const TWO: &str = r#"{"id":"a1b2","name":"train","status":"active","host":"192.0.2.1","user":"me","port":2222},
    {"id":"a3c4","name":"serve","status":"active","host":"192.0.2.2"},
    {"id":"b5d6","name":"next","status":"booting"},
    {"id":"c7e8","name":"old","status":"terminated","host":"192.0.2.3"}"#;

#[test]
fn the_sample_provider_is_sound_and_works() {
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/soong-provider-static");
    let checked = Command::new(tools::tool("shellcheck")).arg(&sample).output().unwrap();
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stdout));

    let mut sandbox = Sandbox::new();
    sandbox.configure(|config| {
        config.set(["providers", "static"], true);
    });
    fs::copy(&sample, sandbox.path("bin/soong-provider-static")).unwrap();
    start(&sandbox, &[])
        .fails(1, ["the provider static failed: cannot read [ROOT]/home"])
        .hint("ID STATUS HOST")
        .run();

    let list = "# all\n a1b2 active\t192.0.2.10 a \"b\" \\ \u{1b}[2J\nc3 booting -\n\nd4 terminated 192.0.2.11 old\n";
    sandbox.write(&sandbox.path("home/.config/soong/instances.txt"), list);
    start(&sandbox, &[]).stdout_has("ubuntu@192.0.2.10").run();
    start(&sandbox, &["--instance-id", "a \"b\" \\ \u{1b}[2J"]).stdout_has("ubuntu@192.0.2.10").run();
    start(&sandbox, &["--instance-id", "c3"])
        .fails(1, ["the instance c3 is still booting"])
        .hint("--wait")
        .run();
    start(&sandbox, &["--instance-id", "old"]).fails(1, ["the instance old is terminated"]).run();
}

#[test]
fn the_instance_is_chosen_by_id_name_or_the_start_of_an_id() {
    let sandbox = listing(TWO);
    for (wanted, login) in
        [("train", "-p 2222 -- me@192.0.2.1"), ("a3c4", "ubuntu@192.0.2.2"), ("a3", "ubuntu@192.0.2.2")]
    {
        start(&sandbox, &["--instance-id", wanted]).stdout_has(login).run();
    }
    start(&sandbox, &[])
        .fails(1, ["more than one instance is active"])
        .hint("choose one with --instance-id: train (a1b2), serve (a3c4)")
        .run();
    start(&sandbox, &["--instance-id", "a"]).fails(1, ["more than one instance id starts with 'a'"]).run();
    start(&sandbox, &["--instance-id", "trian"]).fails(1, ["no instance 'trian'"]).hint("'train'").run();

    let one = listing(TWO.lines().skip(1).collect::<String>().as_str());
    start(&one, &[]).stdout_has("ubuntu@192.0.2.2").run();
    let none = listing("");
    start(&none, &[]).fails(1, ["no instance is active"]).hint("soong configure").run();
}

#[test]
fn nothing_is_executed_that_is_not_needed() {
    let mut sandbox = with_provider("touch \"$HOME/ran\"; echo '{\"api\":1,\"instances\":[]}'");
    let ran = sandbox.home().join("ran");
    sandbox.configure(|config| {
        config.instance("dev", "192.0.2.9", 22);
    });
    start(&sandbox, &["--instance-id", "dev"]).stdout_has("@192.0.2.9").run();
    assert!(!ran.exists(), "the config knows the instance");
    sandbox.configure(|config| {
        config.set(["providers", "x"], false);
    });
    start(&sandbox, &[]).stdout_has("@192.0.2.9").run();
    start(&sandbox, &["--instance-id", "z"]).fails(1, ["no instance 'z'"]).run();
    assert!(!ran.exists(), "the provider is switched off");
    sandbox.configure(|config| {
        config.set(["providers", "x"], true);
    });
    start(&sandbox, &[]).stdout_has("@192.0.2.9").run();
    assert!(ran.exists());
}

#[test]
fn a_provider_is_never_taken_from_the_current_directory() {
    let mut sandbox = Sandbox::new();
    sandbox.configure(|config| {
        config.set(["providers", "x"], true);
    });
    install(&sandbox, "tmp/soong-provider-x", "touch \"$HOME/ran\"");
    for before in [":", ".:", "./:", "../tmp:"] {
        start(&sandbox, &[])
            .env("PATH", path(&sandbox, before))
            .fails(1, ["the provider x is enabled, but soong-provider-x is not installed"])
            .hint("soong configure set providers.x false")
            .run();
    }
    assert!(!sandbox.home().join("ran").exists());
}

#[test]
fn a_provider_that_nobody_made_executable_is_named() {
    let mut sandbox = with_provider("echo '{\"api\":1,\"instances\":[]}'");
    let file = sandbox.path("bin/soong-provider-x");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    start(&sandbox, &[])
        .fails(1, ["the provider x is enabled, but [ROOT]/bin/soong-provider-x is not executable"])
        .hint("chmod +x [ROOT]/bin/soong-provider-x")
        .hint("soong configure set providers.x false")
        .run();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
    start(&sandbox, &[]).fails(1, ["no instance is active"]).run();
    // A name with a dot has to be quoted.
    sandbox.configure(|config| {
        config.set(["providers", "x"], false).set(["providers", "x.2"], true);
    });
    start(&sandbox, &[])
        .fails(1, ["x.2 is enabled"])
        .hint("soong configure set 'providers.\"x.2\"' false")
        .run();
    sandbox.soong(["configure", "set", "providers.\"x.2\"", "false"]).run();
    start(&sandbox, &[]).fails(1, ["no instances are configured"]).run();
}

/// As every shell runs it.
#[test]
fn a_provider_without_a_line_for_its_interpreter_runs() {
    let sandbox = with_provider("");
    let list = r#"{"api":1,"instances":[{"id":"a","status":"active","host":"192.0.2.1"}]}"#;
    sandbox.write(&sandbox.path("bin/soong-provider-x"), format!("test \"$1\" = list && echo '{list}'\n"));
    start(&sandbox, &[]).stdout_has("@192.0.2.1").run();
}

#[test]
fn a_provider_that_fails_is_told_in_its_own_words() {
    let sandbox = with_provider("printf 'soong-provider-x: no \\033[31mkey\\nhint: make one\\n' >&2; exit 3");
    start(&sandbox, &[]).fails(1, ["the provider x failed: no \\u{1b}[31mkey"]).hint("make one").run();
    let sandbox = with_provider("kill -KILL $$");
    start(&sandbox, &[]).fails(1, ["the provider x failed: killed by signal 9"]).run();
}

#[test]
fn rubbish_is_told() {
    for (script, reason) in [
        ("echo hello", "unexpected JSON"),
        ("printf '\\033[2J\\377'", "unexpected JSON"),
        ("true", "it printed nothing"),
        ("echo '{\"api\":7,\"instances\":[]}'", "it uses version 7"),
        ("echo '{\"api\":1,\"instances\":[{\"name\":\"n\"}]}'", "instances[0] has no id"),
        ("yes", "printed more than 16 MiB"),
    ] {
        let sandbox = with_provider(script);
        let output = start(&sandbox, &[]).fails(1, [reason]).run();
        assert!(!output.stderr.contains('\u{1b}'), "{script}");
        assert!(!cache(&sandbox).exists(), "{script}");
    }
}

#[test]
fn a_provider_that_hangs_is_ended_with_all_it_started() {
    let sandbox = with_provider("echo busy >&2; trap '' TERM HUP; sleep 600 & sleep 600; sleep 600");
    start(&sandbox, &[]).fails(1, ["the provider x did not answer within 20 s"]).hint("it said: busy").run();
    wait::until_true("the provider to end", || sandbox.processes().is_empty());
}

#[test]
fn an_interrupt_ends_the_provider_too() {
    let sandbox = with_provider("touch \"$HOME/ran\"; sleep 600 & sleep 600");
    let command = start(&sandbox, &[]).code(130).stderr_has("").spawn();
    wait::until_true("the provider to run", || sandbox.home().join("ran").exists());
    command.interrupt();
    command.finish();
    wait::until_true("the provider to end", || sandbox.processes().is_empty());
}

#[test]
fn ten_thousand_instances_with_hostile_names() {
    let script = r#"awk 'BEGIN { printf "{\"api\":1,\"instances\":["; for (i = 0; i < 10000; i++)
        printf "%s{\"id\":\"%05d\",\"name\":\"\\u001b]0;x\\u0007\\u001b[2J%d\\n\\u202e\",\"status\":\"active\",\"host\":\"192.0.2.1\"}",
            i ? "," : "", i, i; print "]}" }'"#;
    let sandbox = with_provider(script);
    let output =
        start(&sandbox, &[]).fails(1, ["more than one instance is active"]).hint("and 9990 more").run();
    assert!(output.stderr.len() < 2000, "{}", output.stderr);
    let foul = |c: char| c.is_control() && c != '\n' || c == '\u{202e}';
    assert!(!output.stderr.contains(foul), "{:?}", output.stderr);
    let output = start(&sandbox, &["--instance-id", "00042"]).stdout_has("@192.0.2.1").run();
    assert!(!output.stdout.contains(foul), "{:?}", output.stdout);
}

#[test]
fn an_address_never_becomes_an_argument_of_ssh() {
    for (host, user) in [
        ("-oProxyCommand=touch${IFS}pwned", "u"),
        ("h;touch pwned", "u"),
        ("192.0.2.1", "-oProxyCommand=touch"),
        ("192.0.2.1", "$(touch pwned)"),
        ("ssh://evil", "u"),
        ("192.0.2.1:2222", "u"),
    ] {
        let sandbox = listing(&format!(r#"{{"id":"a","status":"active","host":"{host}","user":"{user}"}}"#));
        start(&sandbox, &[]).fails(1, ["the instance a cannot be reached", "ssh does not accept"]).run();
        start(&sandbox, &["--instance-id", "a"]).fails(1, ["the instance a cannot be reached"]).run();
    }
}

#[test]
fn the_last_answer_is_kept_private() {
    let sandbox = listing(r#"{"id":"a","status":"active","host":"192.0.2.1","jupyter_token":"s3cret"}"#);
    start(&sandbox, &[]).stdout_has("192.0.2.1").run();
    let text = fs::read_to_string(cache(&sandbox)).unwrap();
    assert!(text.contains("192.0.2.1") && !text.contains("s3cret"), "{text}");
    assert_eq!(fs::metadata(cache(&sandbox)).unwrap().permissions().mode() & 0o777, 0o600);
    // soong replaces a cache that it cannot parse.
    sandbox.write(&cache(&sandbox), "{\"version\":1,\"providers\":{\"x\":");
    start(&sandbox, &[]).stdout_has("192.0.2.1").run();
    assert_eq!(fs::read_to_string(cache(&sandbox)).unwrap().matches("192.0.2.1").count(), 1);
}

#[test]
fn an_instance_that_boots_can_be_waited_for() {
    let sandbox = with_provider(
        r#"if [ -e "$HOME/asked" ]; then s='"active","host":"192.0.2.1"'; else s='"booting"'; fi
        touch "$HOME/asked"
        echo "{\"api\":1,\"instances\":[{\"id\":\"a\",\"name\":\"gpu\",\"status\":$s}]}""#,
    );
    start(&sandbox, &[])
        .fails(1, ["the instance gpu is still booting"])
        .hint("soong tunnel start --wait")
        .run();
    let again = || fs::remove_file(sandbox.home().join("asked")).unwrap();
    again();
    let begun = Instant::now();
    start(&sandbox, &["--wait"])
        .stdout_has("@192.0.2.1")
        .stderr_has("Waiting for gpu to boot, at most 15m...\n")
        .stderr_has("gpu is active after ")
        .run();
    assert!(begun.elapsed() >= Duration::from_secs(5), "asked again too soon: {:?}", begun.elapsed());
    again();
    start(&sandbox, &["--wait=1"]).stderr_has("still booting after 1s").stderr_has("--wait=2").code(1).run();
    start(&sandbox, &["--wait=0"]).code(2).stderr_has("--wait").run();
}

#[test]
fn one_provider_that_fails_does_not_take_the_others_with_it() {
    let mut sandbox = listing(TWO);
    sandbox.configure(|config| {
        config.set(["providers", "broken"], true).instance("dev", "192.0.2.9", 22);
        config.set(["instances", "dev", "id"], "d0");
    });
    install(&sandbox, "bin/soong-provider-broken", "echo no network >&2; exit 1");
    start(&sandbox, &["--instance-id", "serve"]).stdout_has("@192.0.2.2").run();
    start(&sandbox, &["--instance-id", "dev"]).stdout_has("@192.0.2.9").run();
    // The provider that failed might have listed the requested instance.
    for args in [&[][..], &["--instance-id", "a1"], &["--instance-id", "zzz"]] {
        start(&sandbox, args)
            .fails(1, ["the provider broken failed: no network"])
            .hint("--instance-id dev")
            .run();
    }
}

#[test]
fn a_provider_that_is_down_is_replaced_by_its_last_answer_for_an_hour() {
    let sandbox = with_provider(
        r#"test -e "$HOME/down" && { echo no network >&2; exit 1; }
        echo '{"api":1,"instances":[{"id":"a1","name":"gpu","status":"active","host":"192.0.2.1"}]}'"#,
    );
    let down = |run: Run<'_>| run.fails(1, ["the provider x failed: no network"]).run();
    sandbox.write(&sandbox.home().join("down"), "");
    down(start(&sandbox, &[]));
    fs::remove_file(sandbox.home().join("down")).unwrap();
    start(&sandbox, &[]).stdout_has("@192.0.2.1").run();
    sandbox.write(&sandbox.home().join("down"), "");
    for args in [&[][..], &["gpu"], &["a"]] {
        let warning = "warning: the provider x failed: no network; using its answer from ";
        let run = start(&sandbox, args).stdout_has("@192.0.2.1").stderr_has(warning);
        run.stderr_has(" ago: gpu, 192.0.2.1\n").run();
    }
    down(start(&sandbox, &["other"]));
    start(&sandbox, &["-q"]).stdout_has("@192.0.2.1").run();
    // An old answer may be about an address that another machine has now.
    let text = fs::read_to_string(cache(&sandbox)).unwrap();
    let mut json: serde_json::Value = serde_json::from_str(&text).unwrap();
    let taken = json["providers"]["x"]["taken"].as_u64().unwrap();
    json["providers"]["x"]["taken"] = (taken - 4000).into();
    sandbox.write(&cache(&sandbox), json.to_string());
    down(start(&sandbox, &["gpu"]));
}

#[test]
fn what_the_config_says_of_an_instance_goes_before_what_its_provider_says() {
    let mut sandbox = listing(TWO);
    sandbox.configure(|config| {
        config.instance("mine", "gateway.example", 2022);
        config.set(["instances", "mine", "id"], "a3c4");
    });
    start(&sandbox, &["--instance-id", "a3"]).stdout_has("-p 2022").stdout_has("@gateway.example").run();
    start(&sandbox, &[]).fails(1, ["more than one"]).hint("mine (a3c4), train (a1b2)").run();
}

#[test]
fn names_that_are_shared_lead_to_tunnels_of_their_own() {
    let sandbox = listing(
        r#"{"id":"a1","name":"gpu","status":"active","host":"192.0.2.1"},
           {"id":"b2","name":"gpu","status":"active","host":"192.0.2.2"}"#,
    );
    start(&sandbox, &["--instance-id", "gpu"])
        .fails(1, ["more than one instance is called 'gpu'"])
        .hint("gpu (a1), gpu (b2)")
        .run();
    start(&sandbox, &["--instance-id", "a1"]).stdout_has("tunnels/gpu-a1/").run();
    start(&sandbox, &["--instance-id", "b2"]).stdout_has("tunnels/gpu-b2/").run();
}
