//! The ledger and `soong cost`: what a provider's list adds, and what a broken file costs.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use serde_json::Value;

use crate::support::sandbox::Sandbox;

/// A provider that prints the file `list` in the home.
const FROM_FILE: &str = r#"printf '{"api":1,"instances":[%s]}' "$(cat "$HOME/list")""#;

const DEV: &str = r#"{"id":"a1","name":"dev","status":"active","host":"192.0.2.1","type":"gpu_1x_h100","price_cents_per_hour":249}"#;

fn sandbox() -> Sandbox {
    let mut sandbox = Sandbox::new();
    sandbox.provide("x", FROM_FILE);
    list(&sandbox, "");
    sandbox
}

fn list(sandbox: &Sandbox, text: &str) {
    sandbox.write(&sandbox.home().join("list"), text);
}

fn ledger(sandbox: &Sandbox) -> PathBuf {
    sandbox.path("home/.local/state/soong/ledger.jsonl")
}

/// Returns the events in the ledger, a word each.
fn events(sandbox: &Sandbox) -> Vec<String> {
    let text = fs::read_to_string(ledger(sandbox)).unwrap_or_default();
    let event =
        |line: &str| serde_json::from_str::<Value>(line).unwrap()["event"].as_str().unwrap().to_owned();
    text.lines().map(event).collect()
}

#[track_caller]
fn json(sandbox: &Sandbox, args: &[&str]) -> Value {
    let output = sandbox.soong_with_bin(["cost", "--json"]).args(args).stdout_has("").run();
    serde_json::from_str(&output.stdout).unwrap()
}

#[test]
fn what_a_provider_lists_and_no_longer_lists_is_entered() {
    let sandbox = sandbox();
    assert_eq!(json(&sandbox, &[])["instances"], Value::Array(Vec::new()));
    assert!(!ledger(&sandbox).exists(), "nothing to enter");
    list(&sandbox, DEV);
    sandbox.soong_with_bin(["status"]).stdout_has("$0.00+").run();
    sandbox.soong_with_bin(["status"]).stdout_has("dev").run();
    assert_eq!(events(&sandbox), ["seen"]);
    assert_eq!(fs::metadata(ledger(&sandbox)).unwrap().permissions().mode() & 0o777, 0o600);
    let bill = json(&sandbox, &[]);
    let dev = &bill["instances"][0];
    assert_eq!(
        (&dev["id"], &dev["name"], &dev["type"]),
        (&"a1".into(), &"dev".into(), &"gpu_1x_h100".into())
    );
    assert_eq!((&dev["running"], &dev["at_least"]), (&true.into(), &true.into()));
    list(&sandbox, "");
    let bill = json(&sandbox, &[]);
    assert_eq!(events(&sandbox), ["seen", "ended"]);
    assert_eq!(bill["instances"][0]["running"], false);
    list(&sandbox, DEV);
    json(&sandbox, &["--cached"]);
    assert_eq!(events(&sandbox), ["seen", "ended"], "--cached asks no provider");
}

#[test]
fn a_month_has_its_part() {
    let mut sandbox = sandbox();
    // 23:00 on 31 October to 02:00 on 1 November, UTC.
    let lines = concat!(
        r#"{"time":1793487600,"event":"launched","provider":"x","id":"a1","name":"dev","type":"gpu_1x_h100","price_cents_per_hour":100}"#,
        "\n",
        r#"{"time":1793498400,"event":"ended","provider":"x","id":"a1","reason":"soong terminate"}"#,
        "\n",
    );
    sandbox.write(&ledger(&sandbox), lines);
    sandbox.configure(|config| {
        config.set(["launch", "budget"], 100);
    });
    let bill = |month: &str, zone: &str| {
        let run = sandbox.soong_with_bin(["cost", "--month", month]).env("TZ", zone);
        run.stdout_has("").run().stdout
    };
    assert_eq!(
        bill("2026-10", "UTC"),
        "NAME  TYPE         FROM         TO           TIME   COST\n\
         dev   gpu_1x_h100  10-31 23:00  11-01 00:00  1 h   $1.00\n\n2026-10: $1.00\n"
    );
    assert!(bill("2026-11", "UTC").contains("  2 h   $2.00\n"));
    assert!(bill("2026-10", "UTC-2").contains("No instances in 2026-10"), "two hours east, it is November");
    assert!(bill("2026-11", "UTC-2").contains("$3.00"));
    sandbox
        .soong_with_bin(["cost", "--month", "2026-13"])
        .code(2)
        .stderr_has("a month is written like")
        .run();
}

#[test]
fn lines_that_cannot_be_read_are_kept_and_reported() {
    let sandbox = sandbox();
    list(&sandbox, DEV);
    let broken = "{\"time\":1,\"event\":\"launched\"}\n\u{1b}[2J\n{\"time\":17934";
    sandbox.write(&ledger(&sandbox), broken);
    sandbox
        .soong_with_bin(["cost"])
        .stdout_has("dev")
        .stderr("soong-cost: warning: skipped 3 unreadable lines of [ROOT]/home/.local/state/soong/ledger.jsonl, the first at 1\n")
        .run();
    let text = fs::read_to_string(ledger(&sandbox)).unwrap();
    assert!(text.starts_with(&format!("{broken}\n")) && text.ends_with("}\n"), "{text:?}");
    assert_eq!(text.lines().count(), 4, "{text:?}");
}

#[test]
fn an_unreachable_provider_is_no_end() {
    let mut sandbox = sandbox();
    list(&sandbox, DEV);
    json(&sandbox, &[]);
    fs::remove_file(sandbox.home().join("list")).unwrap();
    sandbox.provide("x", "echo no network >&2; exit 1");
    let warning = "soong-cost: warning: x is unreachable; its instances count as running\n";
    sandbox.soong_with_bin(["cost"]).stdout_has("  now  ").stderr(warning).run();
    assert_eq!(events(&sandbox), ["seen"]);
    sandbox.configure(|config| {
        config.set(["providers", "x"], false);
    });
    sandbox.soong_with_bin(["cost"]).stdout_has("  now  ").stderr_has("warning: x is not enabled").run();
}

#[test]
fn a_ledger_of_others_hides_costs_and_no_instances() {
    let sandbox = sandbox();
    list(&sandbox, DEV);
    fs::create_dir_all(ledger(&sandbox).parent().unwrap()).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", ledger(&sandbox)).unwrap();
    sandbox.soong_with_bin(["status"]).stdout_has("dev").stderr_has("cannot read [ROOT]").run();
    sandbox.soong_with_bin(["cost"]).fails(1, ["cannot read", "ledger.jsonl"]).run();
}
