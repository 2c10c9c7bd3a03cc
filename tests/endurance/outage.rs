//! The server is away for a while: how soon the tunnel is back with it, and what becomes of a request meanwhile.

use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::support::curl::{curl, get};
use crate::support::instance::Instance;
use crate::support::sandbox::Sandbox;

/// Stops the server for `time`; whether the tunnel was back in time.
pub fn run(time: Duration) -> bool {
    /// After a long outage an attempt may be this far away.
    const LATEST: Duration = Duration::from_secs(16);
    let mut instance = Instance::start();
    let mut sandbox = Sandbox::with(&instance);
    sandbox.configure(|config| {
        config.set(["tunnel", "hold"], 600);
    });
    sandbox.start(&instance);
    assert_eq!(get(&sandbox.url(0, "id")), "sglang");
    instance.sshd.stop();
    println!("outage: the server is away for {time:?}");
    sleep(time / 2);
    let mut request = curl().args(["--max-time", "600"]).arg(sandbox.url(0, "id")).spawn().unwrap();
    sleep(time / 2);
    instance.sshd.resume();
    let back = Instant::now();
    let answered = request.wait().unwrap().success();
    let late = back.elapsed();
    println!("\noutage: a request that was made meanwhile: {answered}, answered {late:?} after the return");
    answered && late <= LATEST
}
