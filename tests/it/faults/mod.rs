//! Faults between a laptop and a rented machine, each once: the tunnel survives, or ends with a reason. After
//! any fault, it is not reported as up for longer than the detection of a dead link takes.

#[cfg(target_os = "linux")]
mod addresses;
mod commands;
#[cfg(target_os = "linux")]
mod doubt;
#[cfg(target_os = "linux")]
mod false_alarms;
mod forbidden;
#[cfg(target_os = "linux")]
mod jump;
mod knock;
mod link;
mod load;
#[cfg(target_os = "linux")]
mod names;
mod noise;
#[cfg(target_os = "linux")]
mod pam;
#[cfg(target_os = "linux")]
mod penalties;
mod refusals;
mod services;
#[cfg(target_os = "linux")]
mod slow;
mod surroundings;
#[cfg(target_os = "linux")]
mod takeover;

use serde_json::Value;

use crate::support::config::Config;
use crate::support::instance::Instance;
use crate::support::network::Network;
use crate::support::sandbox::Sandbox;
use crate::support::wait;

/// A sandbox whose instance `dev` is `instance` behind `network`, with a keepalive of a second.
fn behind(network: &Network, instance: &Instance) -> Sandbox {
    let mut sandbox = Sandbox::with(instance);
    sandbox.configure(|config: &mut Config| {
        config.instance("dev", "127.0.0.1", network.port);
        config.set(["ssh", "keepalive"], 1).set(["ssh", "connect-timeout"], 5);
    });
    sandbox
}

/// Returns the entry of `status --json` for the tunnel to `dev`, or null if there is none.
fn told(sandbox: &Sandbox) -> Value {
    let output = sandbox.tunnel(["status", "--json"]).unchecked();
    let answer: Value = serde_json::from_str(&output.stdout).unwrap();
    answer["tunnels"][0].clone()
}

/// Returns the log of a tunnel that has been up.
fn logs(sandbox: &Sandbox) -> String {
    sandbox.tunnel(["logs"]).stdout_has("up: ").run().stdout
}

/// Waits until `status` tells of `state`, and returns all it says then.
#[track_caller]
fn wait_for(sandbox: &Sandbox, state: &str) -> Value {
    wait::until(&format!("the tunnel to be {state}"), || {
        let told = told(sandbox);
        (told["state"] == state).then_some(told)
    })
}

/// Waits for the tunnel to give up, and returns why and what it advises to do.
#[track_caller]
fn wait_for_failure(sandbox: &Sandbox) -> (String, String) {
    // For a moment the supervisor that says so is still there.
    let told = wait::until("the tunnel to be over", || {
        let told = told(sandbox);
        (told["state"] == "failed" && told["pid"].is_null()).then_some(told)
    });
    let hints = told["hints"].as_array().unwrap().iter().map(|hint| hint.as_str().unwrap());
    (told["last_error"].as_str().unwrap().to_owned(), hints.collect::<Vec<_>>().join("\n"))
}
