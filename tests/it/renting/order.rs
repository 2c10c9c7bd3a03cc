//! The order that reaches the provider: names, file systems, the recipe; and no secret anywhere.

use std::fs;

use serde_json::Value;

use crate::support::config::path;
use crate::support::sandbox::Sandbox;

/// A provider that stores its order and refuses.
const KEEPS: &str = r#"case $1 in
capabilities) echo '{"api":1,"verbs":["list","offers","launch"]}' ;;
offers) echo '{"api":1,"offers":[{"type":"gpu_1x_h100","gpu":"H100","count":1,"price_cents_per_hour":249,"regions":["us-west-1"]}]}' ;;
list) echo '{"api":1,"instances":[]}' ;;
*) cat >"$HOME/order"; echo "$*" >"$HOME/arguments"; echo '{"error":{"code":"other","message":"key s3cret refused"}}'; exit 1 ;;
esac"#;

#[test]
fn the_order_holds_what_the_config_and_the_options_say() {
    let mut sandbox = Sandbox::new();
    sandbox.provide("x", KEEPS);
    let recipe = sandbox.path("home/r.yaml");
    sandbox.write(
        &recipe,
        "#cloud-config\nhostname: @soong:name@\nwrite: [\"@soong:count@x @soong:gpu@ @soong:hours@\"]\n",
    );
    sandbox.configure(|config| {
        config.set(["launch", "ssh-key"], "laptop");
        config.set(["launch", "filesystems"], vec!["data"]);
        config.set(["launch", "recipe"], path(&recipe));
    });
    let run = sandbox.soong_with_bin(["launch", "-y", "--name", "dev", "--hours", "1.5"]).code(1);
    run.stderr_has("file systems: data\n").stderr_has("; nothing was launched\n").run();
    let order: Value = serde_json::from_slice(&fs::read(sandbox.home().join("order")).unwrap()).unwrap();
    assert_eq!(
        (&order["api"], &order["name"], &order["type"]),
        (&1.into(), &"dev".into(), &"gpu_1x_h100".into())
    );
    assert_eq!((&order["region"], &order["ssh_key"]), (&"us-west-1".into(), &"laptop".into()));
    assert_eq!(order["filesystems"], Value::from(vec!["data"]));
    assert_eq!(order["user_data"], "#cloud-config\nhostname: dev\nwrite: [\"1x H100 1.5\"]\n");
    assert_eq!(fs::read_to_string(sandbox.home().join("arguments")).unwrap(), "launch\n");
    let ledger = fs::read_to_string(sandbox.path("home/.local/state/soong/ledger.jsonl")).unwrap();
    assert!(!ledger.contains("s3cret"), "a provider's words are not stored: {ledger}");
}

#[test]
fn a_recipe_that_cannot_be_used_costs_nothing() {
    let mut sandbox = Sandbox::new();
    sandbox.provide("x", KEEPS);
    let recipe = sandbox.path("home/r.yaml");
    let launch = |text: &str, first: &str| {
        sandbox.write(&recipe, text);
        let run = sandbox.soong_with_bin(["launch", "-y", "--recipe", path(&recipe)]);
        run.fails(1, [first]).run();
    };
    launch("#cloud-config\nhostname: @soong:nope@\n", "line 2: unknown placeholder @soong:nope@");
    launch("hello\n", "not a cloud-init file");
    assert!(!sandbox.home().join("order").exists());
}
