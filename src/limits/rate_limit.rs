//! How often something may be done: some times at once, and then once in a while.

use std::time::{Duration, Instant};

/// What was done so far, as the time when all of it would have been if it had been done evenly.
#[derive(Debug, Default)]
pub struct RateLimit(Option<Instant>);

impl RateLimit {
    /// Whether it may be done now: once `every` so long, or after a while of less than that up to `at_once` times. If so, it
    /// counts as done.
    pub fn allows(&mut self, every: Duration, at_once: u32, now: Instant) -> bool {
        let even = self.0.map_or(now, |even| even.max(now));
        let allowed = even.saturating_duration_since(now) <= every * at_once.saturating_sub(1);
        if allowed {
            self.0 = Some(even + every);
        }
        allowed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_go_at_once_and_then_one_in_a_while() {
        let (mut limit, begun, every) = (RateLimit::default(), Instant::now(), Duration::from_secs(1));
        let mut allowed_at = |seconds: f64| limit.allows(every, 3, begun + Duration::from_secs_f64(seconds));
        let first: Vec<bool> = (0..5).map(|_| allowed_at(0.0)).collect();
        assert_eq!(first, [true, true, true, false, false]);
        let then = [0.9, 1.0, 1.1, 2.0, 2.5, 3.0].map(&mut allowed_at);
        assert_eq!(then, [false, true, false, true, false, true]);
        // After a while of nothing there are as many again, and no more.
        let again: Vec<bool> = (0..5).map(|_| allowed_at(100.0)).collect();
        assert_eq!(again, [true, true, true, false, false]);
    }
}
