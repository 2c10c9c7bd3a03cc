//! Makes foreign text harmless: characters that control the terminal, reorder text or hide become visible.

use std::borrow::Cow;
use std::fmt::Write as _;

/// Returns `text` with control characters (C0, C1, DEL) and characters that reorder or hide text as `\u{…}`
/// escapes. Use it for all text from outside this crate.
pub fn printable(text: &str) -> Cow<'_, str> {
    if is_plain(text, b"") {
        Cow::Borrowed(text)
    } else if text.chars().any(acts_on_terminal) {
        Cow::Owned(text.chars().map(escape).collect())
    } else {
        Cow::Borrowed(text)
    }
}

/// Returns the beginning of `text`, made printable: enough to recognise a word of a command line.
pub fn excerpt(text: &str) -> String {
    const CHARACTERS: usize = 80;
    let mut begin: String = text.chars().take(CHARACTERS).collect();
    if begin.len() < text.len() {
        begin.push('…');
    }
    printable(&begin).into_owned()
}

/// Returns JSON with such characters as JSON escapes. The meaning stays the same: they occur in strings only,
/// except for line ends, which stay.
pub fn printable_json(json: &str) -> Cow<'_, str> {
    let acts = |c: char| acts_on_terminal(c) && c != '\n';
    if is_plain(json, b"\n") || !json.chars().any(acts) {
        return Cow::Borrowed(json);
    }
    let mut escaped = String::with_capacity(json.len());
    for c in json.chars() {
        if acts(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                let _ = write!(escaped, "\\u{unit:04x}");
            }
        } else {
            escaped.push(c);
        }
    }
    Cow::Owned(escaped)
}

/// Returns true if all of `text` is printable ASCII or in `allowed`: most text, and quick to see.
fn is_plain(text: &str, allowed: &[u8]) -> bool {
    let are_plain =
        |bytes: &[u8]| bytes.iter().all(|byte| matches!(byte, b' '..=b'~') || allowed.contains(byte));
    let (words, rest) = text.as_bytes().as_chunks();
    words.iter().all(|word| is_printable_ascii(*word) || are_plain(word)) && are_plain(rest)
}

/// Returns true if all bytes are printable ASCII. Looks at them at once: lists can have megabytes.
fn is_printable_ascii(bytes: [u8; 8]) -> bool {
    const EACH: u64 = 0x0101_0101_0101_0101;
    let word = u64::from_ne_bytes(bytes);
    // The highest bit of a byte becomes set below a space, and above '~'; while all are between, none borrows from the
    // next one, and none carries.
    (word | word.wrapping_sub(0x20 * EACH) | word.wrapping_add(EACH)) & (0x80 * EACH) == 0
}

fn escape(c: char) -> String {
    if acts_on_terminal(c) { c.escape_default().to_string() } else { c.to_string() }
}

fn acts_on_terminal(c: char) -> bool {
    c.is_control() || HIDDEN.iter().any(|(first, last)| (*first..=*last).contains(&c))
}

