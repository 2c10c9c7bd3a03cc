//! The file of the ledger: lines are appended under a lock and synced; unreadable lines stay and are reported.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use nix::unistd::geteuid;

use super::entry::Entry;
use super::history::History;
use crate::error::{Error, Result};
use crate::system::lock::{WRITER_PATIENCE, lock};
use crate::system::paths::Paths;

/// Largest file, in bytes: some 200,000 events.
const SIZE_MAX: u64 = 64 << 20;
/// Longest line, in bytes.
const LINE_MAX: usize = 64 << 10;
/// Bytes to read at a time.
const BUFFER: usize = 64 << 10;
/// Mode of the file.
const MODE: u32 = 0o600;

/// The ledger as it was read, to be used later if it has not changed.
#[derive(Debug)]
pub struct Snapshot {
    path: PathBuf,
    /// Length of the file, in bytes, and its contents.
    read: Result<(u64, History)>,
}

impl Snapshot {
    /// Reads the ledger.
    pub fn read(paths: &Paths) -> Self {
        Self::of(paths.ledger())
    }

    fn of(path: PathBuf) -> Self {
        Self { read: read_measured(&path), path }
    }

    /// Returns the ledger as it is now. Reads it again if it has grown: it is never rewritten.
    pub fn renewed(self) -> Result<History> {
        let (length, history) = self.read?;
        let length_now = fs::symlink_metadata(&self.path).map_or(0, |metadata| metadata.len());
        if length_now == length {
            return Ok(history);
        }
        read_measured(&self.path).map(|(_, history)| history)
    }
}

/// Reads the ledger. A missing file counts as empty.
pub fn read(paths: &Paths) -> Result<History> {
    read_measured(&paths.ledger()).map(|(_, history)| history)
}

/// Reads the ledger, with the number of its bytes.
fn read_measured(path: &Path) -> Result<(u64, History)> {
    let file = match open(path, OpenOptions::new().read(true)) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok((0, History::default())),
        Err(error) => return Err(Error::io("read", path, error)),
    };
    let mut history = History::default();
    let add = |number: usize, line: &[u8]| {
        if line.iter().all(u8::is_ascii_whitespace) {
            return;
        }
        match parse(line) {
            Some(entry) => history.add(entry),
            None => history.unreadable.push(number),
        }
    };
    let length = for_each_line(file, add).map_err(|error| Error::io("read", path, error))?;
    Ok((length, history))
}

/// Calls `act` for each line, with its number. Returns the number of bytes.
fn for_each_line(file: impl Read, mut act: impl FnMut(usize, &[u8])) -> io::Result<u64> {
    let mut file = BufReader::with_capacity(BUFFER, file.take(SIZE_MAX + 1));
    let (mut line, mut length) = (Vec::new(), 0);
    for number in 1.. {
        line.clear();
        let count = file.read_until(b'\n', &mut line)?;
        length += count as u64;
        if length > SIZE_MAX {
            return Err(io::Error::other("larger than 64 MiB"));
        }
        if count == 0 {
            break;
        }
        act(number, line.strip_suffix(b"\n").unwrap_or(&line));
    }
    Ok(length)
}

fn parse(line: &[u8]) -> Option<Entry> {
    if line.len() > LINE_MAX { None } else { serde_json::from_slice(line).ok() }
}

/// Appends entries. They are on disk when it returns.
pub fn append(paths: &Paths, entries: &[Entry]) -> Result<()> {
    update(paths, |_| entries.to_vec()).map(drop)
}

/// Appends the entries that `decide` derives from the ledger, without another writer in between. Returns the
/// ledger with them.
pub fn update(paths: &Paths, decide: impl FnOnce(&History) -> Vec<Entry>) -> Result<History> {
    paths.ensure_state()?;
    let _lock = lock(&paths.ledger_lock(), WRITER_PATIENCE)?;
    let mut history = read(paths)?;
    let entries = decide(&history);
    if !entries.is_empty() {
        let path = paths.ledger();
        write(&path, &entries).map_err(|error| Error::io("write", &path, error))?;
    }
    for entry in entries {
        history.add(entry);
    }
    Ok(history)
}

fn write(path: &Path, entries: &[Entry]) -> io::Result<()> {
    let is_new = fs::symlink_metadata(path).is_err();
    let mut file = open(path, OpenOptions::new().read(true).append(true).create(true))?;
    if file.metadata()?.mode() & 0o777 != MODE {
        file.set_permissions(Permissions::from_mode(MODE))?;
    }
    let mut text = String::new();
    // A line that a crash cut short must not run into this one.
    if !ends_with_newline(&file)? {
        text.push('\n');
    }
    for entry in entries {
        text.push_str(&serde_json::to_string(entry).map_err(io::Error::other)?);
        text.push('\n');
    }
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    if let (true, Some(directory)) = (is_new, path.parent()) {
        File::open(directory)?.sync_all()?;
    }
    Ok(())
}

