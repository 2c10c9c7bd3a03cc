//! Limit on open files of this process.

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// Most open files that are of use; some programs visit each possible descriptor.
const WANTED: u64 = 65_536;
/// Limit that is assumed if it cannot be read.
const USUAL: u64 = 1024;

/// Raises the limit as far as the system allows, for this process and its children. Returns the limit.
pub fn raise() -> u64 {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap_or((USUAL, USUAL));
    let wanted = hard.min(WANTED);
    let lifted = soft < wanted && setrlimit(Resource::RLIMIT_NOFILE, wanted, hard).is_ok();
    if lifted { wanted } else { soft.min(WANTED) }
}

/// Raises the limit if it is lower than `needed`.
pub fn provide(needed: usize) {
    let (soft, _) = getrlimit(Resource::RLIMIT_NOFILE).unwrap_or((USUAL, USUAL));
    if soft < u64::try_from(needed).unwrap_or(u64::MAX) {
        raise();
    }
}
