//! Servers that refuse for good: the tunnel stops trying, says why, and leaves nothing behind.

use super::{behind, told, wait_for, wait_for_failure};
use crate::support::curl::get;
use crate::support::instance::Instance;
use crate::support::network::Network;
use crate::support::sandbox::Sandbox;
use crate::support::wait;

#[test]
fn a_host_key_that_changes_while_the_tunnel_is_up_ends_it() {
    let mut instance = Instance::start();
    let sandbox = Sandbox::with(&instance);
    sandbox.start(&instance);
    instance.sshd.stop();
    instance.sshd.replace_host_key();
    instance.sshd.resume();
    let (reason, hints) = wait_for_failure(&sandbox);
    assert_eq!(reason, "the host key has changed");
    assert!(hints.contains("ssh-keygen -R soong.a1b2c3d4 -f "), "{hints}");
    assert_eq!(instance.sshd.logins(), 1, "nothing was offered to a stranger");
    sandbox.assert_idle();
    let status = sandbox.tunnel(["status"]).code(3).stdout("Tunnel is not running\n");
    status.stderr_has("the host key has changed").stderr_has("hint: ").run();
    // The fix that the hint names.
    let command = hints.lines().find_map(|line| line.split_once("forget the old key: ")).unwrap().1;
    let words = shell_words::split(command).unwrap();
    let removed = std::process::Command::new(&words[0]).args(&words[1..]).output().unwrap();
    assert!(removed.status.success(), "{removed:?}");
    sandbox.start(&instance);
}

/// A machine that boots may not have its accounts yet; `backoff` holds how often it is asked.
#[test]
fn a_key_that_is_refused_for_a_while_does_not_end_the_tunnel() {
    let instance = Instance::start();
    let network = Network::to(instance.sshd.port);
    let sandbox = behind(&network, &instance);
    sandbox.start(&instance);
    let keys = instance.sshd.revoke_key();
    assert_eq!(get(&sandbox.url(0, "id")), "sglang", "a session outlives its key");
    wait_for(&sandbox, "up");
    network.reset();
    wait::until_true("a refused login", || {
        let told = told(&sandbox);
        told["last_error"].as_str().is_some_and(|error| error.contains("Permission denied"))
    });
    assert_eq!(told(&sandbox)["state"], "reconnecting");
    instance.sshd.restore_keys(&keys);
    wait_for(&sandbox, "up");
    assert_eq!(network.connections(), 3, "no more than one was refused");
}
