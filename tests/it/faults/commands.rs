//! Many commands at once: each succeeds or says why not, and what is left is one tunnel or none.

use std::fs::File;
use std::sync::mpsc;
use std::thread;

use nix::fcntl::{Flock, FlockArg};

use crate::support::curl::get;
use crate::support::instance::Instance;
use crate::support::run::Output;
use crate::support::sandbox::Sandbox;
use crate::support::spawned::Spawned;
use crate::support::wait;

/// Messages that a command may end with when other commands interfere.
const EXCUSES: [&str; 5] = [
    "",
    "Tunnel already running. Stop it first.\n",
    "soong-tunnel: the tunnel was stopped before it was up\n",
    "soong-tunnel: the supervisor ended before the tunnel was up\n",
    "Error starting tunnel: bind: Address already in use\n",
];

#[test]
fn fifty_commands_at_once_end_in_one_tunnel_or_none() {
    let instance = Instance::start();
    let sandbox = Sandbox::with(&instance);
    let commands = ["start", "stop", "status", "restart", "status"];
    let running: Vec<_> = (0..50).map(|number| sandbox.tunnel([commands[number % 5]]).spawn()).collect();
    let outputs: Vec<Output> = running.into_iter().map(Spawned::unchecked).collect();
    for (number, output) in outputs.iter().enumerate() {
        assert_is_sensible(commands[number % 5], output);
    }
    settle(&sandbox);
    sandbox.tunnel(["stop"]).stdout_has("").run();
    sandbox.assert_idle();
    sandbox.start(&instance);
    assert_eq!(get(&sandbox.url(0, "id")), "sglang");
}

/// A process that takes the place of a stopped tunnel at once is not that tunnel.
#[test]
fn a_tunnel_is_stopped_although_its_lock_is_taken_again_at_once() {
    let instance = Instance::start();
    let sandbox = Sandbox::with(&instance);
    sandbox.start(&instance);
    let lock = File::open(sandbox.tunnel_directory().join("lock")).unwrap();
    let (holding, held) = mpsc::channel();
    let next = thread::spawn(move || {
        let _lock = Flock::lock(lock, FlockArg::LockExclusive).unwrap();
        held.recv().unwrap();
    });
    sandbox.tunnel(["stop"]).stdout("Stopped tunnel (PID: [PID])\n").run();
    assert!(!next.is_finished());
    holding.send(()).unwrap();
    next.join().unwrap();
    sandbox.assert_idle();
}

#[track_caller]
fn assert_is_sensible(command: &str, output: &Output) {
    let codes: &[i32] = match command {
        "status" => &[0, 3],
        "stop" => &[0],
        _ => &[0, 1],
    };
    let first = output.stderr.split_inclusive('\n').next().unwrap_or_default();
    assert!(codes.contains(&output.code), "{command}: {output:#?}");
    assert!(EXCUSES.contains(&first), "{command}: {output:#?}");
    assert_eq!(output.code == 1, !first.is_empty(), "{command}: {output:#?}");
}

/// Waits until `status` reports the true state.
#[track_caller]
fn settle(sandbox: &Sandbox) {
    let status = sandbox.tunnel(["status"]).unchecked();
    match status.code {
        0 => {
            assert_eq!(get(&sandbox.url(1, "id")), "n8n");
            wait::until_true("one supervisor and one ssh", || sandbox.processes().len() == 2);
            assert_eq!((sandbox.supervisors().len(), sandbox.clients().len()), (1, 1));
        }
        3 => sandbox.assert_idle(),
        _ => panic!("{status:?}"),
    }
}
