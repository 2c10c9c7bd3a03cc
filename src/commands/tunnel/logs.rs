//! `soong tunnel logs`.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;

use super::arguments::LogsArguments;
use super::choice;
use crate::command_line;
use crate::config::instance;
use crate::error::{Error, Result};
use crate::runtime::registry::{self, Survey};
use crate::system::paths::Paths;
use crate::terminal::printable;

/// Interval of checks with --follow.
const INTERVAL: Duration = Duration::from_millis(250);

/// Prints the last lines of a log, and new lines with --follow.
pub fn logs(arguments: &LogsArguments, paths: &Paths) -> Result<()> {
    let wanted = arguments.which.wanted()?;
    let mut survey = registry::survey(paths)?;
    let path = choose(wanted, &mut survey, paths)?;
    let refused = |error: io::Error| Error::io("read", &path, error);
    let mut follower = Follower::open(&path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => no_log(wanted, &survey, paths),
        _ => refused(error),
    })?;
    let text = follower.read().map_err(refused)?;
    show(last_lines(&text, arguments.lines))?;
    if !arguments.follow {
        return Ok(());
    }
    loop {
        sleep(INTERVAL);
        show(&follower.read().map_err(refused)?)?;
    }
}

/// Returns the log of the named instance, else that of the only running tunnel, else the most recent one.
fn choose(wanted: Option<&str>, survey: &mut Survey, paths: &Paths) -> Result<PathBuf> {
    if let Some(wanted) = wanted {
        let name = choice::name_of(wanted, survey, paths);
        return Ok(paths.log(&instance::tunnel_name(name.as_deref().unwrap_or(wanted))));
    }
    if let Some(state) = survey.take(None)?.and_then(|running| running.state) {
        return Ok(paths.log(&instance::tunnel_name(&state.instance.name)));
    }
    latest(&paths.logs())
        .ok_or_else(|| Error::failed("no logs yet").with_hint("start a tunnel: soong tunnel start"))
}

fn no_log(wanted: Option<&str>, survey: &Survey, paths: &Paths) -> Error {
    let unknown = wanted.and_then(|wanted| choice::unknown(wanted, survey, paths));
    let error = unknown.unwrap_or_else(|| Error::failed("no log of this tunnel"));
    error.with_hint(format!("logs are kept in {}", paths.logs().display()))
}

fn latest(directory: &Path) -> Option<PathBuf> {
    let logs = fs::read_dir(directory).ok()?.flatten().map(|entry| entry.path());
    logs.filter(|path| path.extension().is_some_and(|ending| ending == "log"))
        .max_by_key(|path| fs::metadata(path).and_then(|metadata| metadata.modified()).ok())
}

/// Returns the last `count` lines of `text`.
fn last_lines(text: &str, count: usize) -> &str {
    let start = text.trim_end_matches('\n').rmatch_indices('\n').nth(count.saturating_sub(1));
    match start {
        _ if count == 0 => "",
        Some((at, _)) => &text[at + 1..],
        None => text,
    }
}

fn show(text: &str) -> Result<()> {
    // Logged text is printable, but the file can have been edited.
    let text: String =
        text.split_inclusive('\n').map(|line| printable(line.trim_end_matches('\n')) + "\n").collect();
    command_line::print(&text)
}

/// Follows a growing file, and its successor after a rotation.
#[derive(Debug)]
struct Follower {
    path: PathBuf,
    file: File,
    identity: (u64, u64),
}

impl Follower {
    fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let metadata = file.metadata()?;
        Ok(Self { path: path.to_owned(), identity: (metadata.dev(), metadata.ino()), file })
    }

    /// Returns the lines added since the last call; incomplete lines wait for the next.
    fn read(&mut self) -> io::Result<String> {
        let mut text = self.whole_lines()?;
        let replaced =
            fs::metadata(&self.path).is_ok_and(|metadata| (metadata.dev(), metadata.ino()) != self.identity);
        if replaced {
            *self = Self::open(&self.path)?;
            text += &self.whole_lines()?;
        }
        Ok(text)
    }

    fn whole_lines(&mut self) -> io::Result<String> {
        let begin = self.file.stream_position()?;
        if self.file.metadata()?.len() < begin {
            self.file.seek(SeekFrom::Start(0))?;
        }
        let mut bytes = Vec::new();
        self.file.read_to_end(&mut bytes)?;
        let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let rest = i64::try_from(bytes.len() - whole).map_err(io::Error::other)?;
        self.file.seek(SeekFrom::Current(-rest))?;
        bytes.truncate(whole);
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn the_last_lines_are_counted_from_the_end() {
        assert_eq!(last_lines("a\nb\nc\n", 2), "b\nc\n");
        assert_eq!(last_lines("a\nb\nc\n", 9), "a\nb\nc\n");
        assert_eq!(last_lines("a\n", 0), "");
        assert_eq!(last_lines("", 3), "");
    }

    #[test]
    fn a_file_is_followed_into_the_one_that_replaces_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x.log");
        let mut file = File::create(&path).unwrap();
        file.write_all(b"one\ntw").unwrap();
        let mut follower = Follower::open(&path).unwrap();
        assert_eq!(follower.read().unwrap(), "one\n");
        file.write_all(b"o\n").unwrap();
        assert_eq!(follower.read().unwrap(), "two\n");
        assert_eq!(follower.read().unwrap(), "");
        file.write_all(b"three\n").unwrap();
        fs::rename(&path, directory.path().join("x.log.1")).unwrap();
        fs::write(&path, "four\n").unwrap();
        assert_eq!(follower.read().unwrap(), "three\nfour\n");
    }
}
