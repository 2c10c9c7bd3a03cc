//! "Did you mean": the names most similar to an unknown one.

use crate::error::Error;
use crate::terminal::{excerpt, printable};

/// Returns at most three of `candidates` similar to `wanted`, closest first.
///
/// Similarity is Jaro–Winkler with clap's threshold; a candidate that `wanted` abbreviates always counts.
pub fn nearest<'a>(wanted: &str, candidates: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    const THRESHOLD: f64 = 0.7;
    let mut scored: Vec<(f64, &str)> = candidates
        .into_iter()
        .map(|name| (similarity(wanted, name), name))
        .filter(|(score, _)| *score > THRESHOLD)
        .collect();
    scored.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(b.1)));
    scored.dedup_by_key(|(_, name)| *name);
    scored.into_iter().take(3).map(|(_, name)| name).collect()
}

fn similarity(wanted: &str, name: &str) -> f64 {
    if wanted.len() >= 2 && name.starts_with(wanted) { 1.0 } else { strsim::jaro_winkler(wanted, name) }
}

/// Returns `did you mean 'x', 'y' or 'z'?`, or `None` if no candidate is similar.
pub fn did_you_mean<'a>(wanted: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<String> {
    join(&nearest(wanted, candidates))
}

/// Returns the same question about `names`, best first.
pub fn join(names: &[impl std::fmt::Display]) -> Option<String> {
    let quoted: Vec<String> = names.iter().map(|name| format!("'{name}'")).collect();
    let (last, rest) = quoted.split_last()?;
    if rest.is_empty() {
        Some(format!("did you mean {last}?"))
    } else {
        Some(format!("did you mean {} or {last}?", rest.join(", ")))
    }
}

/// Lists at most ten of `names`: `dev, staging, and 3 more`.
pub fn listing(names: impl IntoIterator<Item = String>) -> String {
    const SHOWN: usize = 10;
    let mut names = names.into_iter();
    let shown: Vec<String> = names.by_ref().take(SHOWN).collect();
    let shown = shown.join(", ");
    match names.count() {
        0 => shown,
        more => format!("{shown}, and {more} more"),
    }
}

/// Returns the error for an instance that does not exist. `known` are the names and ids of those that do, and
/// `listing` shows them; empty without any.
pub fn unknown_instance<'a>(wanted: &str, known: impl IntoIterator<Item = &'a str>, listing: &str) -> Error {
    let mut error = Error::failed(format!("no instance '{}'", excerpt(wanted)));
    if let Some(question) = did_you_mean(wanted, known) {
        error = error.with_hint(printable(&question));
    }
    error.with_hint(match listing {
        "" => "list all instances: soong status".to_owned(),
        listing => format!("available: {listing}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_list_is_shortened() {
        let names = |count: usize| (1..=count).map(|number| number.to_string());
        assert_eq!(listing(names(0)), "");
        assert_eq!(listing(names(10)), "1, 2, 3, 4, 5, 6, 7, 8, 9, 10");
        assert_eq!(listing(names(1_000)), "1, 2, 3, 4, 5, 6, 7, 8, 9, 10, and 990 more");
    }

    const NAMES: [&str; 5] = ["tunnel", "ssh", "status", "extend", "configure"];

    #[test]
    fn a_slip_of_the_finger_is_recognised() {
        assert_eq!(nearest("tunel", NAMES), ["tunnel"]);
        assert_eq!(nearest("stauts", NAMES), ["status"]);
        assert_eq!(nearest("conf", NAMES), ["configure"]);
    }

    #[test]
    fn nothing_is_made_up() {
        assert!(nearest("zzz", NAMES).is_empty());
        assert_eq!(did_you_mean("zzz", NAMES), None);
    }

    #[test]
    fn several_are_joined() {
        assert_eq!(did_you_mean("ab", ["abc", "abd"]).unwrap(), "did you mean 'abc' or 'abd'?");
    }

    #[test]
    fn an_unknown_instance_is_told_with_those_that_exist() {
        let error = unknown_instance("stagin", ["dev", "staging"], "dev (a1), staging");
        assert_eq!(error.to_string(), "no instance 'stagin'");
        assert_eq!(error.hints(), ["did you mean 'staging'?", "available: dev (a1), staging"]);
        let error = unknown_instance(&"\u{1b}".repeat(300), [], "");
        assert!(error.to_string().ends_with("\\u{1b}…'") && error.to_string().len() < 600, "{error}");
        assert_eq!(error.hints(), ["list all instances: soong status"]);
    }
}
