//! State after a restart, a crash and a second daemon.

use std::io::Read;
use std::process::Stdio;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use crate::support::{Machine, TOKEN, wait_until};

fn seconds(time: &serde_json::Value) -> u64 {
    let time = humantime::parse_rfc3339(time.as_str().unwrap()).unwrap();
    time.duration_since(std::time::UNIX_EPOCH).unwrap().as_secs()
}

#[test]
fn lease_limit_and_keep_survive_a_crash() {
    let machine = Machine::new("");
    let mut daemon = machine.start();
    daemon.post("/extend", "hours=1");
    daemon.post("/keep", "minutes=90");
    let before = daemon.status();
    daemon.kill();
    let after = machine.start().status();
    for key in ["lease_end", "limit_at", "keep_until"] {
        assert!(seconds(&before[key]).abs_diff(seconds(&after[key])) <= 1, "{key}: {before} {after}");
    }
    assert_eq!(after["activity"]["last_activity_by"], "keep");
}

/// Kills the daemon while it writes: requests come as fast as they can, and each makes it save.
#[test]
fn a_crash_in_the_middle_of_writes_loses_nothing_that_was_confirmed() {
    let machine = Machine::new("lease = \"1h\"\nlimit = \"8760h\"\n");
    let first = machine.start();
    let start = seconds(&first.status()["lease_end"]);
    drop(first);
    let mut granted = 0;
    for round in 0..12 {
        let mut daemon = machine.start();
        let confirmed = AtomicU64::new(0);
        let wanted = 5 + round * 3;
        thread::scope(|scope| {
            scope.spawn(|| {
                let request = format!(
                    "POST /extend HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\nContent-Length: 12\r\n\
                     Content-Type: application/x-www-form-urlencoded\r\n\r\nhours=0.0625"
                );
                // 225 seconds each, until the daemon is gone.
                while let Ok(mut stream) = std::net::TcpStream::connect(daemon.address) {
                    let _ = std::io::Write::write_all(&mut stream, request.as_bytes());
                    let mut answer = String::new();
                    let _ = stream.read_to_string(&mut answer);
                    if !answer.ends_with("}\n") {
                        break;
                    }
                    confirmed.fetch_add(1, Ordering::SeqCst);
                }
            });
            wait_until("some confirmations", || confirmed.load(Ordering::SeqCst) >= wanted);
            let pid = nix::unistd::Pid::from_raw(i32::try_from(daemon.pid()).unwrap());
            nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL).unwrap();
        });
        daemon.kill();
        granted += confirmed.load(Ordering::SeqCst);
        let daemon = machine.start();
        let end = seconds(&daemon.status()["lease_end"]);
        let seen = (end + 1 - start) / 225;
        // One extension may have been saved whose confirmation did not arrive.
        assert!(seen == granted || seen == granted + 1, "{seen} of {granted}: {}", daemon.log());
        granted = seen;
        assert!(!machine.file("state/state.json.damaged").exists());
    }
}

#[test]
fn a_second_daemon_does_not_touch_the_state_of_the_first() {
    let machine = Machine::new("");
    let daemon = machine.start();
    let output = machine.command().stdin(Stdio::null()).output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr.contains("cannot lock") && stderr.contains("hint: another soong-statusd"), "{stderr}");
    daemon.status();
}

#[test]
fn a_stop_is_clean_and_a_wrong_configuration_is_told() {
    let machine = Machine::new("");
    let mut daemon = machine.start();
    daemon.terminate();
    assert!(daemon.log().ends_with("soong-statusd: stopped\n"), "{}", daemon.log());
    let check = |machine: &Machine| machine.command().arg("--check").output().unwrap();
    assert!(check(&machine).status.success());
    let wrong = Machine::new("leaze = \"4h\"\n");
    let output = check(&wrong);
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr.contains("statusd.toml: line 6: unknown field `leaze`"), "{stderr}");
}

#[test]
fn systemd_hears_that_the_daemon_is_ready_and_alive() {
    let machine = Machine::new("");
    let socket = std::os::unix::net::UnixDatagram::bind(machine.file("notify")).unwrap();
    socket.set_read_timeout(Some(std::time::Duration::from_secs(60))).unwrap();
    let mut command = machine.command();
    let mut child =
        command.env("NOTIFY_SOCKET", machine.file("notify")).stderr(Stdio::null()).spawn().unwrap();
    let hear = || {
        let mut message = [0; 64];
        let length = socket.recv(&mut message).unwrap();
        String::from_utf8_lossy(&message[..length]).into_owned()
    };
    assert_eq!([hear(), hear()], ["READY=1", "WATCHDOG=1"]);
    child.kill().unwrap();
    child.wait().unwrap();
}
