//! The remote command of a session.
//!
//! ssh joins its words with spaces, and the login shell splits the line again. So several words are quoted
//! here and arrive unchanged; a single word is a command line for that shell, as with ssh itself.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

/// Returns the words for ssh that run `command`.
pub fn for_ssh(command: &[OsString]) -> Vec<OsString> {
    match command {
        [line] => vec![line.clone()],
        words => words.iter().map(|word| quoted(word)).collect(),
    }
}

/// Quotes `word` for a POSIX shell. Unlike shell-words, it accepts any bytes, as file names do.
pub fn quoted(word: &OsStr) -> OsString {
    let bytes = word.as_bytes();
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_./:=@%+,".contains(byte);
    // zsh expands a leading `=`.
    if !bytes.is_empty() && bytes[0] != b'=' && bytes.iter().all(plain) {
        return word.to_owned();
    }
    let mut quoted = vec![b'\''];
    for byte in bytes {
        match byte {
            b'\'' => quoted.extend_from_slice(b"'\\''"),
            byte => quoted.push(*byte),
        }
    }
    quoted.push(b'\'');
    OsString::from_vec(quoted)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn one_word_is_a_line_and_several_are_words() {
        let line = [OsString::from("cd /srv && ls *.log")];
        assert_eq!(for_ssh(&line), line);
        let words = ["sh", "-c", "exit 37", "", "it's"].map(OsString::from);
        assert_eq!(for_ssh(&words), ["sh", "-c", "'exit 37'", "''", "'it'\\''s'"]);
        assert!(for_ssh(&[]).is_empty());
    }

    #[test]
    fn bytes_that_are_no_text_stay() {
        let word = OsStr::from_bytes(b"\xff'\n\x01");
        assert_eq!(quoted(word).as_bytes(), b"'\xff'\\''\n\x01'");
    }

    proptest! {
        #[test]
        fn what_is_quoted_is_read_back(words in proptest::collection::vec("\\PC*|[\n\t'\"\\\\$`! ]*", 0..5)) {
            let quoted: Vec<String> =
                words.iter().map(|word| quoted(OsStr::new(word)).into_string().unwrap()).collect();
            prop_assert_eq!(shell_words::split(&quoted.join(" ")).unwrap(), words);
        }
    }
}
