//! How many connections a tunnel carries at once: as many as the system lets it have files open
//! for, and never so many that none is left for the tunnel itself. Without that, connections that
//! wait for a lost link could keep the ssh that replaces it from being started.

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// More open files than this help nobody, and some programs look at every one that they may have.
const FILES_WANTED: u64 = 65_536;
/// Files that a tunnel has open besides connections: its listeners, sockets and log, and the pipes
/// of an ssh that is being started.
const FILES_OF_OUR_OWN: u64 = 40;
/// The client's end, and that of ssh.
const FILES_PER_CONNECTION: u64 = 2;

/// Lifts the limit of open files as far as the system allows, for this process and for its ssh;
/// returns how many connections there is room for.
pub fn raise() -> usize {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap_or((1024, 1024));
    let wanted = hard.min(FILES_WANTED);
    let lifted = soft < wanted && setrlimit(Resource::RLIMIT_NOFILE, wanted, hard).is_ok();
    connections(if lifted { wanted } else { soft })
}

/// How many connections fit into `files` open files.
fn connections(files: u64) -> usize {
    let room = files.min(FILES_WANTED).saturating_sub(FILES_OF_OUR_OWN) / FILES_PER_CONNECTION;
    usize::try_from(room).unwrap_or(usize::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn something_is_left_for_the_tunnel_itself() {
        let table = [(0, 1), (40, 1), (64, 12), (1024, 492), (65_536, 32_748), (u64::MAX, 32_748)];
        for (files, expected) in table {
            assert_eq!(connections(files), expected, "{files}");
        }
    }
}
