//! Byte counts for people.

/// Returns `bytes` with a decimal unit: `0 B`, `1.2 kB`, `34 MB`.
pub fn human(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["kB", "MB", "GB", "TB", "PB"];
    if bytes < 1000 {
        return format!("{bytes} B");
    }
    // In tenths, so that rounding needs no floating point.
    let mut tenths = u128::from(bytes) / 100;
    for unit in UNITS {
        if tenths < 100 {
            return format!("{}.{} {unit}", tenths / 10, tenths % 10);
        }
        if tenths < 10_000 || unit == UNITS[UNITS.len() - 1] {
            return format!("{} {unit}", tenths / 10);
        }
        tenths /= 1000;
    }
    format!("{bytes} B")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_shown_short() {
        for (bytes, text) in [
            (0, "0 B"),
            (999, "999 B"),
            (1000, "1.0 kB"),
            (9_999, "9.9 kB"),
            (34_567, "34 kB"),
            (999_999, "999 kB"),
            (1_200_000, "1.2 MB"),
            (5_000_000_000, "5.0 GB"),
            (u64::MAX, "18446 PB"),
        ] {
            assert_eq!(human(bytes), text);
        }
    }
}
