//! `soong status`: what is known of instances, wherever it is known from, and how well.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::support::daemon::{self, Daemon, GPU_LOAD, MODEL};
use crate::support::instance::Instance;
use crate::support::run::{Output, Run};
use crate::support::sandbox::{Sandbox, pid_in};
use crate::support::tools::tool;
use crate::support::wait;

const LIST: &str = r#"{"id":"0920582c7ff041399e34823a0be62549","name":"train","status":"active","host":"192.0.2.1",
     "type":"gpu_1x_a100","region":"us-west-1","price_cents_per_hour":129},
    {"id":"b5d6","status":"booting"}"#;

/// A script that prints `list` as a provider does.
fn lists(list: &str) -> String {
    format!("cat <<'END'\n{{\"api\":1,\"instances\":[{list}]}}\nEND")
}

/// A sandbox with an instance in its config and the provider `x`, which is `script`.
fn sandbox(script: &str) -> Sandbox {
    let mut sandbox = Sandbox::new();
    sandbox.configure(|config| {
        config.instance("dev", "192.0.2.9", 22);
    });
    sandbox.provide("x", script);
    sandbox
}

fn status<'a>(sandbox: &'a Sandbox, args: &[&str]) -> Run<'a> {
    sandbox.soong_with_bin(["status"]).args(args)
}

/// Returns the output of `soong status --json ARGS`, which must succeed and print nothing else.
#[track_caller]
fn json(sandbox: &Sandbox, args: &[&str]) -> Value {
    let output = status(sandbox, &["--json"]).args(args).stdout_has("").run();
    one_line(&output.stdout)
}

#[track_caller]
fn one_line(text: &str) -> Value {
    assert_eq!(text.find('\n'), Some(text.len() - 1), "{text}");
    serde_json::from_str(text).unwrap()
}

/// The instance that is called `name`.
fn named<'a>(answer: &'a Value, name: &str) -> &'a Value {
    let instances = answer["instances"].as_array().unwrap();
    instances.iter().find(|instance| instance["name"] == name).unwrap_or_else(|| panic!("{answer:#}"))
}

/// Waits until the instance `dev` is as `test` wants it.
#[track_caller]
fn wait_for(sandbox: &Sandbox, what: &str, test: impl Fn(&Value) -> bool) -> Value {
    wait::until(what, || Some(named(&json(sandbox, &[]), "dev").clone()).filter(&test))
}

#[test]
fn instances_of_the_config_and_of_providers_stand_in_one_table() {
    let sandbox = sandbox(&lists(LIST));
    status(&sandbox, &[])
        .stdout(
            "NAME   ID        STATE    ADDRESS    TUNNEL  LEASE  UP  $/H   SO FAR\n\
             dev    dev       -        192.0.2.9  -       -      -   -     -\n\
             train  0920582c  active   192.0.2.1  -       -      0m  1.29  $0.00+\n    \
                 gpu_1x_a100 in us-west-1\n\
             -      b5d6      booting  -          -       -      0m  -     -\n",
        )
        .run();
    let answer = json(&sandbox, &[]);
    let train = named(&answer, "train");
    assert_eq!((&train["type"], &train["provider"]), (&"gpu_1x_a100".into(), &"x".into()));
    assert_eq!((&train["stale"], &train["price_cents_per_hour"]), (&false.into(), &129.into()));
    assert_eq!(named(&answer, "dev")["status"], "unknown");
    assert_eq!(named(&answer, "b5d6")["host"], Value::Null);
    let none = Sandbox::new();
    none.soong(["status"]).stdout("No instances\n").stderr("hint: run 'soong configure'\n").run();
}

#[test]
fn one_instance_can_be_asked_for() {
    let sandbox = sandbox(&lists(LIST));
    for wanted in ["train", "0920582c7ff041399e34823a0be62549", "09"] {
        let answer = json(&sandbox, &["--instance-id", wanted]);
        assert_eq!(answer["instances"].as_array().unwrap().len(), 1, "{answer}");
        assert_eq!(named(&answer, "train")["host"], "192.0.2.1");
        let table = status(&sandbox, &["--instance-id", wanted]).stdout_has("train").run().stdout;
        assert!(!table.contains("dev"), "{table}");
    }
    status(&sandbox, &["--instance-id", "trian"]).fails(1, ["no instance 'trian'"]).hint("'train'").run();
    status(&sandbox, &["--instance-id", "\u{1b}[2J"]).fails(1, ["no instance", "\\u{1b}[2J"]).run();
}

