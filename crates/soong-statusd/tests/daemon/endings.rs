//! Warnings, hooks and the end.

use std::fs::File;
use std::io::Read;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use crate::support::{Machine, utmp_record, wait_until, write};

#[test]
fn an_unused_machine_warns_then_runs_its_hooks_then_ends() {
    let machine = Machine::ending("idle = \"4s\"\n");
    machine.script(
        "ending",
        "echo \"$SOONG_EVENT $SOONG_REASON $SOONG_MINUTES_LEFT $SOONG_INSTANCE_ID\" >> \"$0.log\"",
    );
    machine
        .script("ended", "echo \"$SOONG_EVENT $SOONG_REASON\" >> \"$0.log\"; test ! -e \"${0%/*}/end.log\"");
    let machine = machine
        .with("instance-id = \"a1\"\nhooks = { ending = [\"HERE/ending\"], ended = [\"HERE/ended\"] }\n");
    let daemon = machine.start();
    wait_until("a warning", || daemon.status()["status"] == "warning");
    let status = daemon.status();
    assert_eq!((&status["ends_by"], &status["shutdown_at"]), (&"idle".into(), &status["idle_shutdown_at"]));
    wait_until("the end", || machine.has_ended());
    wait_until("two warnings", || machine.log_of("ending").lines().count() == 2);
    assert_eq!(machine.log_of("ending"), "ending idle 0 a1\n".repeat(2));
    assert_eq!(machine.log_of("ended"), "ended idle\n");
    wait_until("its log", || daemon.log().contains("attempt 1 succeeded"));
    let log = daemon.log();
    let lines = [
        "this machine ends in ",
        "this machine ends now: nothing uses it",
        "attempt 1 to end",
        "attempt 1 succeeded",
    ];
    let mut rest = log.as_str();
    for line in lines {
        rest = rest.split_once(line).unwrap_or_else(|| panic!("{line}: {log}")).1;
    }
    assert!(!log.contains("hook ended: "), "{log}");
    assert_eq!(daemon.status()["status"], "ending");
    assert_eq!(daemon.post("/extend", "hours=1").status, 409);
    assert_eq!(daemon.post("/keep", "minutes=1").status, 409);
    assert_eq!(daemon.post("/activity", "").status, 409);
}

#[test]
fn a_lease_ends_a_machine_even_if_its_use_is_unknown() {
    let machine = Machine::ending("lease = \"3s\"\n");
    std::fs::remove_file(machine.file("utmp")).unwrap();
    let daemon = machine.start();
    let why = daemon.status()["why"].as_str().unwrap().to_owned();
    assert!(why.starts_with("in use: logins unknown, which counts as use: cannot read "), "{why}");
    wait_until("the end", || machine.has_ended());
    assert_eq!(daemon.status()["why"], "the machine is being ended: the lease is over");
}

#[test]
fn a_failing_end_is_repeated_until_it_works() {
    let machine = Machine::ending("lease = \"1s\"\n");
    machine.script(
        "end",
        "echo attempt >> \"$0.log\"; test $(wc -l < \"$0.log\") -ge 3 && echo ended >> \"$0.log\"",
    );
    let daemon = machine.start();
    wait_until("the second failure", || daemon.status()["end_attempts"] == 2);
    assert!(daemon.status()["end_error"].as_str().unwrap().contains("exit status: 1"));
    wait_until("the end", || machine.has_ended());
    wait_until("its log", || daemon.log().contains("attempt 3 succeeded"));
    assert!(daemon.log().contains("attempt 2 to end the machine failed: "), "{}", daemon.log());
}

#[test]
fn an_end_that_was_begun_is_taken_up_after_a_crash() {
    let machine = Machine::ending("lease = \"1s\"\n");
    machine.script("end", "test -e \"$0.allowed\" && echo ended >> \"$0.log\"");
    let mut daemon = machine.start();
    wait_until("an attempt", || daemon.status()["end_attempts"].as_u64() > Some(0));
    daemon.kill();
    write(&machine.file("end.allowed"), b"");
    let daemon = machine.start();
    wait_until("the end", || machine.has_ended());
    assert!(daemon.log().contains("taking up an end"), "{}", daemon.log());
}

