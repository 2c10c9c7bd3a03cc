//! An ssh that runs and does nothing: its own keepalive cannot notice, the supervisor has to.

use nix::sys::signal::Signal;

use crate::support::curl::{curl, get};
use crate::support::instance::Instance;
use crate::support::sandbox::Sandbox;
use crate::support::{process, wait};

/// A sandbox in which a link that owes an answer is doubted after a second.
fn impatient(instance: &Instance) -> Sandbox {
    let mut sandbox = Sandbox::with(instance);
    sandbox.configure(|config| {
        config.set(["ssh", "keepalive"], 1);
    });
    sandbox
}

#[test]
fn a_stuck_ssh_is_replaced_once_it_owes_an_answer() {
    let instance = Instance::start();
    let sandbox = impatient(&instance);
    let pid = sandbox.start(&instance);
    let stuck = sandbox.clients()[0].pid;
    process::signal(stuck, Signal::SIGSTOP);
    let url = sandbox.url(0, "id");
    let late = std::thread::spawn(move || curl().arg(url).output().unwrap());
    wait::until_true("the second login", || instance.sshd.logins() >= 2);
    wait::until_true("the stuck ssh to be gone", || !process::is_alive(stuck));
    let late = late.join().unwrap();
    // Elsewhere it cannot be told from what ssh has passed on.
    assert_eq!(late.stdout, if cfg!(target_os = "linux") { &b"sglang"[..] } else { b"" }, "{late:?}");
    assert_eq!(get(&sandbox.url(0, "id")), "sglang");
    assert_eq!(sandbox.supervisors()[0].pid, pid, "the tunnel is the same");
    let logs = sandbox.tunnel(["logs"]).stdout_has("a request got no answer: ").run();
    assert!(!logs.stdout.contains("open failed"), "questions of ours are no news: {}", logs.stdout);
    process::signal(stuck, Signal::SIGCONT);
    assert_eq!(get(&sandbox.url(1, "id")), "n8n");
}

/// A pause that is shorter than the patience breaks nothing, not even what is under way.
#[test]
fn an_ssh_that_pauses_is_kept() {
    let instance = Instance::start();
    let sandbox = Sandbox::with(&instance);
    sandbox.start(&instance);
    let ssh = sandbox.clients()[0].pid;
    process::signal(ssh, Signal::SIGSTOP);
    let url = sandbox.url(0, "id");
    let answer = std::thread::spawn(move || get(&url));
    // Nothing happens that could be waited for: that is the point.
    std::thread::sleep(std::time::Duration::from_millis(500));
    process::signal(ssh, Signal::SIGCONT);
    assert_eq!(answer.join().unwrap(), "sglang");
    assert_eq!(instance.sshd.logins(), 1);
}
