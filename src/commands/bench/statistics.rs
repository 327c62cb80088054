//! Percentiles and medians.

use std::time::Duration;

/// A percentile of one round's samples, in microseconds, by nearest rank. The samples are sorted on the way.
pub fn percentile(samples: &mut [Duration], percent: f64) -> f64 {
    samples.sort_unstable();
    let rank = (percent / 100.0 * samples.len() as f64).ceil() as usize;
    let index = rank.clamp(1, samples.len().max(1)) - 1;
    samples.get(index).map_or(f64::NAN, |sample| sample.as_secs_f64() * 1e6)
}

/// The median; of an even number of values, the mean of the two in the middle.
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    match sorted.len() {
        0 => f64::NAN,
        length if length % 2 == 1 => sorted[length / 2],
        length => (sorted[length / 2 - 1] + sorted[length / 2]) / 2.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_by_nearest_rank() {
        let mut samples: Vec<Duration> = (1..=200).rev().map(Duration::from_micros).collect();
        assert_eq!(percentile(&mut samples, 50.0), 100.0);
        assert_eq!(percentile(&mut samples, 99.0), 198.0);
        assert_eq!(percentile(&mut samples[..1], 99.0), 1.0);
        assert!(percentile(&mut [], 50.0).is_nan());
    }

    #[test]
    fn the_median_lies_in_the_middle() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), 2.5);
    }
}
