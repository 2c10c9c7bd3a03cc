//! Counts the clients of ssh's control socket: sessions of `soong ssh` and of programs that share the link.
//!
//! They bypass the relay, and ending ssh would end them. The kernel lists the connections of a socket
//! (`/proc/net/unix`, see `proc_pid_net(5)`). Elsewhere sessions do not share the link of an on-demand tunnel.

use std::path::Path;

/// Returns the number of clients connected to the control socket at `path`.
#[cfg(target_os = "linux")]
pub fn count(path: &Path) -> usize {
    std::fs::read("/proc/self/net/unix")
        .map_or(0, |table| count_in(&String::from_utf8_lossy(&table), &path.to_string_lossy()))
}

#[cfg(not(target_os = "linux"))]
pub fn count(_path: &Path) -> usize {
    0
}

/// Counts the connected sockets of `path` in the kernel's `table`. ssh creates its socket as `PATH.RANDOM` and renames
/// it (`mux.c`, `muxserver_listen`); the kernel keeps the first name.
#[cfg(any(target_os = "linux", test))]
fn count_in(table: &str, path: &str) -> usize {
    /// `SS_CONNECTED` of `linux/net.h`, in hexadecimal.
    const CONNECTED: &str = "03";
    /// References to a socket whose client is gone. ssh keeps it while the far end owes an answer. A client holds a third.
    const ABANDONED: &str = "00000002";
    let is_client = |line: &&str| {
        let mut fields = line.splitn(8, ' ').filter(|field| !field.is_empty());
        // Number, references, protocol, flags, type, state, inode, path. The inode is padded.
        let (references, state) = (fields.nth(1), fields.nth(3));
        let rest = line.split_once(path).map(|(_, rest)| rest);
        let is_connected = state == Some(CONNECTED) && references != Some(ABANDONED);
        is_connected && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    table.lines().skip(1).filter(is_client).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_are_connected_sockets_of_the_path() {
        let table = "Num       RefCount Protocol Flags    Type St Inode Path\n\
            0000000000000000: 00000002 00000000 00010000 0001 01 73551 /run/a b/ctl.Xy1\n\
            0000000000000000: 00000003 00000000 00000000 0001 03  3552 /run/a b/ctl.Xy1\n\
            0000000000000000: 00000003 00000000 00000000 0001 03 73553 /run/a b/ctl\n\
            0000000000000000: 00000002 00000000 00000000 0001 03 73556 /run/a b/ctl\n\
            0000000000000000: 00000003 00000000 00000000 0001 03 73554 /run/a b/ctlx\n\
            0000000000000000: 00000003 00000000 00000000 0001 03 73555\n";
        assert_eq!(count_in(table, "/run/a b/ctl"), 2);
        assert_eq!(count_in(table, "/run/b/ctl"), 0);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn the_kernel_lists_clients() {
        use std::os::unix::net::{UnixListener, UnixStream};

        let directory = tempfile::tempdir().unwrap();
        let (first, path) = (directory.path().join("ctl.abc"), directory.path().join("ctl"));
        let listener = UnixListener::bind(&first).unwrap();
        std::fs::rename(&first, &path).unwrap();
        assert_eq!(count(&path), 0);
        let client = UnixStream::connect(&path).unwrap();
        let _served = listener.accept().unwrap();
        assert_eq!(count(&path), 1);
        drop(client);
        assert_eq!(count(&path), 0);
    }
}
