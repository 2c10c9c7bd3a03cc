//! ssh's own options, as far as they have to be understood: telling an option from a word that
//! ssh would take for the host.

use crate::error::{Error, Result};
use crate::term::printable;

/// ssh's options that take no value (`ssh.c`, OpenSSH 7.6 to 10).
const FLAGS: &str = "1246afgkqstvxyACGKMNTVXYn";
/// ssh's options that take a value, in the same word or the next.
const WITH_VALUE: &str = "bceilmopBDEFIJLOPQRSwW";
/// Options that would make a tunnel's ssh do something else than carry the tunnel.
const NOT_FOR_TUNNELS: &str = "fGMNOQSVWs";

/// Makes sure that `words` are options of ssh that a tunnel can live with, and nothing but.
pub fn check(words: &[String]) -> Result<()> {
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let Some(letters) = word.strip_prefix('-').filter(|letters| !letters.is_empty() && *letters != "-")
        else {
            return Err(not_an_option(word));
        };
        for (index, letter) in letters.char_indices() {
            if NOT_FOR_TUNNELS.contains(letter) {
                return Err(at_fault(
                    &format!("-{letter} does not go with a tunnel"),
                    "take it out of ssh.options",
                ));
            }
            if WITH_VALUE.contains(letter) {
                let in_same_word = index + letter.len_utf8() < letters.len();
                if !in_same_word && words.next().is_none() {
                    return Err(at_fault(&format!("-{letter} has no value"), "write the value behind it"));
                }
                break;
            }
            if !FLAGS.contains(letter) {
                let message = format!("ssh has no option -{}", printable(&letter.to_string()));
                return Err(at_fault(&message, "see 'man ssh' for its options"));
            }
        }
    }
    Ok(())
}

fn not_an_option(word: &str) -> Error {
    let word = printable(word);
    let hint = if word.contains('=') {
        format!("write it as: -o {word}")
    } else {
        "write options only; the host belongs into [instances.NAME]".to_owned()
    };
    at_fault(&format!("'{word}' is not an option of ssh"), &hint)
}

fn at_fault(message: &str, hint: &str) -> Error {
    Error::failed(format!("ssh.options: {message}")).with_hint(hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(text: &str) -> std::result::Result<(), String> {
        check(&shell_words::split(text).unwrap()).map_err(|error| error.to_string())
    }

    #[test]
    fn options_with_and_without_values_pass() {
        for text in
            ["", "-C", "-o ProxyJump=b -C", "-oProxyJump=b", "-vC4", "-J 'a b' -6", "-vo Port=1", "-L 1:a:2"]
        {
            assert_eq!(verdict(text), Ok(()), "{text}");
        }
    }

    #[test]
    fn words_that_ssh_would_take_for_the_host_do_not() {
        for text in ["ProxyJump=b", "host", "-C host", "--", "-", "-o A=b host", ""] {
            if !text.is_empty() {
                assert!(verdict(text).is_err(), "{text}");
            }
        }
        assert!(verdict("-o").unwrap_err().contains("has no value"));
        assert!(verdict("-f").unwrap_err().contains("does not go with a tunnel"));
        assert!(verdict("-Z").unwrap_err().contains("no option -Z"));
    }
}
