//! `soong daemon`: the real daemon, installed over a real `sshd` into its own directory, with a `systemctl`
//! that records its calls and starts the unit's program.

mod booted;
mod page;
mod terminate;
mod tokens;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::installation::make;
use crate::support::daemon::{on_port, start};
use crate::support::instance::Instance;
use crate::support::lambda_cloud::{KEY, LambdaCloud};
use crate::support::provider::Answer;
use crate::support::run::Run;
use crate::support::sandbox::Sandbox;
use crate::support::{ports, process, statusd, wait};

/// Enables the provider `lambda`, which asks `cloud`, and rents the instance `dev` there; returns its id.
fn rent_from(cloud: &LambdaCloud, sandbox: &mut Sandbox) -> String {
    sandbox.configure(|config| {
        config.set(["providers", "lambda"], true).set(["lambda", "base-url"], cloud.url());
    });
    sandbox.store_secrets(&format!("[lambda]\napi-key = \"{KEY}\"\n"));
    let order =
        json!({"api": 1, "name": "dev", "type": "gpu_1x_a10", "region": "us-west-1", "ssh_key": "laptop"});
    let program = Path::new(PROVIDER);
    let launched = Answer::of(&Run::new(sandbox, program, ["launch"]), &order.to_string());
    launched.json["instance"]["id"].as_str().unwrap().to_owned()
}

/// The real provider program of Lambda Cloud.
const PROVIDER: &str = env!("CARGO_BIN_EXE_soong-provider-lambda");

const SYSTEMCTL: &str = r#"#!/bin/sh
root=${0%/bin/systemctl}
echo "$*" >> "$root/systemctl.log"
pid=$(cat "$root/pid" 2>/dev/null)
stop() {
    [ -z "$pid" ] || kill "$pid"
    while [ -n "$pid" ] && kill -0 "$pid" 2>/dev/null; do sleep 0.01; done
    rm -f "$root/pid"
}
case $1 in
is-active)
    if [ -n "$pid" ] && kill -0 "$pid" 2>/dev/null; then
        [ "$2" = --quiet ] || echo active
    else
        [ "$2" = --quiet ] || echo inactive
        exit 3
    fi ;;
disable) stop ;;
restart)
    stop
    if [ -e "$root/fail-once" ]; then rm "$root/fail-once"; exit 0; fi
    line=$(sed -n 's/^ExecStart=//p' "$root/etc/systemd/system/soong-statusd.service")
    setsid $line < /dev/null >> "$root/log" 2>&1 &
    echo $! > "$root/pid" ;;
esac
"#;

/// An instance with a directory in place of its root.
struct Machine {
    root: tempfile::TempDir,
    sandbox: Sandbox,
    _instance: Instance,
}

impl Machine {
    fn new() -> Self {
        let root = tempfile::Builder::new().prefix("gu-").tempdir_in("/tmp").unwrap();
        for directory in ["bin", "run/systemd/system"] {
            fs::create_dir_all(root.path().join(directory)).unwrap();
        }
        let systemctl = root.path().join("bin/systemctl");
        fs::write(&systemctl, SYSTEMCTL).unwrap();
        fs::set_permissions(&systemctl, fs::Permissions::from_mode(0o755)).unwrap();
        let instance = Instance::start();
        let sandbox = on_port(&instance, ports::free());
        // ssh reports that it pins the host key, once.
        sandbox.soong(["ssh", "--", "true"]).stderr_has("").run();
        Self { root, sandbox, _instance: instance }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.file(name)).unwrap_or_default()
    }

    fn daemon(&self, words: &[&str]) -> Run<'_> {
        self.sandbox.soong(["daemon"]).args(words).args(["--root", self.root.path().to_str().unwrap()])
    }

    fn install(&self) -> Run<'_> {
        self.daemon(&["install", "dev", "--no-gpu", "--binary", statusd::program().to_str().unwrap()])
    }

    /// The files of an installation.
    fn installed(&self) -> [bool; 2] {
        ["usr/local/bin/soong-statusd", "etc/systemd/system/soong-statusd.service"]
            .map(|name| self.file(name).exists())
    }

    /// A copy of the daemon that `change` has changed.
    fn variant(&self, change: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut bytes = fs::read(statusd::program()).unwrap();
        change(&mut bytes);
        let file = self.file("variant");
        fs::write(&file, bytes).unwrap();
        file.to_str().unwrap().to_owned()
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        if let Ok(pid) = self.read("pid").trim().parse() {
            process::kill_tree(pid);
        }
    }
}

