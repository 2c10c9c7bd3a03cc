//! Patterns of regions, as users type them.

/// Returns true if `text` fits `pattern`, in which each `*` stands for any text.
pub fn matches(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(rest) = parts.next().and_then(|first| text.strip_prefix(first)) else { return false };
    let parts: Vec<&str> = parts.collect();
    let Some((last, middle)) = parts.split_last() else { return rest.is_empty() };
    let mut rest = rest;
    for part in middle {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_stand_for_any_text() {
        for (pattern, text, expected) in [
            ("us-west-1", "us-west-1", true),
            ("us-west-1", "us-west-10", false),
            ("us-*", "us-west-1", true),
            ("*-1", "us-west-1", true),
            ("us*1", "us1", true),
            ("u*w*1", "us-west-1", true),
            ("*x*", "us-west-1", false),
            ("*", "", true),
            ("", "us", false),
            ("*ü*", "größer-über", true),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
    }
}
