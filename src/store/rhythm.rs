//! Whether a stream is alive, judged by its own rhythm: the seconds in which entries came go in, a state comes out.
//! Pure; `activity` calls it with what each look found. docs/pages.md has the rule for readers.

use std::collections::VecDeque;

use crate::words::ids::{EARLIEST_MS, EntryId};

/// Intervals that the median is taken of. Twelve, so that the nine intervals within ten seconds of life outweigh what was before.
pub const INTERVALS: usize = 12;

/// Fewer intervals are no rhythm: whoever pushes by hand now and then is not to be alarmed about.
const LEAST_INTERVALS: usize = 4;

/// A stream is late when nothing came for so many of its usual intervals, and silent after so many. By chance alone, entries at
/// random times are silent once in about four thousand intervals.
const LATE: u64 = 4;
const SILENT: u64 = 12;

/// A stream that has been silent for so long has ended, and alarms nobody any more: what failed overnight, or on a holiday, is
/// still seen. Never sooner than `SILENT` intervals again.
const ENDED_MS: u64 = 24 * 3600 * 1000;

/// How far the clocks of Redis and of the store may differ, in milliseconds. The page uses the same measure.
pub const SKEW_MS: u64 = 60_000;

/// How a stream is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Pulse {
    /// Entries come.
    Live,
    /// One should have come by now.
    Late,
    /// Many should have come by now.
    Silent,
    /// Nothing is expected: it is empty, has no rhythm, or has ended.
    #[default]
    Idle,
}

impl Pulse {
    /// As clients are told.
    pub fn word(self) -> &'static str {
        match self {
            Pulse::Live => "live",
            Pulse::Late => "late",
            Pulse::Silent => "silent",
            Pulse::Idle => "idle",
        }
    }
}

/// When entries came to a stream lately.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Rhythm {
    /// Seconds since 1970 in which any came, oldest first, at most `INTERVALS + 1`. However many came in one, it counts once: a
    /// burst is one arrival, and a fast stream has intervals of a second.
    seconds: VecDeque<u64>,
    /// When the newest came, in milliseconds since 1970; none if it is not known.
    newest_ms: Option<u64>,
}

impl Rhythm {
    /// The last second in which any came, as far as is known.
    pub fn last_second(&self) -> Option<u64> {
        self.seconds.back().copied()
    }

    /// Entries have come, the newest at `ms`, and before that in these seconds, newest first.
    pub fn came(&mut self, ms: u64, before: &[u64]) {
        for second in before.iter().rev().copied().chain([ms / 1000]) {
            if self.last_second().is_none_or(|last| last < second) {
                self.seconds.push_back(second);
            }
        }
        let surplus = self.seconds.len().saturating_sub(INTERVALS + 1);
        self.seconds.drain(..surplus);
        self.newest_ms = Some(ms);
    }

    /// The median of the recent intervals, in milliseconds; none if there are too few to tell.
    fn interval_ms(&self) -> Option<u64> {
        let seconds = self.seconds.iter();
        let mut intervals: Vec<u64> = seconds
            .clone()
            .skip(1)
            .zip(seconds)
            .map(|(next, one)| next - one)
            .collect();
        intervals.sort_unstable();
        let median = intervals.get(intervals.len() / 2)?;
        (intervals.len() >= LEAST_INTERVALS).then(|| median.saturating_mul(1000))
    }

    /// How the stream is at a time in milliseconds since 1970.
    pub fn pulse(&self, now_ms: u64) -> Pulse {
        let Some(newest) = self.newest_ms else {
            return Pulse::Idle;
        };
        let age = now_ms.saturating_sub(newest);
        let usual = self.interval_ms();
        let after = |intervals: u64| usual.unwrap_or(1000).saturating_mul(intervals);
        match age {
            _ if age <= after(LATE) => Pulse::Live,
            _ if usual.is_none() || age > ENDED_MS.max(after(2 * SILENT)) => Pulse::Idle,
            _ if age <= after(SILENT) => Pulse::Late,
            _ => Pulse::Silent,
        }
    }
}

