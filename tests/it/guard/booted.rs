//! `soong daemon` on a machine that systemd has booted, over sudo, with the program that lies beside soong.

use std::fs;
use std::path::Path;

use serde_json::Value;

use super::{PROVIDER, rent_from, token};
use crate::support::booted::{Booted, PASSWORD, Sudo};
use crate::support::daemon::start;
use crate::support::lambda_cloud::{KEY, LambdaCloud};
use crate::support::provider::Answer;
use crate::support::run::Run;
use crate::support::sandbox::Sandbox;
use crate::support::terminal::Terminal;
use crate::support::{statusd, wait};

fn install(sandbox: &Sandbox) -> Run<'_> {
    statusd::program();
    sandbox.soong(["daemon", "install", "dev", "--no-gpu"])
}

/// Waits until the question for the password has come `count` times.
fn wait_for_question(terminal: &Terminal, count: usize) {
    wait::until_true("a question", || {
        terminal.screen().matches("[sudo] password for ubuntu on dev: ").count() == count
    });
}

/// Runs `run` on a terminal where the password is typed when sudo asks; returns the output.
fn with_password(run: &Run<'_>) -> String {
    let mut terminal = Terminal::run(run, 24, 200);
    wait_for_question(&terminal, 1);
    terminal.type_text(&format!("{PASSWORD}\n"));
    assert_eq!(terminal.finish(), 0, "{}", terminal.screen());
    terminal.screen()
}

#[test]
fn the_password_of_sudo_is_asked_for_and_shown_nowhere() {
    let Some(machine) = Booted::start(Sudo::AsksPassword) else { return };
    let sandbox = machine.sandbox();
    install(&sandbox)
        .fails(1, ["sudo on dev asks for a password"])
        .hint("in a terminal")
        .hint("soong configure set instances.dev.user root")
        .run();
    let mut terminal = Terminal::run(&install(&sandbox), 24, 200);
    wait_for_question(&terminal, 1);
    terminal.type_text("not it\n");
    terminal.wait_for("Wrong password.");
    wait_for_question(&terminal, 2);
    assert!(!machine.file("etc/soong").exists());
    terminal.type_text(&format!("{PASSWORD}\n"));
    terminal.wait_for("now guards dev");
    assert_eq!(terminal.finish(), 0, "{}", terminal.screen());
    let shown = terminal.screen();
    assert!(!shown.contains(PASSWORD) && !shown.contains("not it"), "{shown}");
    assert_eq!(fs::read_to_string(machine.file("etc/soong/token")).unwrap().trim(), token(&sandbox));
    assert_eq!(machine.root("systemctl is-active soong-statusd"), "active\n");

    let log = with_password(&sandbox.soong(["daemon", "logs", "dev"]));
    assert!(log.contains("listening on 127.0.0.1:"), "{log}");
    let removed = with_password(&sandbox.soong(["daemon", "uninstall", "dev", "--purge"]));
    assert!(removed.contains("Removed the status daemon from dev"), "{removed}");
    assert_eq!(machine.root("systemctl is-active soong-statusd"), "inactive\n");
    assert!(!machine.file("usr/local/bin/soong-statusd").exists() && !machine.file("var/lib/soong").exists());

    machine.set_sudo(Sudo::Refuses);
    let mut terminal = Terminal::run(&install(&sandbox), 24, 200);
    wait_for_question(&terminal, 1);
    terminal.type_text(&format!("{PASSWORD}\n"));
    terminal.wait_for("sudo on dev refuses: ubuntu is not in the sudoers file.");
    assert_eq!(terminal.finish(), 1);
    assert!(!machine.file("etc/soong/token").exists());
    assert!(!machine.root("journalctl --no-pager").contains(PASSWORD));
}

fn seconds(time: &Value) -> u64 {
    let time = humantime::parse_rfc3339(time.as_str().unwrap_or_else(|| panic!("no time: {time}"))).unwrap();
    time.duration_since(std::time::UNIX_EPOCH).unwrap().as_secs()
}

/// Waits until the daemon answers; returns its answer.
fn status(machine: &Booted) -> Value {
    wait::until("the daemon to answer", || {
        machine.status().filter(|status| !status["why"].as_str().unwrap().contains("not looked at"))
    })
}

fn main_pid(machine: &Booted) -> String {
    machine.root("systemctl show --property MainPID --value soong-statusd").trim().to_owned()
}

fn assert_same_lease(before: &Value, after: &Value) {
    for key in ["lease_end", "limit_at", "keep_until"] {
        assert!(seconds(&before[key]).abs_diff(seconds(&after[key])) <= 2, "{key}: {before} {after}");
    }
}

/// A unit file beside the installed one, with a shorter watchdog.
const WATCHDOG: &str = "mkdir -p /etc/systemd/system/soong-statusd.service.d
printf '[Service]\\nWatchdogSec=6\\nRestartSec=1\\n' > /etc/systemd/system/soong-statusd.service.d/test.conf
systemctl daemon-reload && systemctl restart soong-statusd && echo done";