/// Invisible characters and those that change how others are shown: general categories Cf, Zl and Zp, and
/// Default_Ignorable_Code_Point, which also reserves code points for later versions (Unicode 16,
/// `UnicodeData.txt` and `DerivedCoreProperties.txt`). Sorted.
const HIDDEN: &[(char, char)] = &[
    ('\u{ad}', '\u{ad}'),
    ('\u{34f}', '\u{34f}'),
    ('\u{600}', '\u{605}'),
    ('\u{61c}', '\u{61c}'),
    ('\u{6dd}', '\u{6dd}'),
    ('\u{70f}', '\u{70f}'),
    ('\u{890}', '\u{891}'),
    ('\u{8e2}', '\u{8e2}'),
    ('\u{115f}', '\u{1160}'),
    ('\u{17b4}', '\u{17b5}'),
    ('\u{180b}', '\u{180f}'),
    ('\u{200b}', '\u{200f}'),
    ('\u{2028}', '\u{202e}'),
    ('\u{2060}', '\u{206f}'),
    ('\u{3164}', '\u{3164}'),
    ('\u{fe00}', '\u{fe0f}'),
    ('\u{feff}', '\u{feff}'),
    ('\u{ffa0}', '\u{ffa0}'),
    ('\u{fff0}', '\u{fffb}'),
    ('\u{110bd}', '\u{110bd}'),
    ('\u{110cd}', '\u{110cd}'),
    ('\u{13430}', '\u{1343f}'),
    ('\u{1bca0}', '\u{1bca3}'),
    ('\u{1d173}', '\u{1d17a}'),
    ('\u{e0000}', '\u{e0fff}'),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_text_is_not_copied() {
        assert!(matches!(printable("gpu-1 (größer)"), Cow::Borrowed(_)));
    }

    #[test]
    fn bytes_are_plain_wherever_they_stand() {
        for byte in 0..=u8::MAX {
            for place in 0..8 {
                let mut bytes = *b" ~ ~ ~ ~";
                bytes[place] = byte;
                assert_eq!(is_printable_ascii(bytes), matches!(byte, b' '..=b'~'), "{byte} at {place}");
            }
        }
        assert!(is_plain("{\n  \"a\": 1,\n  \"b\": 2\n}\n", b"\n") && !is_plain("12345678\t", b"\n"));
    }

    #[test]
    fn json_says_the_same_without_acting_on_a_terminal() {
        let text = "a\u{1b}[2J\u{9b}31m\u{7f}\u{202e}größer\n";
        let json = serde_json::to_string(text).unwrap();
        let shown = printable_json(&json);
        assert_eq!(shown, r#""a\u001b[2J\u009b31m\u007f\u202egrößer\n""#);
        assert_eq!(serde_json::from_str::<String>(&shown).unwrap(), text);
    }

    #[test]
    fn what_acts_on_a_terminal_is_shown_instead() {
        assert_eq!(printable("a\u{1b}]0;x\u{7}b"), "a\\u{1b}]0;x\\u{7}b");
        assert_eq!(printable("line\nbreak"), "line\\nbreak");
        assert_eq!(printable("\u{202e}gpj"), "\\u{202e}gpj");
        assert_eq!(printable("\u{9b}31m"), "\\u{9b}31m");
    }

    #[test]
    fn what_hides_or_reorders_text_is_shown_instead() {
        // One of each kind: soft hyphen, joiners, Arabic and Mongolian marks, directions, fillers,
        // variation selectors, byte order mark, annotations, shorthand, music, tags.
        for c in [
            '\u{ad}',
            '\u{34f}',
            '\u{61c}',
            '\u{115f}',
            '\u{180e}',
            '\u{200b}',
            '\u{200d}',
            '\u{200f}',
            '\u{2028}',
            '\u{202a}',
            '\u{202e}',
            '\u{2060}',
            '\u{2066}',
            '\u{206a}',
            '\u{3164}',
            '\u{fe0f}',
            '\u{feff}',
            '\u{fff9}',
            '\u{1bca0}',
            '\u{1d173}',
            '\u{e0001}',
            '\u{e0041}',
            '\u{e007f}',
            '\u{e0100}',
        ] {
            let text = format!("a{c}b");
            assert_eq!(printable(&text), format!("a\\u{{{:x}}}b", u32::from(c)));
            let json = serde_json::to_string(&text).unwrap();
            let shown = printable_json(&json);
            assert!(shown.is_ascii() && shown != json, "{shown}");
            assert_eq!(serde_json::from_str::<String>(&shown).unwrap(), text);
        }
        for text in ["größer", "日本語", "עברית", "عربي", "e\u{301}", "🚀", "→ …"] {
            assert!(matches!(printable(text), Cow::Borrowed(_)), "{text}");
        }
        assert!(HIDDEN.windows(2).all(|pair| pair[0].1 < pair[1].0), "in order");
    }
}
