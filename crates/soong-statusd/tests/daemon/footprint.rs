//! Processor time and memory of the daemon. The limits are those of a release build; `docs/guard.md` has
//! its figures.

use std::fs;
use std::os::unix::net::UnixDatagram;
use std::process::Stdio;
use std::time::Duration;

use crate::support::Machine;

/// Resident memory, in bytes.
fn resident(pid: u32) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().strip_suffix(" kB").unwrap().parse::<u64>().unwrap() * 1024
}

/// Processor time of all threads.
fn processor_time(pid: u32) -> Duration {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).unwrap().map(Result::unwrap);
    let times = threads.map(|thread| {
        let text = fs::read_to_string(thread.path().join("schedstat")).unwrap();
        text.split(' ').next().unwrap().parse().map(Duration::from_nanos).unwrap()
    });
    times.sum()
}

#[test]
fn a_look_takes_little_processor_time() {
    const LOOKS: u32 = 30;
    // A short limit makes it look ten times a second instead of once in ten seconds.
    let machine = Machine::new("idle = \"2s\"\ndry-run = true\n").with_gpu();
    let socket = UnixDatagram::bind(machine.file("notify")).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let mut command = machine.command();
    let mut child =
        command.env("NOTIFY_SOCKET", machine.file("notify")).stderr(Stdio::null()).spawn().unwrap();
    // It tells systemd after each look that it is alive.
    let hear = |count: u32| (0..count).for_each(|_| _ = socket.recv(&mut [0; 64]).unwrap());
    hear(5);
    let before = processor_time(child.id());
    hear(LOOKS);
    let spent = processor_time(child.id()).saturating_sub(before);
    child.kill().unwrap();
    child.wait().unwrap();
    // A thousandth of a processor.
    assert!(spent / LOOKS < Duration::from_millis(10), "{spent:?}");
}

#[test]
fn memory_stays_small() {
    let daemon = Machine::new("").with_gpu().start();
    for _ in 0..200 {
        daemon.status();
    }
    let resident = resident(daemon.pid());
    assert!(resident < 10 << 20, "{resident} bytes");
}
