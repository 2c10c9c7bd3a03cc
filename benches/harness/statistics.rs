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

/// The middle one of `durations`.
pub fn median(durations: &[Duration]) -> Duration {
    Duration::from_secs_f64(Summary::of(durations.iter().map(Duration::as_secs_f64).collect()).median)
}

/// The value below which `share` (0 to 1) of `values` lie; 0 of no values.
pub fn percentile(values: &mut [f64], share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    #[expect(clippy::cast_precision_loss, reason = "nobody measures 2^52 times")]
    let rank = share * values.len().saturating_sub(1) as f64;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is a place in a list")]
    let rank = rank.round() as usize;
    values.get(rank).copied().unwrap_or_default()
}
