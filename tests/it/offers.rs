//! `soong offers`: what the enabled providers rent out, as a table and as JSON.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::support::run::Run;
use crate::support::sandbox::Sandbox;
use crate::support::terminal::Terminal;

/// A sandbox with the sample provider, which pretends to rent machines.
fn sandbox() -> Sandbox {
    let mut sandbox = Sandbox::new();
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/soong-provider-static");
    let program = sandbox.path("bin/soong-provider-static");
    fs::copy(sample, program).unwrap();
    sandbox.configure(|config| {
        config.set(["providers", "static"], true);
    });
    sandbox
}

fn offers<'a>(sandbox: &'a Sandbox, args: &[&str]) -> Run<'a> {
    let state = sandbox.path("rentals");
    sandbox.soong_with_bin(["offers"]).args(args).env("SOONG_STATIC_STATE", state)
}

fn calls(sandbox: &Sandbox) -> String {
    fs::read_to_string(sandbox.path("rentals/calls")).unwrap()
}

#[test]
fn the_table_has_what_can_be_rented_now_cheapest_first() {
    let sandbox = sandbox();
    offers(&sandbox, &[])
        .stdout(
            "GPU   COUNT  MEMORY   $/H  TYPE         REGIONS\n\
             A10       1   24 GB  0.75  gpu_1x_a10   us-west-1, us-east-1\n\
             H100      1   80 GB  2.49  gpu_1x_h100  us-west-1\n",
        )
        .run();
    offers(&sandbox, &["--all", "--count", "8"]).stdout_has("gpu_8x_h100  none now\n").run();
    offers(&sandbox, &["--region", "*-east-*"]).stdout_has("gpu_1x_a10  us-east-1\n").run();
    offers(&sandbox, &["--gpu", "b200,h100", "--min-memory", "80GB", "--max-price", "$2.49"])
        .stdout_has("gpu_1x_h100  us-west-1\n")
        .run();
    offers(&sandbox, &["--max-price", "0.5"]).stdout("No offers\n").stderr_has("hint: ").run();
    offers(&sandbox, &["--min-memory", "much"]).fails(2, ["soong-offers: "]).hint("").run();
    assert_eq!(calls(&sandbox), "offers\n".repeat(5), "nothing but questions");
}

#[test]
fn json_has_the_documented_fields() {
    let sandbox = sandbox();
    let output = offers(&sandbox, &["--json", "--gpu", "A10"]).stdout_has("").run();
    assert_eq!(
        serde_json::from_str::<Value>(&output.stdout).unwrap(),
        json!({"api": 1, "offers": [{
            "provider": "static", "type": "gpu_1x_a10", "description": "1x A10", "gpu": "A10", "count": 1,
            "memory_gib": 24, "price_cents_per_hour": 75, "regions": ["us-west-1", "us-east-1"],
        }]})
    );
    assert_eq!(output.stdout.lines().count(), 1);
    offers(&sandbox, &["--json", "--max-price", "0.01"]).stdout("{\"api\":1,\"offers\":[]}\n").run();
}

#[test]
fn a_narrow_terminal_shows_everything() {
    let sandbox = sandbox();
    for (columns, line) in [
        (80, "A10       1   24 GB  0.75  gpu_1x_a10   us-west-1, us-east-1"),
        (40, "    gpu_1x_a10: us-west-1, us-east-1"),
    ] {
        let mut terminal = Terminal::run(&offers(&sandbox, &[]), 24, columns);
        terminal.wait_for(line);
        assert_eq!(terminal.finish(), 0);
    }
}

#[test]
fn providers_that_fail_or_rent_nothing_are_told() {
    let mut sandbox = Sandbox::new();
    offers(&sandbox, &[]).fails(1, ["soong-offers: no provider is enabled"]).hint("soong configure").run();
    sandbox.provide("plain", "[ \"$1\" = list ] && echo '{\"api\":1,\"instances\":[]}'");
    offers(&sandbox, &[]).fails(1, ["soong-offers: no enabled provider rents machines"]).hint("").run();

    let refuses =
        "echo '{\"error\":{\"code\":\"rate-limited\",\"message\":\"too fast\",\"retry_after\":9}}'; exit 1";
    sandbox.provide("busy", refuses);
    offers(&sandbox, &[])
        .fails(1, ["soong-offers: the provider busy failed: too fast"])
        .hint("try again in 9 s")
        .run();

    let one = "{\"api\":1,\"verbs\":[\"offers\"],\"offers\":[{\"type\":\"t\\u001b[2J\",\"gpu\":\"G\",\
               \"price_cents_per_hour\":5,\"regions\":[\"r\"]}]}";
    sandbox.provide("other", &format!("echo '{one}'"));
    let output = offers(&sandbox, &[])
        .stdout_has("G        1       -  0.05  t\\u{1b}[2J  r\n")
        .stderr("soong-offers: warning: the provider busy failed: too fast\n")
        .run();
    assert!(!output.stdout.contains('\u{1b}'));
    sandbox.provide("broken", "echo '{\"api\":1,\"verbs\":[\"offers\"],\"offers\":[{\"type\":\"t\"}]}'");
    offers(&sandbox, &[]).stdout_has("G ").stderr_has("offers[0] has no price_cents_per_hour").run();
}
