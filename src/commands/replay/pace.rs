//! When an entry is due: as long after the first as it was, divided by the speed.

use std::time::{Duration, Instant};

use ptg_store::words::ids::EntryId;

/// Between the end of a recording with a single entry and its next round: there is no spacing to go by.
const LONE_PAUSE: f64 = 1.0;

/// The time line of a replay.
pub struct Pace {
    begun: Instant,
    /// The time of the first entry, in milliseconds since 1970.
    first: u64,
    /// None: everything is due at once.
    factor: Option<f64>,
    /// How long after the beginning this round began.
    round: Duration,
    /// How late entries were at most.
    late: Duration,
}

impl Pace {
    /// Begins now, with the entry of this time.
    pub fn new(first: u64, factor: Option<f64>) -> Pace {
        Pace {
            begun: Instant::now(),
            first,
            factor,
            round: Duration::ZERO,
            late: Duration::ZERO,
        }
    }

    /// How long it is until an entry is due; nothing if it is.
    pub fn wait(&mut self, id: EntryId) -> Duration {
        let Some(factor) = self.factor else {
            return Duration::ZERO;
        };
        let due = self
            .round
            .saturating_add(scaled(id.ms.saturating_sub(self.first), factor));
        let now = self.begun.elapsed();
        self.late = self.late.max(now.saturating_sub(due));
        due.saturating_sub(now)
    }

    /// The next round begins where this one ends: after its last entry, and the mean time between two.
    pub fn next_round(&mut self, last: u64, entries: u64) {
        let Some(factor) = self.factor else { return };
        let length = last.saturating_sub(self.first);
        let pause = match entries {
            0 | 1 => Duration::from_secs_f64(LONE_PAUSE),
            _ => scaled(length / (entries - 1), factor).max(Duration::from_millis(1)),
        };
        self.round = self.round.saturating_add(scaled(length, factor)).saturating_add(pause);
    }

    /// How late entries were at most.
    pub fn late(&self) -> Duration {
        self.late
    }
}

/// Times of a recording can be anything; what is too long to wait for is waited for for ever.
fn scaled(milliseconds: u64, factor: f64) -> Duration {
    Duration::try_from_secs_f64(milliseconds as f64 / 1000.0 / factor).unwrap_or(Duration::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> EntryId {
        EntryId { ms, seq: 0 }
    }

    #[test]
    fn an_entry_is_due_as_long_after_the_first_as_it_was_divided_by_the_speed() {
        let mut pace = Pace::new(1_000_000, Some(2.0));
        assert_eq!(pace.wait(at(1_000_000)), Duration::ZERO);
        let wait = pace.wait(at(1_200_000));
        assert!(
            wait <= Duration::from_secs(100) && wait > Duration::from_secs(90),
            "{wait:?}"
        );
    }

    #[test]
    fn at_full_speed_everything_is_due() {
        let mut pace = Pace::new(0, None);
        pace.next_round(u64::MAX, 5);
        assert_eq!(pace.wait(at(u64::MAX)), Duration::ZERO);
    }

    #[test]
    fn the_next_round_follows_after_the_mean_spacing() {
        let mut pace = Pace::new(1_000_000, Some(1.0));
        pace.next_round(1_300_000, 4);
        let wait = pace.wait(at(1_000_000));
        assert!(
            wait <= Duration::from_secs(400) && wait > Duration::from_secs(390),
            "{wait:?}"
        );
    }

    #[test]
    fn times_beyond_all_measure_do_not_overflow() {
        let mut pace = Pace::new(0, Some(1e-300));
        assert!(pace.wait(at(u64::MAX)) > Duration::from_secs(1 << 40));
        pace.next_round(u64::MAX, 2);
        assert!(pace.wait(at(0)) > Duration::from_secs(1 << 40));
    }
}
