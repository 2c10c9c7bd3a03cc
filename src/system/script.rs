//! Scripts: the `#!` line, and scripts without one.
//!
//! The kernel does not execute a text without a `#!` line (`ENOEXEC`). A shell runs it with `/bin/sh`, as
//! does `execvp` of most C libraries.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::Path;

/// Shell for a text without a `#!` line.
pub const SHELL: &str = "/bin/sh";

/// Bytes of a file to inspect: as many as Linux reads of a `#!` line.
const HEAD: usize = 256;
/// First bytes of programs: ELF, and Mach-O in its byte orders.
const PROGRAMS: [&[u8]; 6] = [
    b"\x7fELF",
    b"\xfe\xed\xfa\xce",
    b"\xfe\xed\xfa\xcf",
    b"\xce\xfa\xed\xfe",
    b"\xcf\xfa\xed\xfe",
    b"\xca\xfe\xba\xbe",
];

/// Returns true for a file that a shell would run as a script: readable, and text.
pub fn is_text(file: &Path) -> bool {
    head(file).is_some_and(|head| !head.contains(&0) && !PROGRAMS.iter().any(|magic| head.starts_with(magic)))
}

/// Returns the text after `#!` in the first line of `file`; `None` without such a line.
pub fn interpreter(file: &Path) -> Option<String> {
    let head = head(file)?;
    let line = head.strip_prefix(b"#!")?.split(|byte| *byte == b'\n').next()?;
    Some(String::from_utf8_lossy(line).into_owned())
}

/// Returns true if the carriage return at the end of a `#!` line keeps the interpreter from being found: it
/// becomes part of the interpreter's name, or of the program's that `env` looks up.
pub fn names_carriage_return(interpreter: &str) -> bool {
    let mut words = interpreter.trim_start_matches([' ', '\t']).splitn(2, [' ', '\t']);
    let program = words.next().unwrap_or_default();
    interpreter.ends_with('\r') && (program.ends_with('\r') || program.ends_with("/env"))
}

/// Reads the first bytes of `file`, in one system call for regular files.
fn head(file: &Path) -> Option<Vec<u8>> {
    let mut head = vec![0; HEAD];
    let mut file = File::open(file).ok()?;
    let mut length = 0;
    while length < HEAD {
        match file.read(&mut head[length..]) {
            Ok(0) => break,
            Ok(count) => length += count,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => return None,
        }
    }
    head.truncate(length);
    Some(head)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_told_from_programs() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("x");
        for (bytes, text) in [
            (&b"echo hello\n"[..], true),
            (b"", true),
            (b"#!/bin/sh\n", true),
            (b"\xef\xbb\xbfecho", true),
            (b"\x7fELF but not really", false),
            (b"echo\0", false),
            (b"\xcf\xfa\xed\xfe\x07", false),
        ] {
            std::fs::write(&file, bytes).unwrap();
            assert_eq!(is_text(&file), text, "{}", bytes.escape_ascii());
        }
        assert!(!is_text(Path::new("/nonexistent")));
    }

    #[test]
    fn a_carriage_return_counts_where_it_becomes_part_of_a_name() {
        for (line, named) in [
            ("/bin/sh\r", true),
            (" /bin/sh\r", true),
            ("/usr/bin/env python3\r", true),
            ("/usr/bin/env -S python3 -u\r", true),
            ("/usr/bin/perl -w\r", false),
            ("/bin/sh", false),
            ("/usr/bin/env python3", false),
            ("", false),
        ] {
            assert_eq!(names_carriage_return(line), named, "{line:?}");
        }
    }
}
