//! Doing one thing again and again, for as long as a measurement takes.

use std::thread;
use std::time::{Duration, Instant};

use super::Bench;

impl Bench {
    /// Times one thing again and again, with a pause in between; what comes first only warms up.
    pub fn sample(
        &self,
        pause: Duration,
        mut once: impl FnMut() -> Result<(), String>,
    ) -> Result<Vec<Duration>, String> {
        let warm = self.seconds / 10;
        let mut samples = Vec::new();
        let begun = Instant::now();
        loop {
            self.check()?;
            let before = Instant::now();
            let so_far = before - begun;
            if so_far > warm + self.seconds && !samples.is_empty() {
                return Ok(samples);
            }
            once()?;
            self.did(1);
            if so_far >= warm {
                samples.push(before.elapsed());
            }
            if !pause.is_zero() {
                thread::sleep(pause);
            }
        }
    }

    /// Does one thing again and again until the time is over; how often.
    pub fn repeat(&self, begun: Instant, mut once: impl FnMut() -> Result<(), String>) -> Result<usize, String> {
        let mut count = 0;
        while count == 0 || begun.elapsed() < self.seconds {
            self.check()?;
            once()?;
            count += 1;
        }
        Ok(count)
    }
}