fn token(sandbox: &Sandbox) -> String {
    let file = sandbox.config_file().with_file_name("credentials.toml");
    let table: toml::Table = fs::read_to_string(file).unwrap().parse().unwrap();
    table["daemon"]["tokens"]["a1b2c3d4"].as_str().unwrap().to_owned()
}

fn dev(sandbox: &Sandbox) -> Value {
    let output = sandbox.soong(["status", "--json"]).stdout_has("").run();
    serde_json::from_str::<Value>(&output.stdout).unwrap()["instances"][0].clone()
}

#[test]
fn three_commands_guard_a_machine() {
    let machine = Machine::new();
    let sandbox = &machine.sandbox;
    machine
        .daemon(&["status", "dev"])
        .fails(1, ["no status daemon is installed on dev"])
        .hint("daemon install dev")
        .run();
    machine.install().stdout_has("now guards dev\nThe lease ends at ").run();
    assert_eq!(machine.installed(), [true, true]);
    let own = token(sandbox);
    assert_eq!(machine.read("etc/soong/token").trim(), own);
    for name in ["etc/soong/token", "etc/soong/statusd.toml"] {
        assert_eq!(fs::metadata(machine.file(name)).unwrap().permissions().mode() & 0o777, 0o600, "{name}");
    }
    let config = machine.read("etc/soong/statusd.toml");
    assert!(config.contains("instance-id = \"a1b2c3d4\"\n") && !config.contains(&own), "{config}");
    let calls = "daemon-reload\nenable --quiet soong-statusd.service\nrestart soong-statusd.service\n";
    assert_eq!(machine.read("systemctl.log").replace("is-active --quiet soong-statusd.service\n", ""), calls);
    machine.daemon(&["status", "dev"]).stdout_has(" on dev: active\nEnds at ").run();

    // A second time changes nothing.
    machine.install().stdout_has("already guards dev\n").stderr_has("Kept the configuration").run();
    assert_eq!(machine.read("systemctl.log").matches("restart").count(), 1);
    assert_eq!(token(sandbox), own);

    // Over the tunnel, the daemon is asked with its own token.
    start(sandbox).run();
    wait::until_true("the daemon's explanation", || dev(sandbox)["why"].is_string());
    sandbox.soong(["extend", "90m"]).stdout_has("Lease extended by 1 h 30 min, until ").run();
    sandbox.soong(["keep", "2h"]).stdout_has("No idle shutdown until ").run();
    sandbox.soong(["extend", "720"]).stdout_has("Lease extended by 2 h 30 min instead of 720 hours").run();
    sandbox.soong(["extend", "1"]).fails(1, ["granted no time"]).run();

    machine.daemon(&["uninstall", "dev"]).stdout_has("Removed the status daemon from dev").run();
    assert_eq!(machine.installed(), [false, false]);
    assert!(machine.file("etc/soong/token").exists());
    machine.daemon(&["uninstall", "dev", "--purge"]).stdout("No status daemon was installed on dev\n").run();
    assert!(!machine.file("etc/soong/token").exists() && !machine.file("pid").exists());
}

#[test]
fn another_laptop_gets_the_token_of_the_installation() {
    let machine = Machine::new();
    machine.install().stdout_has("now guards").run();
    let own = token(&machine.sandbox);
    machine.sandbox.store_secrets("[lambda]\napi-key = \"k\"\n");
    machine.install().stdout_has("already guards").stderr_has("Kept").run();
    assert_eq!(token(&machine.sandbox), own);
}

#[test]
fn an_upgrade_that_does_not_answer_is_rolled_back() {
    let machine = Machine::new();
    machine
        .daemon(&["upgrade", "dev"])
        .args(["--binary", statusd::program().to_str().unwrap()])
        .fails(1, ["dev: it is not installed there"])
        .run();
    assert_eq!(machine.installed(), [false, false]);
    machine.install().stdout_has("now guards").run();
    let before = fs::read(machine.file("usr/local/bin/soong-statusd")).unwrap();
    let other = machine.variant(|bytes| bytes.push(0));
    fs::write(machine.file("fail-once"), "").unwrap();
    machine
        .daemon(&["upgrade", "dev", "--binary", &other])
        .fails(1, ["the daemon on dev does not work: ", "the old version runs again"])
        .hint("soong daemon logs dev")
        .run();
    assert!(fs::read(machine.file("usr/local/bin/soong-statusd")).unwrap() == before);
    machine.daemon(&["status", "dev"]).stdout_has(" on dev: active\n").run();
    machine.daemon(&["upgrade", "dev", "--binary", &other]).stdout_has("now guards dev\n").run();
    assert!(fs::read(machine.file("usr/local/bin/soong-statusd")).unwrap() != before);
}

