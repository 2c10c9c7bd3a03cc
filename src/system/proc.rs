//! Facts about processes from `/proc`. Linux only; elsewhere there are none.

use std::fs::{self, DirEntry};
use std::io;

/// Returns the sockets that the process `pid` has open, ordered by descriptor: descriptor and inode number of each.
pub fn sockets(pid: u32) -> io::Result<Vec<(i32, u32)>> {
    let socket = |file: DirEntry| {
        let target = fs::read_link(file.path()).ok()?;
        let inode = target.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()?;
        Some((file.file_name().to_str()?.parse().ok()?, inode))
    };
    let mut sockets: Vec<_> = fs::read_dir(format!("/proc/{pid}/fd"))?.flatten().filter_map(socket).collect();
    sockets.sort_unstable();
    Ok(sockets)
}

/// Returns a field of `proc_pid_stat(5)` that is a number, by its number there; `None` if there is no such process.
pub fn stat_field(pid: u32, number: usize) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The second field, the program's name in parentheses, can contain anything.
    stat.rsplit_once(") ")?.1.split(' ').nth(number.checked_sub(3)?)?.parse().ok()
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use std::net::TcpListener;
    use std::os::fd::AsRawFd;

    use super::*;

    #[test]
    fn a_process_has_its_sockets_and_its_parent() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let this = std::process::id();
        assert!(sockets(this).unwrap().iter().any(|(descriptor, _)| *descriptor == listener.as_raw_fd()));
        assert_eq!(stat_field(this, 4), Some(std::os::unix::process::parent_id()));
        assert!(sockets(u32::MAX).is_err());
        assert_eq!((stat_field(u32::MAX, 4), stat_field(this, 1)), (None, None));
    }
}
