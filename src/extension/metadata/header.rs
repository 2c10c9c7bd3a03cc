//! Comments at the top of a script: lines such as `# soong:summary: Say hello`, after any of the comment
//! signs `#`, `//`, `--`, `;`.

/// Bytes of a script to read.
pub const HEADER_SIZE: usize = 4096;

/// Comment signs of various languages.
const COMMENTS: [&str; 4] = ["#", "//", "--", ";"];
/// Prefix of an entry.
const MARK: &str = "soong:";

/// Keys and values in their order.
pub(super) type Entries = Vec<(String, String)>;

/// Returns the entries among the first lines of a script. Ignores an incomplete last line.
pub(super) fn entries(head: &[u8]) -> Entries {
    let head = &head[..head.len().min(HEADER_SIZE)];
    let end = if head.len() < HEADER_SIZE {
        head.len()
    } else {
        head.iter().rposition(|byte| *byte == b'\n').unwrap_or(0)
    };
    let text = String::from_utf8_lossy(&head[..end]);
    text.lines().filter_map(comment).filter_map(entry).collect()
}

/// Returns the entries of a text without comment signs: `soong:summary: …` or `summary: …`, one per line.
pub(super) fn entries_of_lines(text: &[u8]) -> Entries {
    let text = String::from_utf8_lossy(text);
    let lines = text.lines().map(|line| line.trim_matches(|c: char| c == '\0' || c.is_whitespace()));
    lines
        .filter(|line| !line.is_empty())
        .map(|line| {
            let line = line.strip_prefix(MARK).unwrap_or(line);
            let (key, value) = line.split_once(':').unwrap_or((line, ""));
            (key.trim().to_owned(), value.trim().to_owned())
        })
        .collect()
}

/// Returns the text of a comment; `None` for other lines.
fn comment(line: &str) -> Option<&str> {
    let line = line.trim_start();
    let sign = COMMENTS.into_iter().find(|sign| line.starts_with(sign))?;
    let first = sign.chars().next()?;
    Some(line.trim_start_matches(first).trim_start())
}

fn entry(comment: &str) -> Option<(String, String)> {
    let (key, value) = comment.strip_prefix(MARK)?.split_once(':')?;
    let plain = !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'));
    plain.then(|| (key.to_owned(), value.trim().to_owned()))
}