#[test]
fn a_first_installation_that_does_not_answer_leaves_nothing_behind() {
    let machine = Machine::new();
    fs::write(machine.file("fail-once"), "").unwrap();
    machine.install().fails(1, ["the daemon on dev does not work: ", "nothing is installed"]).run();
    assert_eq!(machine.installed(), [false, false]);
    assert!(machine.read("systemctl.log").contains("disable --quiet --now"));
}

#[test]
fn a_program_that_cannot_run_there_replaces_nothing() {
    let machine = Machine::new();
    machine.install().stdout_has("now guards").run();
    let before = fs::read(machine.file("usr/local/bin/soong-statusd")).unwrap();
    let upgrade = |file: &str| machine.daemon(&["upgrade", "dev", "--binary", file]);
    let foreign = machine.variant(|bytes| bytes[18] = if bytes[18] == 62 { 183 } else { 62 });
    upgrade(&foreign)
        .fails(1, [" is for ", "the instance has "])
        .hint("cargo build --release --package soong-statusd --target ")
        .hint("--binary target/")
        .run();
    let torn = machine.variant(|bytes| bytes.truncate(4096));
    upgrade(&torn).fails(1, ["dev: the program does not run there (exit status "]).run();
    let script = machine.variant(|bytes| *bytes = b"#!/bin/sh\nexit 0\n".to_vec());
    upgrade(&script).fails(1, ["is not a Linux program"]).hint("cargo build").run();
    assert!(fs::read(machine.file("usr/local/bin/soong-statusd")).unwrap() == before);
    machine.daemon(&["status", "dev"]).stdout_has(" on dev: active\n").run();
    // soong reports a configuration that the new version cannot read before it changes anything.
    let config = machine.file("etc/soong/statusd.toml");
    fs::write(&config, "leaze = 1\n").unwrap();
    let other = machine.variant(|bytes| bytes.push(0));
    upgrade(&other).fails(1, ["statusd.toml: line 1: unknown field `leaze`"]).run();
    assert!(fs::read(machine.file("usr/local/bin/soong-statusd")).unwrap() == before);
}

#[test]
fn the_program_for_the_instance_is_the_one_installed_with_soong() {
    let machine = Machine::new();
    let sandbox = &machine.sandbox;
    make(sandbox, "install-files");
    let root = machine.root.path().to_str().unwrap();
    let install = || {
        let words = ["daemon", "install", "dev", "--no-gpu", "--root", root];
        Run::new(sandbox, &sandbox.path("usr/bin/soong"), words)
    };
    let directory = sandbox.path("usr/lib/soong");
    let [program, own] = ["", std::env::consts::ARCH]
        .map(|machine| directory.join(format!("soong-statusd-{machine}").trim_end_matches('-')));
    fs::rename(&program, &own).unwrap();
    let foreign = machine.variant(|bytes| bytes[18] = if bytes[18] == 62 { 183 } else { 62 });
    fs::rename(foreign, &program).unwrap();
    install().stdout_has("now guards dev\n").run();
    assert_eq!(machine.installed(), [true, true]);
    fs::remove_file(own).unwrap();
    install()
        .fails(1, ["lib/soong/soong-statusd is for ", "the instance has "])
        .hint("cargo build --release --package soong-statusd --target ")
        .run();
    fs::remove_file(program).unwrap();
    install()
        .fails(1, ["soong-statusd is not installed with soong"])
        .hint("cargo build --release --package soong-statusd")
        .hint("--binary target/release/soong-statusd")
        .run();
}

#[test]
fn without_systemd_the_next_step_is_told() {
    let machine = Machine::new();
    fs::remove_dir(machine.file("run/systemd/system")).unwrap();
    machine
        .install()
        .fails(1, ["dev has no systemd: the daemon is installed, but not started"])
        .hint("/usr/local/bin/soong-statusd --config /etc/soong/statusd.toml")
        .run();
    assert_eq!(machine.installed(), [true, false]);
    assert!(!token(&machine.sandbox).is_empty());
}