fn ends_with_newline(file: &File) -> io::Result<bool> {
    use std::os::unix::fs::FileExt;
    let length = file.metadata()?.len();
    let mut last = [0];
    Ok(length == 0 || (file.read_at(&mut last, length - 1)? == 1 && last[0] == b'\n'))
}

/// Opens the file; refuses links, special files and files of other users.
fn open(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
    let file = options.mode(MODE).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK).open(path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() || metadata.uid() != geteuid().as_raw() {
        return Err(io::ErrorKind::PermissionDenied.into());
    }
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::super::entry::Event;
    use super::*;

    fn write_to(path: &Path, names: &[&str]) {
        let entry = |name: &&str| Entry::new(1, Event::Seen, "x").about(Some(name), None);
        write(path, &names.iter().map(entry).collect::<Vec<_>>()).unwrap();
    }

    fn ids(path: &Path) -> Vec<Option<String>> {
        let mut ids = Vec::new();
        let file = open(path, OpenOptions::new().read(true)).unwrap();
        for_each_line(file, |_, line| ids.push(parse(line).and_then(|entry| entry.id))).unwrap();
        ids
    }

    #[test]
    fn a_cut_line_stays_and_the_next_one_is_whole() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("ledger.jsonl");
        write_to(&path, &["a", "b"]);
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, MODE);
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, &text[..text.len() - 9]).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
        write_to(&path, &["c"]);
        let some = |id: &str| Some(id.to_owned());
        assert_eq!(ids(&path), [some("a"), None, some("c")]);
        assert!(fs::read_to_string(&path).unwrap().starts_with(&text[..text.len() - 9]), "nothing is lost");
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, MODE);
    }

    #[test]
    fn lines_are_numbered_and_measured() {
        for (text, expected) in
            [("", &[][..]), ("a", &["a"]), ("a\n\nb\r\n", &["a", "", "b\r"]), ("\n", &[""])]
        {
            let mut lines = Vec::new();
            let length = for_each_line(text.as_bytes(), |number, line| {
                lines.push((number, str::from_utf8(line).unwrap().to_owned()));
            });
            assert_eq!(length.unwrap(), text.len() as u64);
            let expected: Vec<(usize, String)> =
                (1..).zip(expected.iter().map(|line| (*line).to_owned())).collect();
            assert_eq!(lines, expected, "{text:?}");
        }
    }

    #[test]
    fn a_ledger_without_an_end_is_refused() {
        let error = for_each_line(io::repeat(b'x'), |_, _| {}).unwrap_err();
        assert_eq!(error.to_string(), "larger than 64 MiB");
    }

    #[test]
    fn a_ledger_that_was_read_early_is_read_again_if_it_has_grown() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("ledger.jsonl");
        let count = |snapshot: Snapshot| snapshot.renewed().unwrap().stays.len();
        let none = Snapshot::of(path.clone());
        write_to(&path, &["a"]);
        assert_eq!(count(none), 1);
        let one = Snapshot::of(path.clone());
        assert_eq!(count(Snapshot::of(path.clone())), 1);
        write_to(&path, &["b"]);
        assert_eq!(count(one), 2);
    }

    #[test]
    fn a_line_is_one_line_and_short() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("ledger.jsonl");
        let entry = Entry::new(1, Event::Ended, "x").about(Some("a"), Some("n\n\u{1b}")).because("r\n{");
        write(&path, std::slice::from_ref(&entry)).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(text.lines().count(), 1, "{text}");
        assert_eq!(parse(text.trim_end().as_bytes()), Some(entry));
        let long = format!("{{\"time\":1,\"event\":\"seen\",\"provider\":\"{}\"}}", "x".repeat(LINE_MAX));
        assert_eq!(parse(long.as_bytes()), None);
        for hostile in
            [&b"\xff\xfe"[..], b"{}", b"[]", b"null", b"{\"time\":-1,\"event\":\"seen\",\"provider\":\"x\"}"]
        {
            assert_eq!(parse(hostile), None, "{hostile:?}");
        }
        assert!(parse(b"{\"time\":1,\"event\":\"sold\",\"provider\":\"x\"}").is_none(), "of a later version");
    }

    #[test]
    fn links_and_special_files_are_refused() {
        let directory = tempfile::tempdir().unwrap();
        let [path, link] = ["ledger.jsonl", "link"].map(|name| directory.path().join(name));
        std::os::unix::fs::symlink(&path, &link).unwrap();
        assert!(write(&link, &[]).is_err() && read_measured(&link).is_err());
        nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
        assert!(read_measured(&path).is_err());
    }
}
