//! Wake-ups of a supervisor whose tunnel nothing uses: none on demand, one a minute for a tunnel that is up.

use std::fs;
use std::thread::sleep;
use std::time::Duration;

use crate::support::curl::get;
use crate::support::instance::Instance;
use crate::support::sandbox::{Sandbox, pid_in};
use crate::support::wait;

/// Counts wake-ups for `time`; whether they are as few as they should be. A supervisor has one thread, and each wake-up
/// ends with it waiting again: a voluntary context switch.
pub fn run(time: Duration) -> bool {
    /// Of a renewal that asks the far end, because ssh's keepalive is just waiting for its answer.
    const CHECK: u64 = 4;
    let instances = [Instance::start(), Instance::start()];
    let [idle, up] = [Sandbox::with(&instances[0]), Sandbox::with(&instances[1])];
    let start = idle.tunnel(["start", "--on-demand=1s"]).stdout_has("on demand");
    let idle_pid = pid_in(&start.run().stdout);
    // It has had a link, as most idle ones have.
    assert_eq!(get(&idle.url(0, "id")), "sglang");
    wait::until_true("ssh to end", || idle.clients().is_empty());
    let up_pid = up.start(&instances[1]);
    // Both supervisors have finished the work of their starts.
    sleep(Duration::from_secs(3));
    let before = [switches(idle_pid), switches(up_pid)];
    sleep(time);
    let [idle_count, up_count] = [switches(idle_pid) - before[0], switches(up_pid) - before[1]];
    let renewals = time.as_secs() / 62 + 1;
    println!(
        "rest: {} s; wake-ups on demand {idle_count}, up {up_count} ({renewals} renewals at most)",
        time.as_secs()
    );
    idle_count == 0 && up_count <= renewals + CHECK
}

fn switches(pid: i32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:")).unwrap();
    line.trim().parse().unwrap()
}
