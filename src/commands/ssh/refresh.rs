//! `soong ssh config --refresh`: brings the hosts up to date. ssh runs it before it reads them, through the
//! `Match exec` line of [`super::hosts`], so a host never has the address of yesterday.

use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

use super::{host_file, hosts};
use crate::config::Config;
use crate::error::Result;
use crate::system::lock::{self, WRITER_PATIENCE};
use crate::system::paths::{self, Paths};

/// Age until which the hosts of providers count as up to date: programs such as rsync and editors run ssh many
/// times in a row.
const FRESH: Duration = Duration::from_secs(60);

/// Rewrites the hosts unless they are up to date or not in use.
pub fn run(paths: &Paths) -> Result<()> {
    let file = paths.ssh_hosts();
    if paths::is_query_of_ssh_config() || !paths.ssh_include().exists() {
        return Ok(());
    }
    let config = Config::load(paths)?;
    // Programs that start at once wait for one query. If it takes too long, ssh uses the last known hosts.
    let Some(_lock) = lock::try_lock(&paths.ssh_hosts_lock(), WRITER_PATIENCE)? else { return Ok(()) };
    let sources = [paths.config_file(), &paths.ssh_config()];
    let limit = (!config.providers.is_empty()).then_some(FRESH);
    if is_fresh(modified(&file), sources.into_iter().filter_map(modified), limit, SystemTime::now()) {
        return Ok(());
    }
    let hosts = hosts::hosts(&config, paths, true)?;
    paths::write_atomically(&file, &hosts::file_text(&host_file::render(&hosts)))
}

fn modified(file: impl AsRef<Path>) -> Option<SystemTime> {
    fs::metadata(file).and_then(|metadata| metadata.modified()).ok()
}

/// Returns true if hosts written at `written` are newer than all `sources` and younger than `limit`.
fn is_fresh(
    written: Option<SystemTime>,
    mut sources: impl Iterator<Item = SystemTime>,
    limit: Option<Duration>,
    now: SystemTime,
) -> bool {
    let Some(written) = written else { return false };
    // A clock that was set back makes the age unknown.
    let is_young = |limit| now.duration_since(written).is_ok_and(|age| age < limit);
    sources.all(|source| source < written) && limit.is_none_or(is_young)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_fresh_for_a_minute_and_until_a_source_changes() {
        let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        let fresh = |written: Option<u64>, sources: &[u64], limit: Option<u64>, now| {
            let sources = sources.iter().map(|source| at(*source));
            is_fresh(written.map(at), sources, limit.map(Duration::from_secs), at(now))
        };
        for (written, sources, limit, now, expected) in [
            (None, &[][..], None, 100, false),
            (Some(50), &[], None, 1000, true),
            (Some(50), &[40, 49], Some(60), 109, true),
            (Some(50), &[40], Some(60), 110, false),
            (Some(50), &[40], Some(60), 49, false),
            (Some(50), &[40, 50], None, 60, false),
            (Some(50), &[51], Some(60), 60, false),
        ] {
            assert_eq!(
                fresh(written, sources, limit, now),
                expected,
                "{written:?} {sources:?} {limit:?} {now}"
            );
        }
    }
}
