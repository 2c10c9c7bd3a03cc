//! Summary in a manual page: the line under NAME, as `whatis` shows it. Supports man(7) and mdoc(7), plain or
//! gzip-compressed.

use std::io::Read;
use std::path::Path;

use flate2::read::GzDecoder;

use super::file::{open, read_at};

/// Bytes of a page to read: generators write a few thousand before NAME.
const SIZE_MAX: usize = 32 << 10;
/// Sections for commands.
const SECTIONS: [&str; 3] = ["1", "8", "7"];

/// Returns the summary of the page `page` installed under `prefix`.
pub(super) fn summary(prefix: &Path, page: &str) -> Option<String> {
    SECTIONS.iter().find_map(|section| {
        let directory = prefix.join(format!("share/man/man{section}"));
        let plain =
            open(&directory.join(format!("{page}.{section}"))).ok().map(|file| read_at(&file, 0, SIZE_MAX));
        let bytes = plain.or_else(|| {
            let file = open(&directory.join(format!("{page}.{section}.gz"))).ok()?;
            let mut bytes = Vec::new();
            // Whatever was unpacked before an error or the limit is enough.
            let _ = GzDecoder::new(file.take(SIZE_MAX as u64)).take(SIZE_MAX as u64).read_to_end(&mut bytes);
            Some(bytes)
        })?;
        name_line(&String::from_utf8_lossy(&bytes))
    })
}

/// Returns the text after the dash in the section NAME.
fn name_line(page: &str) -> Option<String> {
    let mut lines = page.lines().skip_while(|line| !is_name_heading(line)).skip(1);
    let mut text = String::new();
    for line in lines.by_ref().take(12) {
        if let Some(description) = line.strip_prefix(".Nd") {
            return Some(plain(description)).filter(|text| !text.is_empty());
        }
        if line.starts_with(".SH") || line.starts_with(".Sh") {
            break;
        }
        // Requests set the text in a font or name something for an index.
        let words = match line.strip_prefix('.') {
            Some(request) => {
                request.split_once(' ').filter(|(name, _)| matches!(*name, "B" | "I" | "BR" | "IR" | "RB"))
            }
            None => Some(("", line)),
        };
        if let Some((_, words)) = words {
            text.push_str(words);
            text.push(' ');
        }
    }
    let behind =
        [" \\- ", " \\(em ", " \\[em] ", " - ", " – "].iter().find_map(|dash| text.split_once(dash))?.1;
    Some(plain(behind)).filter(|text| !text.is_empty())
}

fn is_name_heading(line: &str) -> bool {
    let heading = line.strip_prefix(".SH").or_else(|| line.strip_prefix(".Sh"));
    heading.is_some_and(|title| title.trim().trim_matches('"').eq_ignore_ascii_case("name"))
}

/// Returns `text` without the roff escapes that occur in summaries.
fn plain(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text.trim().trim_matches('"').chars();
    while let Some(c) = rest.next() {
        if c != '\\' {
            plain.push(c);
            continue;
        }
        match rest.next() {
            Some('-') => plain.push('-'),
            Some('e') => plain.push('\\'),
            // \fB, \f(CW, \f[B]: a font.
            Some('f') => match rest.next() {
                Some('(') => drop(rest.by_ref().nth(1)),
                Some('[') => drop(rest.by_ref().find(|c| *c == ']')),
                _ => {}
            },
            // \(aq and the like: a character by its name.
            Some('(') => {
                let name: String = rest.by_ref().take(2).collect();
                plain.push_str(match name.as_str() {
                    "aq" | "oq" | "cq" => "'",
                    "dq" | "lq" | "rq" => "\"",
                    "em" | "en" => "–",
                    _ => "",
                });
            }
            Some('&' | '|' | '^' | '/' | ',' | '%' | ':') | None => {}
            Some(other) => plain.push(other),
        }
    }
    plain.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_languages_of_manual_pages_are_understood() {
        for (page, expected) in [
            (
                ".TH X 1\n.SH NAME\nsoong\\-x \\- say \\fBhello\\fR, don\\(aqt\n.SH SYNOPSIS\nno",
                Some("say hello, don't"),
            ),
            (".TH X 1\n.SH \"NAME\"\n.B soong-x\n\\- say\nhello\n.SH X", Some("say hello")),
            (".Dd now\n.Sh NAME\n.Nm soong-x\n.Nd say hello\n.Sh X", Some("say hello")),
            (".SH NAME\nsoong-x - say hello", Some("say hello")),
            (".SH NAME\n.SH SYNOPSIS\na \\- b", None),
            (".SH NAME\nno dash", None),
            ("", None),
            (".SH NAME\n.Nd\n", None),
            (".SH NAME\nx \\- \\f[", None),
        ] {
            assert_eq!(name_line(page).as_deref(), expected, "{page}");
        }
    }
}