#[test]
fn a_tunnel_tells_of_the_lease_the_gpu_and_the_model() {
    let instance = Instance::start();
    let daemon = Daemon::start(0);
    let sandbox = daemon.sandbox(&instance);
    assert_eq!(named(&json(&sandbox, &[]), "dev")["tunnel"], Value::Null);
    let pid = pid_in(&daemon::start(&sandbox).run().stdout);
    let dev = wait_for(&sandbox, "the daemon's answer", |dev| !dev["lease_end"].is_null());
    assert_eq!((&dev["lease_end"], &dev["gpu_load"]), (&daemon.lease_end().into(), &GPU_LOAD.into()));
    assert_eq!((&dev["model"], &dev["tunnel"]["state"]), (&MODEL.into(), &"up".into()));
    assert_eq!((&dev["tunnel"]["pid"], &dev["tunnel"]["last_error"]), (&pid.into(), &Value::Null));
    let forward = &dev["tunnel"]["forwards"][2];
    assert_eq!((&forward["service"], &forward["local"]), (&"status".into(), &sandbox.config.local[2].into()));
    assert_eq!(forward["remote"], daemon.server.port);
    let table = status(&sandbox, &[])
        .stdout_has(format!("    GPU {GPU_LOAD} %, {MODEL}, idle for 3 min\n"))
        .run()
        .stdout;
    let line = table.lines().find(|line| line.starts_with("dev")).unwrap();
    assert!(line.contains("  up      5 h "), "{table}");

    // The lease stays valid without the link; the rest is unknown now.
    let Instance { sshd, services } = instance;
    drop(sshd);
    let dev = wait_for(&sandbox, "the link to be lost", |dev| dev["tunnel"]["state"] == "reconnecting");
    assert_eq!(dev["lease_end"], daemon.lease_end());
    assert_eq!((&dev["gpu_load"], &dev["model"]), (&Value::Null, &Value::Null));
    assert!(dev["tunnel"]["last_error"].is_string(), "{dev:#}");
    status(&sandbox, &[]).stdout_has("reconnecting").run();

    sandbox.tunnel(["stop"]).stdout_has("Stopped").run();
    let dev = named(&json(&sandbox, &[]), "dev").clone();
    assert_eq!((&dev["tunnel"], &dev["lease_end"]), (&Value::Null, &Value::Null));
    drop(services);
}

/// Fields and their types, as the tables of the documentation list them.
fn documented() -> [BTreeMap<String, String>; 3] {
    let text = include_str!("../../docs/json.md");
    ["## soong status --json\n", "### instances[]\n", "### providers[]\n"].map(|heading| {
        let (_, section) = text.split_once(heading).unwrap();
        let section = section.split("\n#").next().unwrap();
        let rows = section.lines().filter_map(|line| line.strip_prefix("| `"));
        rows.map(|row| {
            let mut cells = row.split(" | ");
            let name = cells.next().unwrap().trim_end_matches('`').to_owned();
            (name, cells.next().unwrap().to_owned())
        })
        .collect()
    })
}

/// Every field is documented, every documented field is there, and it is of its type or `null`.
#[track_caller]
fn assert_shape(value: &Value, shape: &BTreeMap<String, String>) {
    let value = value.as_object().unwrap();
    let (there, expected): (BTreeSet<_>, BTreeSet<_>) = (value.keys().collect(), shape.keys().collect());
    assert_eq!(there, expected);
    for (name, value) in value {
        let kind = match value {
            Value::Null => continue,
            Value::Bool(_) => "boolean",
            Value::Number(_) => "number",
            Value::String(_) => "string",
            Value::Array(_) => "array",
            Value::Object(_) => "object",
        };
        assert_eq!(kind, shape[name], "{name}");
    }
}

#[test]
fn json_has_the_shape_that_is_documented() {
    let [document, instance_shape, provider_shape] = documented();
    let instance = Instance::start();
    let daemon = Daemon::start(0);
    let mut sandbox = daemon.sandbox(&instance);
    daemon::start(&sandbox).run();
    sandbox.provide("x", &lists(LIST));
    sandbox.provide("y", "echo no network >&2; exit 1");
    let up = |output: Output| output.stdout.contains("\"lease_end\":1");
    wait::until_true("the daemon's answer", || up(status(&sandbox, &["--json"]).unchecked()));
    let output = status(&sandbox, &["--json"]).code(1).stdout_has("").run();
    let answer = one_line(&output.stdout);
    assert_shape(&answer, &document);
    assert_eq!(answer["api"], 1);
    for instance in answer["instances"].as_array().unwrap() {
        assert_shape(instance, &instance_shape);
    }
    for provider in answer["providers"].as_array().unwrap() {
        assert_shape(provider, &provider_shape);
    }
    let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<BTreeSet<_>>();
    let tunnel = &named(&answer, "dev")["tunnel"];
    assert_eq!(keys(tunnel), ["forwards", "last_error", "pid", "state"].map(str::to_owned).into());
    assert_eq!(keys(&tunnel["forwards"][0]), ["local", "remote", "service"].map(str::to_owned).into());
    assert_eq!(answer["providers"][1]["error"], "the provider y failed: no network");
    assert_eq!(answer["providers"][1]["taken"], Value::Null);
}

