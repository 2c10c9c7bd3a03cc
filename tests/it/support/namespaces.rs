//! Two machines in small: a network namespace for the instance and one for its user, and a cable between them.
//!
//! Unlike a proxy, a cable can lose packets, and addresses can go. Linux only. Needs root, or the right to make user
//! namespaces; as another user the test runs itself again in one.

use std::env;
use std::io;
use std::process::{Command, ExitStatus};
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::thread;

use super::tools::{is_root, tool};

/// The address of the user's machine.
pub const HERE: &str = "192.0.2.1";
/// The address of the instance.
pub const THERE: &str = "192.0.2.2";
/// The name of the interface at either end of the cable.
pub const CABLE: &str = "cable";

/// Runs `work` in one namespace, with what `serve` makes, and drops, in the other. `test` is the full name of the
/// test.
pub fn across<T: Send + Sync>(test: &str, serve: impl FnOnce() -> T + Send, work: impl FnOnce(&T) + Send) {
    if !is_root() && env::var_os(AGAIN).is_none() {
        return run_again(test);
    }
    thread::scope(|scope| {
        let (tell_thread, their_thread) = channel();
        let (tell_cable, cable) = channel();
        let (hand_over, handed_over) = channel();
        let server = scope.spawn(move || {
            leave();
            tell_thread.send(nix::unistd::gettid().as_raw()).unwrap();
            cable.recv().unwrap();
            connect(THERE);
            let made = Arc::new(serve());
            hand_over.send(Arc::clone(&made)).unwrap();
            // Until `work` is done, or has panicked.
            let _ = cable.recv();
        });
        let user = scope.spawn(move || {
            leave();
            let thread: i32 = their_thread.recv().unwrap();
            ip(&format!("link add {CABLE} type veth peer name {CABLE} netns {thread}"));
            connect(HERE);
            tell_cable.send(()).unwrap();
            let made = handed_over.recv().unwrap();
            work(&made);
            drop((made, tell_cable));
        });
        for end in [server, user] {
            if let Err(panic) = end.join() {
                std::panic::resume_unwind(panic);
            }
        }
    });
}

/// Runs `work` in a namespace without a cable. `test` is the full name of the test.
pub fn alone(test: &str, work: impl FnOnce() + Send) {
    if !is_root() && env::var_os(AGAIN).is_none() {
        return run_again(test);
    }
    thread::scope(|scope| {
        let user = scope.spawn(move || {
            leave();
            work();
        });
        if let Err(panic) = user.join() {
            std::panic::resume_unwind(panic);
        }
    });
}

/// Runs `ip` with `arguments` in the namespace of this thread.
pub fn ip(arguments: &str) {
    succeed(Command::new(tool("ip")).args(arguments.split(' ')).status(), arguments);
}

/// Runs `ip` with `arguments` in the namespace of the process `pid`.
pub fn ip_at(pid: u32, arguments: &str) {
    let mut command = Command::new(tool("nsenter"));
    command.args(["--net", "--target", &pid.to_string()]).arg(tool("ip")).args(arguments.split(' '));
    succeed(command.status(), arguments);
}

/// Says that this is the second run.
const AGAIN: &str = "SOONG_TEST_IN_NAMESPACE";

/// Runs the test once more, where its user may do what root may.
fn run_again(test: &str) {
    let mut command = Command::new(tool("unshare"));
    command.args(["--user", "--map-current-user", "--net", "--keep-caps"]).arg(env::current_exe().unwrap());
    command.args([test, "--exact", "--nocapture"]).env(AGAIN, "1");
    let status = command.status();
    let hint = "run it as root, or allow user namespaces";
    assert!(status.is_ok_and(|status| status.success()), "{test} failed in a namespace; {hint}");
}

/// Moves this thread and its children to a new network namespace.
fn leave() {
    // SAFETY: unshare changes the namespace of the calling thread and nothing else.
    let left = unsafe { libc::unshare(libc::CLONE_NEWNET) };
    assert_eq!(left, 0, "unshare: {}", io::Error::last_os_error());
    ip("link set lo up");
}

fn connect(address: &str) {
    ip(&format!("address add {address}/24 dev {CABLE}"));
    ip(&format!("link set {CABLE} up"));
}

fn succeed(status: io::Result<ExitStatus>, arguments: &str) {
    assert!(status.is_ok_and(|status| status.success()), "ip {arguments}");
}