#[test]
fn a_hook_that_hangs_is_killed_with_its_children() {
    let machine = Machine::ending("lease = \"1s\"\n");
    machine.script("ended", "echo $$ >> \"$0.log\"; sleep 1000 & sleep 1000");
    let machine = machine.with("hooks = { ended = [\"HERE/ended\"], timeout = \"1s\" }\n");
    let begun = Instant::now();
    let daemon = machine.start();
    wait_until("the end", || machine.has_ended());
    assert!(begun.elapsed() < Duration::from_secs(30));
    assert!(daemon.log().contains("hook ended: killed after 1 s"), "{}", daemon.log());
    let group = machine.log_of("ended").trim().parse().unwrap();
    wait_until("no process of the hook", || {
        nix::sys::signal::killpg(nix::unistd::Pid::from_raw(group), None).is_err()
    });
}

#[test]
fn a_dry_run_does_everything_but_the_end() {
    let machine = Machine::ending("lease = \"1s\"\nlimit = \"8h\"\ndry-run = true\n");
    machine.script("ended", "echo here >> \"$0.log\"");
    let machine = machine.with("hooks = { ended = [\"HERE/ended\"] }\n");
    let daemon = machine.start();
    wait_until("the dry end", || daemon.log().contains("dry run: the machine goes on"));
    assert_eq!(machine.log_of("ended"), "here\n");
    assert_eq!(daemon.post("/extend", "hours=2").json()["extended_by_hours"], 2);
    assert_eq!(daemon.status()["status"], "running");
    assert!(!machine.has_ended());
}

#[test]
fn a_provider_terminates_the_instance() {
    let machine = Machine::new("lease = \"1s\"\nend = { terminate = \"fake\" }\ninstance-id = \"a1b2\"\n");
    machine.script("bin/soong-provider-fake", "{ echo \"$1 $SOONG_CONFIG\"; cat; } > \"$0.log\"");
    let daemon = machine.start();
    wait_until("the end", || daemon.log().contains("attempt 1 succeeded"));
    let config = machine.file("config.toml");
    let expected = format!("terminate {}\n{{\"api\":1,\"id\":\"a1b2\"}}", config.display());
    assert_eq!(machine.log_of("bin/soong-provider-fake"), expected);
}

#[test]
fn the_reason_of_a_provider_is_reported() {
    let machine = Machine::new("lease = \"1s\"\nend = { terminate = \"fake\" }\ninstance-id = \"a1b2\"\n");
    let answer = r#"{"error":{"code":"unauthorized","message":"the key is revoked"}}"#;
    machine
        .script("bin/soong-provider-fake", &format!("cat > /dev/null; sleep 1000 & echo '{answer}'; exit 1"));
    let daemon = machine.start();
    wait_until("two attempts", || daemon.status()["end_attempts"].as_u64() >= Some(2));
    let error = daemon.status()["end_error"].as_str().unwrap().to_owned();
    assert!(error.ends_with("soong-provider-fake failed: unauthorized: the key is revoked"), "{error}");
    assert!(daemon.log().contains("the key is revoked; next in "), "{}", daemon.log());
}

#[test]
fn a_provider_that_others_can_replace_is_not_run() {
    use std::os::unix::fs::PermissionsExt;
    let machine = Machine::new("lease = \"1s\"\nend = { terminate = \"fake\" }\n");
    machine.script("bin/soong-provider-fake", "echo ran > \"$0.log\"");
    let file = machine.file("bin/soong-provider-fake");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o777)).unwrap();
    let daemon = machine.start();
    wait_until("a refusal", || daemon.log().contains("other users can replace it"));
    assert_eq!(machine.log_of("bin/soong-provider-fake"), "");
}

#[test]
fn terminals_of_logins_are_warned() {
    let pty = nix::pty::openpty(None, None).unwrap();
    let terminal = nix::unistd::ttyname(pty.slave.as_fd()).unwrap();
    let line = terminal.strip_prefix("/dev/").unwrap().to_str().unwrap().to_owned();
    let machine = Machine::ending("lease = \"2s\"\n");
    write(&machine.file("utmp"), &utmp_record(&line));
    let daemon = machine.start();
    let why = daemon.status()["why"].as_str().unwrap().to_owned();
    assert!(
        why.starts_with(&format!("in use: ubuntu is logged in on {line}; the lease ends it in ")),
        "{why}"
    );
    wait_until("the end", || machine.has_ended());
    let flags = nix::fcntl::OFlag::O_NONBLOCK;
    nix::fcntl::fcntl(pty.master.as_fd(), nix::fcntl::FcntlArg::F_SETFL(flags)).unwrap();
    let mut shown = Vec::new();
    let _ = File::from(pty.master).read_to_end(&mut shown);
    let shown = String::from_utf8_lossy(&shown).into_owned();
    for text in ["soong-statusd: this machine ends in ", "this machine ends now: the lease is over"] {
        assert!(shown.contains(text), "{text}: {shown}");
    }
}