/// A provider that works until `broken` exists in the home.
fn fragile() -> Sandbox {
    sandbox(&format!(
        "test ! -e \"$HOME/broken\" || {{ echo no network >&2; echo 'hint: plug it in' >&2; exit 1; }}\n{}",
        lists(LIST)
    ))
}

#[test]
fn a_provider_out_of_order_is_represented_by_its_last_answer() {
    let sandbox = fragile();
    let taken = json(&sandbox, &[])["providers"][0]["taken"].as_u64().unwrap();
    sandbox.write(&sandbox.home().join("broken"), "");
    // Five minutes go by.
    let cache = sandbox.path("home/.local/state/soong/instances.json");
    let text = fs::read_to_string(&cache).unwrap();
    let earlier = text.replace(&format!("\"taken\":{taken}"), &format!("\"taken\":{}", taken - 300));
    assert_ne!(text, earlier);
    fs::write(&cache, earlier).unwrap();
    status(&sandbox, &[])
        .stdout_has("train  0920582c  active?   192.0.2.1")
        .stdout_has("\nx: provider unreachable; showing data from 5 min ago\n")
        .stderr("soong-status: the provider x failed: no network\nhint: plug it in\n")
        .run();
    let answer = json(&sandbox, &[]);
    assert_eq!(
        (&named(&answer, "train")["stale"], &named(&answer, "dev")["stale"]),
        (&true.into(), &false.into())
    );
    assert_eq!(answer["providers"][0]["taken"], taken - 300);
    assert_eq!(answer["providers"][0]["error"], "the provider x failed: no network");
    fs::remove_file(sandbox.home().join("broken")).unwrap();
    let answer = json(&sandbox, &[]);
    assert_eq!(
        (&named(&answer, "train")["stale"], &answer["providers"][0]["error"]),
        (&false.into(), &Value::Null)
    );
}

