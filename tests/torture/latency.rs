//! Percentiles of times, and medians of what several rounds brought.

use std::time::{Duration, Instant};

/// Times of one thing done again and again.
#[derive(Default)]
pub struct Latencies(Vec<Duration>);

impl Latencies {
    pub fn time<T>(&mut self, work: impl FnOnce() -> T) -> T {
        let begun = Instant::now();
        let done = work();
        self.0.push(begun.elapsed());
        done
    }

    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// The time that so many of a hundred stay below, in milliseconds.
    pub fn percentile(&self, percent: f64) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        let index = (sorted.len() as f64 * percent / 100.0) as usize;
        let found = sorted.get(index.min(sorted.len().saturating_sub(1)));
        found.map_or(f64::NAN, |time| time.as_secs_f64() * 1e3)
    }
}

/// The middle of several rounds, and their extremes.
pub struct Spread {
    pub median: f64,
    least: f64,
    most: f64,
}

impl Spread {
    pub fn of(rounds: impl Iterator<Item = f64>) -> Spread {
        let mut sorted: Vec<f64> = rounds.collect();
        sorted.sort_unstable_by(f64::total_cmp);
        let at = |index: usize| sorted.get(index).copied().unwrap_or(f64::NAN);
        Spread {
            median: at(sorted.len() / 2),
            least: at(0),
            most: at(sorted.len().saturating_sub(1)),
        }
    }
}

impl std::fmt::Display for Spread {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        write!(f, "{:.2} ({:.2} to {:.2})", self.median, self.least, self.most)
    }
}