#[test]
fn systemd_keeps_the_daemon_running_and_the_lease_survives_a_power_cut() {
    let Some(mut machine) = Booted::start(Sudo::NoPassword) else { return };
    let sandbox = machine.sandbox();
    // An idle limit of a minute has it look every three seconds.
    install(&sandbox).args(["--idle", "1m"]).stdout_has("now guards dev\nThe lease ends at ").run();
    sandbox.soong(["keep", "2h"]).stdout_has("No idle shutdown until ").run();
    sandbox.soong(["extend", "90m"]).stdout_has("Lease extended by 1 h 30 min, until ").run();
    let security =
        machine.root("systemd-analyze security --no-pager --threshold=40 soong-statusd; echo rc=$?");
    assert!(security.contains(" OK ") && security.ends_with("rc=0\n"), "{security}");
    let verified = machine.root("systemd-analyze verify --man=no soong-statusd.service; echo rc=$?");
    assert_eq!(verified, "rc=0\n");

    let before = status(&machine);
    let first = main_pid(&machine);
    machine.root(&format!("kill -9 {first}"));
    wait::until_true("a restart", || !["0", &first].contains(&&*main_pid(&machine)));
    assert_same_lease(&before, &status(&machine));

    assert_eq!(machine.root(WATCHDOG), "done\n");
    status(&machine);
    let second = main_pid(&machine);
    machine.root(&format!("kill -STOP {second}"));
    wait::until_true("the watchdog to end it", || !["0", &second].contains(&&*main_pid(&machine)));
    assert!(machine.root("journalctl --no-pager --unit soong-statusd").contains("Watchdog timeout"));
    assert_same_lease(&before, &status(&machine));

    machine.cut_power();
    machine.boot();
    let after = status(&machine);
    assert_same_lease(&before, &after);
    assert_eq!(
        (&after["activity"]["last_activity_by"], &after["uptime_minutes"]),
        (&"boot".into(), &0.into())
    );
    sandbox.soong(["daemon", "status", "dev"]).stdout_has(" on dev: active\nEnds at ").run();
}

#[test]
fn a_machine_that_nothing_uses_turns_itself_off_and_gets_a_new_lease_when_it_is_started() {
    let Some(mut machine) = Booted::start(Sudo::NoPassword) else { return };
    let sandbox = machine.sandbox();
    let session = machine.log_in();
    wait::until_true("the login", || machine.root("who").contains("pts/"));
    install(&sandbox).args(["--lease", "1h", "--idle", "10s"]).stdout_has("now guards dev\n").run();
    wait::until_true("the login to count", || {
        status(&machine)["why"].as_str().unwrap().starts_with("in use: ubuntu is logged in on pts/")
    });
    // The tunnel is up before the session ends, and does not keep the machine up.
    start(&sandbox).run();
    let before = status(&machine);
    let uptime = || wait::until("the uptime", || machine.uptime());
    let end = uptime() + 12;
    wait::until_true("more than the idle limit", || uptime() >= end);
    assert_eq!(status(&machine)["status"], "running");
    drop(session);
    let off = machine.wait_until_off();
    assert!(off.success(), "{off}");
    sandbox.tunnel(["stop"]).stdout_has("Stopped tunnel").run();
    machine.boot();
    let after = status(&machine);
    assert!(seconds(&after["lease_end"]) > seconds(&before["lease_end"]), "{before} {after}");
    assert_eq!(after["activity"]["last_activity_by"], "start");
}

/// The unit shuts the daemon in; what it starts must get on there as the manual says.
#[test]
fn hooks_and_providers_work_inside_the_unit() {
    let Some(machine) = Booted::start(Sudo::NoPassword) else { return };
    let (cloud, mut sandbox) = (LambdaCloud::start(), machine.sandbox());
    install(&sandbox).stdout_has("now guards dev\n").run();
    let id = rent_from(&cloud, &mut sandbox);

    fs::copy(PROVIDER, machine.file("usr/local/bin/soong-provider-lambda")).unwrap();
    machine.write("usr/local/bin/sync", "#!/bin/sh\necho \"$1\" > /root/synced\n", 0o755);
    machine.write("etc/soong/config.toml", &format!("[lambda]\nbase-url = \"{}\"\n", cloud.url()), 0o600);
    machine.write("etc/soong/credentials.toml", &format!("[lambda]\napi-key = \"{KEY}\"\n"), 0o600);
    let config = fs::read_to_string(machine.file("etc/soong/statusd.toml")).unwrap();
    let config = config.replace("a1b2c3d4", &id)
        + "idle = \"3s\"\nend = { terminate = \"lambda\" }\n[hooks]\n\
           ended = [\"/usr/bin/systemd-run\", \"--wait\", \"/usr/local/bin/sync\", \"results\"]\n";
    machine.write("etc/soong/statusd.toml", &config, 0o600);
    assert_eq!(machine.root("systemctl restart soong-statusd"), "");
    wait::until_true("the provider to be called", || cloud.counts().1 > 0);
    let log = || machine.root("journalctl --no-pager --unit soong-statusd");
    wait::until_true("its success to be logged", || log().contains("attempt 1 succeeded"));
    assert_eq!(fs::read_to_string(machine.file("root/synced")).unwrap(), "results\n", "{}", log());
    let list = Answer::of(&Run::new(&sandbox, Path::new(PROVIDER), ["list"]), "");
    assert_eq!(list.json["instances"][0]["status"], "terminating", "{list:?}");
}
