//! Secrets: how they are entered, where they are kept, and that no other user sees them.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;

use nix::sys::signal::Signal;

use super::provider::{Api, GOOD_KEY};
use super::{fed, home, mode};
use crate::support::wait;

const SECRET: &str = "hush-hush";

#[test]
fn a_secret_is_not_taken_from_the_command_line() {
    let sandbox = home("");
    for key in ["lambda.api-key", "daemon.token"] {
        let refused =
            sandbox.conf(["set", key, SECRET]).fails(2, [key, "is a secret", "other users can see"]);
        let output = refused.hint(format!("soong configure set {key} -")).run();
        assert!(!output.stderr.contains(SECRET), "{}", output.stderr);
    }
    assert!(!sandbox.credentials_file().exists());
    fed(&sandbox.conf(["--api-key", SECRET]).code(2).stderr_has("unexpected argument"), "");
}

#[test]
fn a_secret_comes_in_on_standard_input_and_is_kept_private() {
    let sandbox = home("");
    fed(&sandbox.conf(["set", "daemon.token", "-"]), &format!("{SECRET}\n"));
    assert_eq!(
        fs::read_to_string(sandbox.credentials_file()).unwrap(),
        format!("[daemon]\ntoken = \"{SECRET}\"\n")
    );
    assert_eq!(mode(&sandbox.credentials_file()), 0o600);
    assert_eq!(sandbox.config_text(), "");
    sandbox.conf(["get", "daemon.token"]).fails(1, ["daemon.token is a secret"]).hint("--reveal").run();
    sandbox.conf(["get", "--reveal", "daemon.token"]).stdout(format!("{SECRET}\n")).run();
    sandbox.conf(["unset", "daemon.token"]).run();
    sandbox.conf(["get", "--reveal", "daemon.token"]).fails(1, ["daemon.token is not set"]).run();
}

#[test]
fn what_cannot_be_a_secret_is_refused_unseen() {
    let sandbox = home("");
    for input in ["", "\n", "hush hush\n", "hush\nhush\n", "hüsh\n"] {
        let run =
            sandbox.conf(["set", "daemon.token", "-"]).fails(2, ["has no daemon.token"]).hint("one line");
        let output = fed(&run, input);
        assert!(!output.stderr.contains("hush") && !output.stderr.contains("hüsh"), "{}", output.stderr);
    }
    sandbox.conf(["set", "daemon.token"]).fails(2, ["not a terminal"]).hint("daemon.token -").run();
}

#[test]
fn a_file_that_others_can_read_is_refused_with_the_way_to_close_it() {
    let sandbox = home("");
    sandbox.write(&sandbox.credentials_file(), format!("[daemon]\ntoken = \"{SECRET}\"\n"));
    fs::set_permissions(sandbox.credentials_file(), Permissions::from_mode(0o640)).unwrap();
    let fix = "fix it: chmod 600 [ROOT]/home/.config/soong/credentials.toml";
    let closed = |run: crate::support::run::Run<'_>, input: &str| {
        let run = run.fails(1, ["credentials.toml can be read by other users"]).hint(fix);
        let output = fed(&run, input);
        assert!(!output.stderr.contains(SECRET), "{}", output.stderr);
    };
    closed(sandbox.conf(["list"]), "");
    closed(sandbox.conf(["get", "--reveal", "daemon.token"]), "");
    closed(sandbox.conf(["set", "lambda.api-key", "-"]), "key-1\n");
    closed(sandbox.conf(["--user", "me"]), "");
    assert_eq!(sandbox.config_text(), "");
}

#[test]
fn faults_in_the_file_are_told_without_quoting_it() {
    let sandbox = home("");
    for text in
        ["[lambda]\napi-key = hush\n", "[lambda]\nhush = \"hush\"\n", "[lambda]\napi-key = [\"hush\"]\n"]
    {
        sandbox.write(&sandbox.credentials_file(), text);
        fs::set_permissions(sandbox.credentials_file(), Permissions::from_mode(0o600)).unwrap();
        let output = sandbox.conf(["list"]).fails(1, ["credentials.toml: line 2: "]).run();
        assert!(!output.stderr.contains("hush"), "{}", output.stderr);
    }
}