#[test]
fn the_last_answer_of_a_provider_is_kept_while_others_answer() {
    let mut sandbox = fragile();
    sandbox.provide("y", &lists(r#"{"id":"b2","name":"other","status":"active","host":"192.0.2.2"}"#));
    let first = json(&sandbox, &[]);
    sandbox.write(&sandbox.home().join("broken"), "");
    for args in [&[][..], &[], &["--cached"]] {
        let answer = json(&sandbox, args);
        assert_eq!(answer["providers"][0]["taken"], first["providers"][0]["taken"], "{args:?}");
        assert_eq!(named(&answer, "train")["host"], "192.0.2.1", "{args:?}");
        assert_eq!(named(&answer, "other")["host"], "192.0.2.2", "{args:?}");
    }
}

#[test]
fn a_provider_of_which_nothing_is_known_is_a_failure() {
    let sandbox = fragile();
    sandbox.write(&sandbox.home().join("broken"), "");
    status(&sandbox, &[])
        .code(1)
        .stdout_has("dev   dev  -      192.0.2.9")
        .stdout_has("\nx: unreachable; no cached data\n")
        .stderr("soong-status: the provider x failed: no network\nhint: plug it in\n")
        .run();
    let output = status(&sandbox, &["--json"]).code(1).stdout_has("").run();
    let answer = one_line(&output.stdout);
    assert_eq!(answer["providers"][0]["taken"], Value::Null);
    assert_eq!(answer["instances"].as_array().unwrap().len(), 1);
}

#[test]
fn cached_executes_nothing() {
    let sandbox = sandbox(&format!("echo >> \"$HOME/ran\"\n{}", lists(LIST)));
    let runs = || fs::read(sandbox.home().join("ran")).map_or(0, |lines| lines.len());
    let answer = json(&sandbox, &["--cached"]);
    assert_eq!(answer["instances"].as_array().unwrap().len(), 1, "{answer}");
    status(&sandbox, &["--cached"]).stdout_has("dev").run();
    assert_eq!(runs(), 0);
    json(&sandbox, &[]);
    assert_eq!(runs(), 1);
    assert_eq!(named(&json(&sandbox, &["--cached"]), "train")["host"], "192.0.2.1");
    assert_eq!(runs(), 1);
}

/// Returns true if a terminal would act on the character instead of showing it.
fn is_foul(c: char) -> bool {
    c.is_control() && c != '\n' || ('\u{202a}'..='\u{202e}').contains(&c)
}

#[test]
fn what_others_write_never_acts_on_the_terminal() {
    const FOUL: &str = r"\u001b]0;x\u0007\u001b[2J\u009b31m\r\n\u202e";
    let sandbox = sandbox(&format!(
        "if [ -e \"$HOME/broken\" ]; then printf '\\033[2J\\nhint: \\033]0;x\\007' >&2; exit 1; fi\n{}",
        lists(&format!(
            r#"{{"id":"i{FOUL}","name":"n{FOUL}","status":"active","host":"h{FOUL}","type":"t{FOUL}","region":"r{FOUL}"}}"#
        ))
    ));
    for args in [&[][..], &["--json"], &["--instance-id", "i"], &["--cached"]] {
        let output = status(&sandbox, args).stdout_has("").run();
        assert!(!output.stdout.contains(is_foul), "{:?}", output.stdout);
    }
    sandbox.write(&sandbox.home().join("broken"), "");
    let output = status(&sandbox, &[]).stdout_has("showing data from").stderr_has("\\u{1b}[2J").run();
    assert!(!(output.stdout + &output.stderr).contains(is_foul));
}

#[test]
fn ten_thousand_instances_take_seconds() {
    // Ids that are alike for long are the hardest to shorten.
    let sandbox = sandbox(
        r#"awk 'BEGIN { long = sprintf("%240s", ""); gsub(/ /, "a", long); printf "{\"api\":1,\"instances\":["
        for (i = 0; i < 10000; i++)
            printf "%s{\"id\":\"%s%05d\",\"name\":\"same\",\"status\":\"active\",\"host\":\"192.0.2.1\"}", i ? "," : "", long, i
        print "]}" }'"#,
    );
    for args in [&[][..], &["--json"], &["--cached"]] {
        let begun = Instant::now();
        let output = status(&sandbox, args).stdout_has("192.0.2.1").run();
        assert!(begun.elapsed() < Duration::from_secs(60), "{args:?}: {:?}", begun.elapsed());
        assert!(output.stdout.len() > 10_000 * 40);
    }
}

#[test]
fn watching_goes_on_until_it_is_interrupted() {
    let sandbox = sandbox(&lists(LIST));
    let watching = status(&sandbox, &["--watch=1", "--json"]).code(130).stdout_has("").spawn();
    wait::until_true("three lines", || watching.stdout().lines().count() >= 3);
    watching.interrupt();
    let output = watching.finish();
    for line in output.stdout.lines() {
        named(&serde_json::from_str(line).unwrap(), "train");
    }
    status(&sandbox, &["--watch=0"]).code(2).stderr_has("--watch").run();
}

/// A provider is asked every half a minute only; what it did not say stays old in between.
#[test]
fn what_is_old_is_marked_as_old_while_watching() {
    let sandbox = fragile();
    json(&sandbox, &[]);
    sandbox.write(&sandbox.home().join("broken"), "");
    let watching = status(&sandbox, &["--watch=1", "--json"]).code(130).stdout_has("").spawn();
    wait::until_true("three lines", || watching.stdout().lines().count() >= 3);
    watching.interrupt();
    for line in watching.finish().stdout.lines() {
        let answer: Value = serde_json::from_str(line).unwrap();
        assert_eq!(named(&answer, "train")["stale"], true, "{line}");
        assert_eq!(answer["providers"][0]["error"], "the provider x failed: no network", "{line}");
    }
}

#[test]
fn an_interrupt_ends_the_provider_too() {
    let sandbox = sandbox("touch \"$HOME/ran\"; sleep 600 & sleep 600");
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        let code = 128 + signal as i32;
        let watching = status(&sandbox, &["--watch"]).code(code).stderr_has("").spawn();
        wait::until_true("the provider to run", || sandbox.home().join("ran").exists());
        // Only to the process: its children are in another process group anyway.
        watching.signal(signal);
        watching.finish();
        wait::until_true("the provider to end", || sandbox.processes().is_empty());
        fs::remove_file(sandbox.home().join("ran")).unwrap();
    }
}

#[test]
fn watching_ends_when_nobody_reads_any_more() {
    let sandbox = sandbox(&lists(LIST));
    let script = "\"$0\" status --watch=1 --json | head -n 1; echo end";
    let soong = env!("CARGO_BIN_EXE_soong");
    let path = format!(
        "{}:{}",
        sandbox.path("bin").display(),
        crate::support::tools::system_path().to_str().unwrap()
    );
    let run = Run::new(&sandbox, &tool("sh"), ["-c", script, soong]).env("PATH", path);
    let output = run.stdout_has("\nend\n").run();
    assert_eq!(output.stdout.lines().count(), 2, "{}", output.stdout);
}
