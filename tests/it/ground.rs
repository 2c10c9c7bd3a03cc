//! The ground the other tests stand on, checked without soong: the server lets its key in and no other, and the
//! services answer through a plain `ssh`.

use std::env;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use crate::support::curl::{curl, get, output};
use crate::support::instance::Instance;
use crate::support::service::{Pattern, digest};
use crate::support::sshd::{Options, Sshd, ssh};
use crate::support::tools::tool;
use crate::support::{ports, wait};

/// Says that the test runs in a process that was started with ignored signals.
const INNER: &str = "SOONG_TEST_IGNORED_SIGNALS";

#[test]
fn a_plain_ssh_forwards_to_the_services() {
    let instance = Instance::start();
    let local = ports::free();
    let forward = format!("{local}:localhost:{}", instance.services[1].port);
    let mut client = ssh(&instance.sshd).args(["-L", &forward]).stderr(Stdio::null()).spawn().unwrap();
    wait::until_true("the forward to listen", || ports::is_taken(local));
    let url = format!("http://127.0.0.1:{local}");
    assert_eq!(get(&format!("{url}/id")), "n8n");
    assert_eq!(instance.sshd.logins(), 1);
    let expected = digest(&mut Pattern::new(100_000)).unwrap();
    let bytes = curl().arg(format!("{url}/bytes/100000")).output().unwrap().stdout;
    assert_eq!(digest(&mut bytes.as_slice()).unwrap(), expected);
    let answer = output(curl().args(["--data-binary", "abc"]).arg(format!("{url}/digest")));
    let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    assert_eq!(answer, format!("3 {abc}"));
    client.kill().unwrap();
    client.wait().unwrap();
}

#[test]
fn a_server_that_refuses_the_key_says_so() {
    let sshd = Options::default().refuse_key().start();
    let Output { status, stderr, .. } = ssh(&sshd).output().unwrap();
    assert_eq!(status.code(), Some(255));
    assert!(String::from_utf8_lossy(&stderr).contains("Permission denied (publickey)"));
    assert_eq!(sshd.logins(), 0);
}

#[test]
fn a_server_ends_with_its_sessions() {
    let sshd = Sshd::start();
    let port = sshd.port;
    let mut client = ssh(&sshd).stderr(Stdio::null()).spawn().unwrap();
    wait::until_true("the login", || sshd.logins() == 1);
    drop(sshd);
    let status = wait::until("the client to end", || client.try_wait().unwrap());
    assert_eq!(status.code(), Some(255), "the session went with its server");
    assert!(ports::is_free(port));
    let next = Options::default().port(port).start();
    assert!(Path::new(&next.key()).exists());
}

/// As under nohup, or in the background of a script.
#[test]
fn programs_do_not_ignore_what_the_caller_of_the_tests_ignores() {
    const TEST: &str = "ground::programs_do_not_ignore_what_the_caller_of_the_tests_ignores";
    let sh = |script: &str| {
        let mut command = Command::new(tool("sh"));
        command.args(["-c", script, "sh"]);
        command
    };
    if env::var_os(INNER).is_none() {
        let output = sh("trap '' INT QUIT HUP TERM; exec \"$@\"")
            .arg(env::current_exe().unwrap())
            .args([TEST, "--exact", "--nocapture"])
            .env(INNER, "1")
            .output()
            .unwrap();
        let printed = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && printed.contains("1 passed"), "{printed}");
        return;
    }
    for (name, number) in [("INT", 2), ("QUIT", 3), ("HUP", 1), ("TERM", 15)] {
        let status = sh(&format!("ulimit -c 0; kill -{name} $$")).status().unwrap();
        assert_eq!(status.signal(), Some(number), "SIG{name}");
        // The tests themselves outlive it.
        let status = sh(&format!("kill -{name} {}", std::process::id())).status().unwrap();
        assert!(status.success());
    }
}