/// When an entry came that was seen at `now_ms`, and not yet at the look before, `looked_ms`. That is the time in its id, unless
/// that cannot be: ids can be chosen, and a clock can be wrong. Then it is when it was seen, and without a look before nobody knows.
pub fn came_at(id: EntryId, looked_ms: Option<u64>, now_ms: u64) -> Option<u64> {
    let earliest = looked_ms.map_or(EARLIEST_MS, |looked| looked.saturating_sub(SKEW_MS));
    match (earliest..=now_ms.saturating_add(SKEW_MS)).contains(&id.ms) {
        true => Some(id.ms),
        false => looked_ms.and(Some(now_ms)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026, in milliseconds.
    const START: u64 = 1_795_000_000_000;

    /// Of a stream to which entries came in these seconds behind `START`.
    fn rhythm(seconds: &[u64]) -> Rhythm {
        let mut rhythm = Rhythm::default();
        seconds
            .iter()
            .for_each(|second| rhythm.came(START + second * 1000, &[]));
        rhythm
    }

    /// Its pulses so many seconds after its newest entry.
    fn pulses(rhythm: &Rhythm, after: &[u64]) -> Vec<&'static str> {
        let newest = rhythm.newest_ms.unwrap();
        let pulse = |seconds: &u64| rhythm.pulse(newest + seconds * 1000).word();
        after.iter().map(pulse).collect()
    }

    #[test]
    fn a_stream_is_live_then_late_then_silent_by_its_own_interval() {
        let fast = rhythm(&[0, 1, 2, 3, 4, 5]);
        assert_eq!(
            pulses(&fast, &[0, 4, 5, 12, 13, 3600]),
            ["live", "live", "late", "late", "silent", "silent"]
        );
        let slow = rhythm(&[0, 60, 120, 180, 240]);
        assert_eq!(pulses(&slow, &[240, 241, 720, 721]), ["live", "late", "late", "silent"]);
    }

    #[test]
    fn ten_seconds_of_life_after_a_long_pause_alarm_by_their_own_rhythm() {
        let life = 4000..4010;
        for before in [
            vec![],
            vec![0],
            vec![0, 60, 120, 180, 240, 300, 360, 420, 480, 540, 600, 660, 720],
            vec![0, 1200, 2400],
        ] {
            let seconds: Vec<u64> = before.into_iter().chain(life.clone()).collect();
            assert_eq!(
                pulses(&rhythm(&seconds), &[4, 5, 13]),
                ["live", "late", "silent"],
                "{seconds:?}"
            );
        }
    }

    #[test]
    fn one_long_pause_does_not_change_the_rhythm() {
        assert_eq!(
            pulses(&rhythm(&[0, 1, 2, 3, 4, 1204]), &[4, 5, 13]),
            ["live", "late", "silent"]
        );
    }

    #[test]
    fn bursts_are_arrivals_and_their_entries_are_not() {
        let mut bursts = Rhythm::default();
        for burst in 0..6 {
            (0..50).for_each(|entry| bursts.came(START + burst * 10_000 + entry * 3, &[]));
        }
        assert_eq!(pulses(&bursts, &[10, 39, 41, 121]), ["live", "live", "late", "silent"]);
    }

    #[test]
    fn what_has_no_rhythm_is_live_for_a_moment_and_then_idle() {
        assert_eq!(Rhythm::default().pulse(START), Pulse::Idle);
        assert_eq!(
            pulses(&rhythm(&[0]), &[0, 4, 5, 100_000]),
            ["live", "live", "idle", "idle"]
        );
        assert_eq!(pulses(&rhythm(&[0, 10, 20, 30]), &[4, 5]), ["live", "idle"]);
    }

    #[test]
    fn what_was_silent_for_a_day_has_ended() {
        let fast = rhythm(&[0, 1, 2, 3, 4]);
        assert_eq!(pulses(&fast, &[24 * 3600, 24 * 3600 + 1]), ["silent", "idle"]);
        // An entry a day is silent after twelve days, and that is told for as long again.
        let day = 24 * 3600;
        let daily = rhythm(&[0, day, 2 * day, 3 * day, 4 * day]);
        assert_eq!(
            pulses(&daily, &[3 * day, 5 * day, 13 * day, 25 * day]),
            ["live", "late", "silent", "idle"]
        );
    }

    #[test]
    fn what_is_kept_of_a_stream_has_a_bound_and_its_order() {
        let mut rhythm = rhythm(&(0..1000).collect::<Vec<_>>());
        assert_eq!(rhythm.seconds.len(), INTERVALS + 1);
        let second = START / 1000;
        rhythm.came(START + 2_000_000, &[second + 1990, second + 1980, second + 5]);
        let last: Vec<u64> = rhythm.seconds.iter().rev().take(4).copied().collect();
        assert_eq!(last, [second + 2000, second + 1990, second + 1980, second + 999]);
    }

    #[test]
    fn the_time_of_an_id_counts_unless_it_cannot_be() {
        let id = EntryId::first_of;
        let now = START + 3_600_000;
        // Seen for the first time: an old one is old, the others nobody knows.
        assert_eq!(came_at(id(START), None, now), Some(START));
        assert_eq!(came_at(id(20), None, now), None);
        assert_eq!(came_at(id(u64::MAX), None, now), None);
        // Seen since the look before.
        assert_eq!(came_at(id(now - 500), Some(now - 1000), now), Some(now - 500));
        for chosen in [id(START), id(20), id(u64::MAX)] {
            assert_eq!(came_at(chosen, Some(now - 1000), now), Some(now), "{chosen}");
        }
    }

    #[test]
    fn no_number_overflows() {
        let mut odd = Rhythm::default();
        (0..6).for_each(|step| odd.came(u64::MAX / 6 * step, &[]));
        for now in [0, 1, START, u64::MAX] {
            odd.pulse(now);
            came_at(EntryId::MAX, Some(now), now);
        }
    }
}
