//! Log of a tunnel: the supervisor's actions and ssh's messages, with times.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use humantime::{format_rfc3339_seconds, parse_rfc3339};

use crate::error::{Error, Result};
use crate::system::paths::create_private;
use crate::terminal::printable;

/// Size at which a log is rotated, in bytes. One older log is kept.
const SIZE_MAX: u64 = 1 << 20;

/// A log.
#[derive(Debug)]
pub struct Log {
    path: PathBuf,
    file: Mutex<Option<File>>,
}

impl Log {
    /// Returns the log at `path`.
    pub fn new(path: PathBuf) -> Self {
        Self { path, file: Mutex::default() }
    }

    /// Opens the file and reports failures. Later writes try again.
    pub fn open(&self) -> Result<()> {
        let file = append_to(&self.path).map_err(|error| Error::io("open", &self.path, error))?;
        *self.file.lock().unwrap_or_else(PoisonError::into_inner) = Some(file);
        Ok(())
    }

    /// Returns the lines of the last `span`, from the end of the file.
    pub fn recent(&self, span: Duration) -> Vec<String> {
        const LENGTH: u64 = 64 << 10;
        let end = || -> std::io::Result<Vec<u8>> {
            let mut file = File::open(&self.path)?;
            let length = file.metadata()?.len();
            file.seek(SeekFrom::Start(length.saturating_sub(LENGTH)))?;
            let mut bytes = Vec::new();
            file.take(LENGTH).read_to_end(&mut bytes)?;
            Ok(bytes)
        };
        let since = SystemTime::now() - span;
        let text = String::from_utf8_lossy(&end().unwrap_or_default()).into_owned();
        let lines = text.lines().filter_map(|line| line.split_once(' '));
        let recent = lines.filter(|(time, _)| parse_rfc3339(time).is_ok_and(|time| time >= since));
        recent.map(|(_, text)| text.to_owned()).collect()
    }

    /// Writes a line. Failures, such as a full disk, must not stop a tunnel: the line is lost, and the next
    /// write tries again.
    pub fn write(&self, text: &str) {
        let mut slot = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let metadata = slot.as_ref().and_then(|file| file.metadata().ok());
        // Not open yet, or deleted, perhaps with its directory.
        if metadata.as_ref().is_none_or(|metadata| metadata.nlink() == 0) {
            let _ = self.path.parent().map(create_private);
            *slot = append_to(&self.path).ok();
        }
        let metadata = slot.as_ref().and_then(|file| file.metadata().ok());
        if metadata.is_some_and(|metadata| metadata.len() > SIZE_MAX) {
            let _ = fs::rename(&self.path, self.path.with_extension("log.1"));
            *slot = append_to(&self.path).ok();
        }
        if let Some(file) = slot.as_mut() {
            let _ = file.write_all(
                format!("{} {}\n", format_rfc3339_seconds(SystemTime::now()), printable(text)).as_bytes(),
            );
        }
    }
}

/// Opens the log `path` for appending, readable by this user only. Does not follow links.
pub fn append_to(path: &Path) -> std::io::Result<File> {
    let mut options = OpenOptions::new();
    options.create(true).append(true).mode(0o600);
    let file = options.custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK).open(path)?;
    // Earlier versions used the umask.
    if file.metadata()?.mode() & 0o077 != 0 {
        file.set_permissions(Permissions::from_mode(0o600))?;
    }
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_that_was_deleted_is_there_again_at_the_next_line() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("logs/x.log");
        fs::create_dir(path.parent().unwrap()).unwrap();
        let log = Log::new(path.clone());
        log.write("one");
        fs::remove_dir_all(path.parent().unwrap()).unwrap();
        log.write("two");
        assert!(fs::read_to_string(&path).unwrap().ends_with("Z two\n"));
    }

    #[test]
    fn a_log_that_cannot_be_opened_is_tried_again_at_each_line() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x.log");
        // Not even root can open a directory for writing.
        fs::create_dir(&path).unwrap();
        let log = Log::new(path.clone());
        assert!(log.open().unwrap_err().to_string().contains("x.log"));
        log.write("one");
        assert!(path.is_dir(), "it stays where it is");
        fs::remove_dir(&path).unwrap();
        log.write("two");
        assert!(fs::read_to_string(&path).unwrap().ends_with("Z two\n"));
    }

    #[test]
    fn a_log_is_put_aside_when_it_is_full() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x.log");
        fs::write(&path, vec![b'x'; 1 + usize::try_from(SIZE_MAX).unwrap()]).unwrap();
        let log = Log::new(path.clone());
        log.write("one\u{1b}[31m");
        assert!(fs::read_to_string(&path).unwrap().ends_with("Z one\\u{1b}[31m\n"));
        assert!(fs::metadata(directory.path().join("x.log.1")).unwrap().len() > SIZE_MAX);
    }
    #[test]
    fn what_was_written_lately_is_known() {
        let directory = tempfile::tempdir().unwrap();
        let log = Log::new(directory.path().join("x.log"));
        assert!(log.recent(Duration::from_secs(60)).is_empty());
        fs::write(&log.path, "no time\n2001-01-01T00:00:00Z old\n").unwrap();
        log.write("new one");
        assert_eq!(log.recent(Duration::from_secs(60)), ["new one"]);
    }
}
