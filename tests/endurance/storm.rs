//! Fifty commands at a time, again and again: what is left has to be one tunnel or none.

use std::time::{Duration, Instant};

use crate::support::curl::get;
use crate::support::instance::Instance;
use crate::support::sandbox::Sandbox;
use crate::support::spawned::Spawned;
use crate::support::wait;

const COMMANDS: [&str; 4] = ["start", "stop", "status", "restart"];
const AT_ONCE: usize = 50;

/// Runs commands for `time`; whether all made sense and what is left does.
pub fn run(time: Duration) -> bool {
    let instance = Instance::start();
    let sandbox = Sandbox::with(&instance);
    let end = Instant::now() + time;
    let (mut commands, mut odd) = (0, 0);
    while Instant::now() < end {
        let running: Vec<_> = (0..AT_ONCE)
            .map(|_| COMMANDS[fastrand::usize(..COMMANDS.len())])
            .map(|command| (command, sandbox.tunnel([command]).spawn()))
            .collect();
        for (command, running) in running {
            let output = Spawned::unchecked(running);
            commands += 1;
            if ![0, 1, 3].contains(&output.code) || output.stderr.contains("panicked") {
                odd += 1;
                println!("storm: {command}: {output:#?}");
            }
        }
        odd += usize::from(!settle(&sandbox));
    }
    sandbox.tunnel(["stop"]).stdout_has("").run();
    sandbox.assert_idle();
    sandbox.start(&instance);
    println!("storm: {commands} commands, {AT_ONCE} at a time, {odd} odd outcomes");
    odd == 0
}

/// Returns true if `status` reports the true state.
fn settle(sandbox: &Sandbox) -> bool {
    match sandbox.tunnel(["status"]).unchecked().code {
        0 => {
            wait::until_true("one supervisor and one ssh", || sandbox.processes().len() == 2);
            get(&sandbox.url(0, "id")) == "sglang"
        }
        code => {
            sandbox.assert_idle();
            code == 3
        }
    }
}
