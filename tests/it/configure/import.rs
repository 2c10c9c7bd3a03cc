//! `import`: the config of soong's predecessor.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;

use super::{fed, home, mode};
use crate::support::sandbox::Sandbox;

/// A home with the predecessor's file.
fn old(text: &str) -> Sandbox {
    let sandbox = home("");
    let file = sandbox.home().join(".config/soong/config.json");
    sandbox.write(&file, text);
    fs::set_permissions(file, Permissions::from_mode(0o600)).unwrap();
    sandbox
}

#[test]
fn the_old_token_is_used_until_there_are_credentials_and_then_goes_with_them() {
    let sandbox = old("{\"token\": \"old-token\"}");
    sandbox.conf(["list"]).stdout_has("config.json").run();
    sandbox.conf(["get", "--reveal", "daemon.token"]).stdout("old-token\n").run();
    fed(&sandbox.conf(["set", "lambda.api-key", "-"]).stderr_has("set providers.lambda true"), "new-key");
    sandbox.conf(["get", "--reveal", "daemon.token"]).stdout("old-token\n").run();
}

#[test]
fn the_old_token_is_taken_over_and_the_old_file_kept() {
    let sandbox = old(
        "{\"status_daemon\": {\"token\": \"old-token\", \"port\": 8080}, \"lambda\": {\"api_key\": \"old-key\"}}",
    );
    let said =
        sandbox.conf(["import"]).stdout_has("Imported daemon.token").stdout_has("Imported lambda.api-key");
    let output = said.stdout_has("config.json is unchanged").run();
    assert!(!output.stdout.contains("old-"), "{}", output.stdout);
    assert_eq!(mode(&sandbox.credentials_file()), 0o600);
    assert!(sandbox.home().join(".config/soong/config.json").exists());
    sandbox.conf(["get", "--reveal", "lambda.api-key"]).stdout("old-key\n").run();
    sandbox.conf(["import"]).stdout_has("daemon.token is already set").run();
}

#[test]
fn what_cannot_be_taken_over_is_told() {
    let sandbox = home("");
    sandbox
        .conf(["import"])
        .fails(1, ["[ROOT]/home/.config/soong/config.json does not exist"])
        .hint("import FILE")
        .run();
    let sandbox = old("{\"other\": 1}");
    sandbox.conf(["import"]).fails(1, ["neither a token nor an API key"]).run();
    let sandbox = old("{\"token\": \"hush\"");
    let output = sandbox.conf(["import"]).fails(1, ["not valid JSON"]).run();
    assert!(!output.stderr.contains("hush"), "{}", output.stderr);
}
