//! Values of the options with which commands choose among offers.

use crate::config::money;

/// Parses an amount per hour, `2.50` or `$2.50`, into cents.
pub fn amount(text: &str) -> Result<u64, String> {
    let amount = text.strip_prefix('$').unwrap_or(text).parse().ok().and_then(money);
    amount.ok_or_else(|| "an amount per hour, such as 2.50".to_owned())
}

/// Parses a part of a list: a GPU, or a pattern of regions.
pub fn word(text: &str) -> Result<String, String> {
    if text.trim().is_empty() { Err("an empty name".to_owned()) } else { Ok(text.trim().to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_checked() {
        assert_eq!((amount("2.5"), amount("$3"), amount("0.01")), (Ok(250), Ok(300), Ok(1)));
        for text in ["0", "-1", "1.005", "nan", "inf", "", "$", "1e99"] {
            assert!(amount(text).is_err(), "{text}");
        }
        assert!(word(" ").is_err());
        assert_eq!(word(" H100 ").as_deref(), Ok("H100"));
    }
}
