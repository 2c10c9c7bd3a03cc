//! Figures about many measurements. Machines are noisy upwards, so the middle counts, not the mean.

use std::time::Duration;

/// The middle and the ends of a set of measurements.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Summary {
    pub median: f64,
    pub min: f64,
    pub max: f64,
}

impl Summary {
    /// Of no values at all, everything is 0.
    pub fn of(mut values: Vec<f64>) -> Self {
        values.sort_by(f64::total_cmp);
        let at = |index: usize| values.get(index).copied().unwrap_or_default();
        let last = values.len().saturating_sub(1);
        let median = f64::midpoint(at(last / 2), at(values.len() / 2));
        Self { median, min: at(0), max: at(last) }
    }
}

/// How wide the interval is in which the true middle lies, 19 times of 20, as a share of the middle;
/// infinite of fewer than six values. It is read off the ranks, so that it holds for noise of any
/// shape.
pub fn uncertainty(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let median = Summary::of(values.clone()).median;
    // The ends of the interval: the largest rank below which fewer than a fortieth of all draws have
    // the middle, of a binomial distribution with an even chance.
    let mut chance = 0.5_f64.powi(i32::try_from(values.len()).unwrap_or(i32::MAX));
    let (mut below, mut rank) = (0.0, 0_usize);
    let mut left = values.len();
    while below + chance <= 0.025 && left > 0 {
        below += chance;
        #[expect(clippy::cast_precision_loss, reason = "fewer than 2^52 measurements")]
        let ratio = left as f64 / (rank + 1) as f64;
        chance *= ratio;
        (left, rank) = (left - 1, rank + 1);
    }
    match (rank.checked_sub(1), values.len()) {
        (Some(low), length) if median > 0.0 => (values[length - 1 - low] - values[low]) / median,
        _ => f64::INFINITY,
    }
}

/// The middle one of `durations`.
pub fn median(durations: &[Duration]) -> Duration {
    Duration::from_secs_f64(Summary::of(durations.iter().map(Duration::as_secs_f64).collect()).median)
}

/// The value below which `share` (0 to 1) of `values` lie; 0 of no values.
pub fn percentile(values: &mut [f64], share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    #[expect(clippy::cast_precision_loss, reason = "fewer than 2^52 measurements")]
    let rank = share * values.len().saturating_sub(1) as f64;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is a place in a list")]
    let rank = rank.round() as usize;
    values.get(rank).copied().unwrap_or_default()
}

/// Formats a figure with as many digits as a reader can use.
pub fn rounded(figure: f64) -> String {
    let decimals = match figure.abs() {
        0.0 => 0,
        size if size < 0.1 => 4,
        size if size < 1.0 => 3,
        size if size < 10.0 => 2,
        size if size < 100.0 => 1,
        _ => 0,
    };
    let text = format!("{figure:.decimals$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}
