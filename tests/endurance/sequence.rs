//! One connection after another: neither files nor memory of the supervisor may grow with their number.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use crate::support::instance::Instance;
use crate::support::sandbox::Sandbox;

/// Makes `count` connections; whether the supervisor is as small as it was after the first of them.
pub fn run(count: u64) -> bool {
    const WARM: u64 = 500;
    /// Pages that come and go, in KB.
    const TOLERANCE: u64 = 512;
    let instance = Instance::start();
    let sandbox = Sandbox::with(&instance);
    let pid = sandbox.start(&instance);
    let mut before = (0, 0);
    for number in 0..WARM + count {
        if number == WARM {
            before = (files(pid), resident(pid));
        }
        let mut stream = TcpStream::connect(("127.0.0.1", sandbox.config.local[0])).unwrap();
        stream.write_all(b"GET /id HTTP/1.1\r\n\r\n").unwrap();
        assert!(stream.read(&mut [0; 512]).unwrap() > 0);
    }
    // Only the ends of the last ones may still be under way.
    std::thread::sleep(std::time::Duration::from_secs(1));
    let after = (files(pid), resident(pid));
    println!(
        "sequence: {count} connections; open files {} before and {} after, resident {} KB and {} KB",
        before.0, after.0, before.1, after.1
    );
    after.0 <= before.0 + 2 && after.1 <= before.1 + TOLERANCE
}

fn files(pid: i32) -> usize {
    fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count()
}

fn resident(pid: i32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}
