//! Our Include line in the user's `ssh_config`: detection, insertion and removal. Pure functions of the
//! file's bytes.
//!
//! The line is at the top. Further down it would belong to the `Host` or `Match` above it.

use std::path::{Path, PathBuf};

use crate::openssh::quoting::in_config;

/// Comment before our line.
const MARK: &str = "# Hosts soong-NAME; 'soong ssh config --remove' removes this and the next line";
/// Comment before our line in a file that we created.
const MARK_OF_NEW_FILE: &str = "# Hosts soong-NAME; 'soong ssh config --remove' removes this file";

/// Returns the line that includes `file`.
pub fn line(file: &Path) -> String {
    // Puts pattern characters of `glob` into brackets.
    let literal = file.to_string_lossy().replace('[', "[[]").replace('*', "[*]").replace('?', "[?]");
    format!("Include {}", in_config(&literal))
}

/// Returns true if a line of `text` includes `file`; `expand` resolves the paths in it.
pub fn is_in(text: &[u8], file: &Path, expand: impl Fn(&str) -> PathBuf) -> bool {
    let ours = line(file);
    String::from_utf8_lossy(text).lines().map(str::trim).any(|line| {
        let ends = |c: char| c == '=' || c.is_ascii_whitespace();
        let Some((keyword, rest)) = line.split_once(ends) else { return false };
        let files = || shell_words::split(rest.trim_start_matches(ends)).unwrap_or_default();
        line == ours
            || keyword.eq_ignore_ascii_case("include") && files().iter().any(|name| expand(name) == file)
    })
}

/// Returns `text`, or a new file, with `file` included.
pub fn insert(text: Option<&[u8]>, file: &Path) -> Vec<u8> {
    let mark = if text.is_some() { MARK } else { MARK_OF_NEW_FILE };
    let mut result = format!("{mark}\n{}\n", line(file)).into_bytes();
    result.extend_from_slice(text.unwrap_or_default());
    result
}

/// Result of removing our lines.
#[derive(Debug, PartialEq, Eq)]
pub enum Remains {
    /// There were none.
    Unchanged,
    /// The file as it was before, to the byte.
    Text(Vec<u8>),
    /// No file: we had created it.
    Nothing,
}

/// Removes the lines of [`insert`] from `text`.
pub fn remove(text: &[u8], file: &Path) -> Remains {
    let ours = line(file);
    let mut left = Vec::with_capacity(text.len());
    let (mut changed, mut was_new) = (false, false);
    for line in text.split_inclusive(|byte| *byte == b'\n') {
        let bare = line.strip_suffix(b"\n").unwrap_or(line);
        let is_new = bare == MARK_OF_NEW_FILE.as_bytes();
        if is_new || bare == MARK.as_bytes() || bare == ours.as_bytes() {
            changed = true;
            was_new |= is_new;
        } else {
            left.extend_from_slice(line);
        }
    }
    match (changed, was_new && left.is_empty()) {
        (false, _) => Remains::Unchanged,
        (true, true) => Remains::Nothing,
        (true, false) => Remains::Text(left),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn file() -> &'static Path {
        Path::new("/home/u/.config/soong/ssh_config")
    }

    fn expand(name: &str) -> PathBuf {
        match name.strip_prefix("~/") {
            Some(rest) => Path::new("/home/u").join(rest),
            None => Path::new("/home/u/.ssh").join(name),
        }
    }

    #[test]
    fn the_line_stands_before_everything_else() {
        let text = insert(Some(b"Host *\n  User x\n"), file());
        let text = String::from_utf8(text).unwrap();
        assert_eq!(text, format!("{MARK}\nInclude /home/u/.config/soong/ssh_config\nHost *\n  User x\n"));
        assert_eq!(line(Path::new("/a b/[x]*")), "Include \"/a b/[[]x][*]\"");
    }

    #[test]
    fn it_is_found_however_it_is_written() {
        for text in [
            "Include /home/u/.config/soong/ssh_config",
            "Host *\n\tinclude ~/.config/soong/ssh_config\r\n",
            "INCLUDE=\"/home/u/.config/soong/ssh_config\"",
            "Include other ~/.config/soong/ssh_config",
            "Include ../.ssh/x ~/.config/soong/ssh_config",
        ] {
            assert!(is_in(text.as_bytes(), file(), expand), "{text}");
        }
        for text in
            ["", "# Include ~/.config/soong/ssh_config", "Include ~/.config/soong/other", "Include \"x"]
        {
            assert!(!is_in(text.as_bytes(), file(), expand), "{text}");
        }
        for odd in ["/a b/[x]*/ssh_config", "/a\"b'/\\x", "/ä"] {
            let odd = Path::new(odd);
            assert!(is_in(&insert(None, odd), odd, expand), "{}", odd.display());
        }
    }

    #[test]
    fn a_file_that_was_made_for_it_goes_with_it() {
        let text = insert(None, file());
        assert_eq!(remove(&text, file()), Remains::Nothing);
        let added = [&text[..], b"Host x\n"].concat();
        assert_eq!(remove(&added, file()), Remains::Text(b"Host x\n".to_vec()));
        assert_eq!(remove(&insert(Some(b""), file()), file()), Remains::Text(Vec::new()));
        assert_eq!(remove(b"Include other\n", file()), Remains::Unchanged);
    }

    proptest! {
        #[test]
        fn what_was_put_in_is_taken_out_to_the_byte(text: Vec<u8>) {
            let installed = insert(Some(&text), file());
            prop_assert!(is_in(&installed, file(), expand));
            prop_assert_eq!(remove(&installed, file()), Remains::Text(text));
        }
    }
}
