//! Limit on connections: as many as the system's limit on open files allows, less what the tunnel itself
//! needs. Otherwise, connections that wait for a lost link could keep the next ssh from starting.

use crate::system::file_limit;

/// Files of a tunnel besides connections: listeners, sockets, log, and the pipes of a starting ssh.
const FILES_OF_OUR_OWN: u64 = 40;
/// The client's end and ssh's.
const FILES_PER_CONNECTION: u64 = 2;

/// Raises the limit on open files as far as the system allows, for this process and its ssh; returns the
/// number of connections that fit.
pub fn raise() -> usize {
    connections(file_limit::raise())
}

/// Returns the number of connections that fit into `files` open files.
fn connections(files: u64) -> usize {
    let room = files.saturating_sub(FILES_OF_OUR_OWN) / FILES_PER_CONNECTION;
    usize::try_from(room).unwrap_or(usize::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn something_is_left_for_the_tunnel_itself() {
        let table = [(0, 1), (40, 1), (64, 12), (1024, 492), (65_536, 32_748)];
        for (files, expected) in table {
            assert_eq!(connections(files), expected, "{files}");
        }
    }
}
