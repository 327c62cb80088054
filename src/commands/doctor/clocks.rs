//! The clocks of this machine, the store and Redis. Entry ids are times of Redis, so whoever asks for the last minute by
//! another clock asks for another minute.

use std::time::{Duration, SystemTime};

use super::finding::Finding;
use super::shell::as_root;
use crate::client::figures::time;

/// Clocks that a time server keeps are within milliseconds; what cameras and people compare is spoilt from here on.
const SKEWED: Duration = Duration::from_secs(1);

/// From here on "the last minute" is another one.
const FAR_OFF: Duration = Duration::from_secs(60);

/// A `Date` header has whole seconds.
const DATE_STEP: Duration = Duration::from_secs(1);

/// How far a clock is from this machine's.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Skew {
    /// At least so far, given how long the answer took.
    pub by: Duration,
    /// It is late, not early.
    pub behind: bool,
}

/// When a clock was asked, here, before and after.
#[derive(Debug, Clone, Copy)]
pub struct Asked {
    pub before: SystemTime,
    pub after: SystemTime,
}

impl Skew {
    /// Of a clock that told its time in steps of so long.
    fn of(told: SystemTime, step: Duration, asked: Asked) -> Skew {
        let behind = asked.before.duration_since(told + step).unwrap_or_default();
        let ahead = told.duration_since(asked.after).unwrap_or_default();
        Skew {
            by: behind.max(ahead),
            behind: behind > ahead,
        }
    }

    /// From the store's `Date`.
    pub fn of_date(told: SystemTime, asked: Asked) -> Skew {
        Skew::of(told, DATE_STEP, asked)
    }

    /// From Redis's `TIME`.
    pub fn of_redis(told: SystemTime, asked: Asked) -> Skew {
        Skew::of(told, Duration::ZERO, asked)
    }

    fn words(self, whose: &str) -> String {
        match self.by {
            Duration::ZERO => format!("{whose} agrees with this machine"),
            by => {
                let side = if self.behind { "behind" } else { "ahead of" };
                format!("{whose} is {} {side} this machine", time(by))
            }
        }
    }
}

/// What is asked of each clock, as far as it could be.
pub fn judge(store: Option<Skew>, redis: Option<Skew>) -> Finding {
    let clocks = [(store, "the store"), (redis, "Redis")];
    let known = || clocks.iter().filter_map(|(skew, whose)| Some(((*skew)?, *whose)));
    let worst = known().map(|(skew, _)| skew.by).max();
    let words: Vec<String> = known().map(|(skew, whose)| skew.words(whose)).collect();
    let found = words.join(", ");
    let (mend, where_) = (
        as_root("timedatectl set-ntp true"),
        "on the machine whose clock is wrong",
    );
    match worst {
        None => Finding::not_checked("neither the store nor Redis tells its time"),
        Some(by) if by >= FAR_OFF => {
            Finding::wrong(format!("{found}; entry ids are times of Redis")).mend_for(where_, mend)
        }
        Some(by) if by >= SKEWED => {
            Finding::warning(format!("{found}; entry ids are times of Redis")).mend_for(where_, mend)
        }
        Some(_) => Finding::ok(found),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::doctor::finding::Verdict;

    const NOW: Duration = Duration::from_secs(1_700_000_000);

    fn at(millis: i64) -> SystemTime {
        let now = SystemTime::UNIX_EPOCH + NOW;
        let by = Duration::from_millis(millis.unsigned_abs());
        if millis < 0 { now - by } else { now + by }
    }

    const fn millis(count: u64) -> Duration {
        Duration::from_millis(count)
    }

    #[test]
    fn only_what_the_answers_time_does_not_explain_is_skew() {
        let asked = Asked {
            before: at(0),
            after: at(30),
        };
        let redis = |told| Skew::of_redis(at(told), asked);
        assert_eq!(redis(12).by, Duration::ZERO);
        assert_eq!((redis(-5).by, redis(-5).behind), (millis(5), true));
        assert_eq!((redis(5_030).by, redis(5_030).behind), (millis(5_000), false));
        // The store's 0 s may be anything up to 1 s.
        assert_eq!(Skew::of_date(at(-999), asked).by, Duration::ZERO);
        assert_eq!(Skew::of_date(at(-3_000), asked).by, millis(2_000));
    }

    #[test]
    fn the_worst_clock_decides() {
        let skew = |seconds| {
            Some(Skew {
                by: Duration::from_secs(seconds),
                behind: true,
            })
        };
        assert_eq!(judge(skew(0), skew(0)).verdict, Verdict::Ok);
        assert_eq!(judge(skew(2), None).verdict, Verdict::Warning);
        assert_eq!(judge(skew(2), skew(100)).verdict, Verdict::Wrong);
        assert_eq!(judge(None, None).verdict, Verdict::NotChecked);
        assert!(judge(None, skew(180)).found.contains("Redis is 3.0 min behind"));
    }
}
