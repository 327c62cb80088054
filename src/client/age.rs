//! How old an entry is, as far as its id tells: Redis gives ids that are times, but whoever pushes may choose others.

use std::fmt;
use std::time::Duration;

use ptg_store::words::ids::{EARLIEST_MS, EntryId};

use super::figures;

/// What clocks that a time server keeps may differ by without a word.
const SKEW: Duration = Duration::from_secs(1);

/// The age of an entry.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Age {
    /// It was added so long ago.
    Old(Duration),
    /// Its id lies so far ahead of the clock: a clock went back, or somebody chose the id.
    Ahead(Duration),
    /// Its id is no time.
    Unknown,
}

impl Age {
    /// Of an entry with this id, when it is `now`, in milliseconds since 1970, by the store's clock.
    pub fn of(id: EntryId, now: u64) -> Age {
        let ahead = Duration::from_millis(id.ms.saturating_sub(now));
        match id.ms {
            _ if !is_time(id) => Age::Unknown,
            _ if ahead > SKEW => Age::Ahead(ahead),
            ms => Age::Old(Duration::from_millis(now.saturating_sub(ms))),
        }
    }

    /// In seconds, less than 0 if it lies ahead; none if the id is no time.
    pub fn seconds(self) -> Option<f64> {
        match self {
            Age::Old(age) => Some(age.as_secs_f64()),
            Age::Ahead(by) => Some(-by.as_secs_f64()),
            Age::Unknown => None,
        }
    }

    /// As a part of a sentence: `1.5 s old`.
    pub fn words(self) -> String {
        match self {
            Age::Old(_) => format!("{self} old"),
            Age::Ahead(_) => format!("{self} of the clock"),
            Age::Unknown => "its id is no time".into(),
        }
    }
}

impl fmt::Display for Age {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Age::Old(age) => f.write_str(&figures::time(*age)),
            Age::Ahead(by) => write!(f, "{} ahead", figures::time(*by)),
            Age::Unknown => f.write_str("no time"),
        }
    }
}

/// Whether an id may be the time at which an entry was added. Those beyond the year 9999 are none either: microseconds, or
/// random numbers.
pub fn is_time(id: EntryId) -> bool {
    id.ms >= EARLIEST_MS && id.time().is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_795_600_800_000;

    fn shown(ms: u64) -> String {
        Age::of(EntryId::first_of(ms), NOW).to_string()
    }

    #[test]
    fn an_age_is_told_of_times_alone_and_what_lies_ahead_is_told_as_such() {
        assert_eq!(shown(NOW - 1_500), "1.5 s");
        assert_eq!(shown(NOW), "0 ms");
        assert_eq!(shown(NOW + 1_000), "0 ms");
        assert_eq!(shown(NOW + 1_001), "1.0 s ahead");
        assert_eq!(shown(NOW + 180_000), "3.0 min ahead");
        // Counters, seconds, microseconds, and the largest there is.
        for no_time in [0, 20, NOW / 1_000, NOW * 1_000, u64::MAX] {
            assert_eq!(shown(no_time), "no time", "{no_time}");
        }
        assert_eq!(Age::of(EntryId::first_of(20), NOW).seconds(), None);
        assert_eq!(Age::of(EntryId::first_of(NOW + 2_000), NOW).seconds(), Some(-2.0));
        assert_eq!(
            Age::of(EntryId::first_of(NOW + 2_000), NOW).words(),
            "2.0 s ahead of the clock"
        );
    }

    #[test]
    fn times_are_those_from_2000_to_9999() {
        let year = |ms| EntryId::first_of(ms).time().unwrap()[..4].to_owned();
        assert_eq!(
            (year(EARLIEST_MS), year(EARLIEST_MS - 1)),
            ("2000".into(), "1999".into())
        );
        assert!(is_time(EntryId::first_of(EARLIEST_MS)) && !is_time(EntryId::first_of(EARLIEST_MS - 1)));
        let years = |count: u64| EntryId::first_of(count * 31_556_952_000);
        assert!(is_time(years(9_999 - 1_970)) && !is_time(years(10_001 - 1_970)));
    }
}