#[test]
fn an_api_key_is_checked_before_it_is_kept() {
    let (sandbox, api) = (home(""), Api::start());
    let run = |options: &'static [&'static str]| {
        sandbox.conf(["--api-key-stdin"]).args(options).env("SOONG_LAMBDA_ENDPOINT", &api.url)
    };
    let refused = run(&[]).fails(1, ["rejects the API key"]).hint("--no-check");
    let output = fed(&refused, "bad-key-4711\n");
    assert!(!output.stderr.contains("bad-key-4711"), "{}", output.stderr);
    assert!(!sandbox.credentials_file().exists() && sandbox.config_text().is_empty());
    fed(&run(&["--no-check"]).stdout_has("Wrote "), "bad-key-4711\n");
    sandbox.conf(["get", "--reveal", "lambda.api-key"]).stdout("bad-key-4711\n").run();
    fed(&run(&[]).stdout_has("Wrote "), GOOD_KEY);
    sandbox.conf(["get", "--reveal", "lambda.api-key"]).stdout(format!("{GOOD_KEY}\n")).run();
    assert_eq!(sandbox.config_text(), "[providers]\nlambda = true\n");
}

#[test]
fn while_a_key_is_checked_nobody_sees_it_and_afterwards_nothing_is_left() {
    for interrupted in [false, true] {
        let (sandbox, api) = (home(""), Api::waiting());
        let mut command = sandbox.conf(["--api-key-stdin"]).env("SOONG_LAMBDA_ENDPOINT", &api.url).command();
        let mut child = command
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap();
        std::io::Write::write_all(&mut child.stdin.take().unwrap(), GOOD_KEY.as_bytes()).unwrap();
        api.asked.recv_timeout(wait::DEADLINE).unwrap();
        let processes = sandbox.processes();
        assert!(
            processes.iter().any(|process| process.program() == "soong-provider-lambda"),
            "{processes:#?}"
        );
        assert!(processes.iter().all(|process| !process.mentions(GOOD_KEY)), "{processes:#?}");
        let pid = i32::try_from(child.id()).unwrap();
        if interrupted {
            crate::support::process::signal(pid, Signal::SIGINT);
        } else {
            api.answer();
        }
        let status = wait::until("soong configure to end", || child.try_wait().unwrap());
        assert_eq!(status.success(), !interrupted, "{status}");
        assert_eq!(sandbox.credentials_file().exists(), !interrupted);
        let left: Vec<_> =
            sandbox.files().into_iter().filter(|file| file.starts_with(sandbox.runtime())).collect();
        assert!(left.is_empty(), "{left:?}");
    }
}

#[test]
fn a_token_is_made_where_there_is_none_and_kept_where_there_is_one() {
    let sandbox = home("");
    let said = sandbox.conf(["--user", "me"]).stdout_has("with a new token").run();
    let token = sandbox.conf(["get", "--reveal", "daemon.token"]).stdout_has("").run().stdout;
    assert_eq!(token.trim().len(), 43, "{token}");
    assert!(!said.stdout.contains(token.trim()), "{}", said.stdout);
    sandbox.conf(["--user", "you"]).stdout("Wrote [ROOT]/home/.config/soong/config.toml\nNext, add your instance: soong configure set instances.NAME.host ADDRESS\nThen: soong tunnel start\n").run();
    sandbox.conf(["get", "--reveal", "daemon.token"]).stdout(token).run();
    fed(
        &sandbox.conf(["--daemon-token-stdin"]).stdout_has("credentials.toml (only you can read it)"),
        SECRET,
    );
    sandbox.conf(["get", "--reveal", "daemon.token"]).stdout(format!("{SECRET}\n")).run();
}
