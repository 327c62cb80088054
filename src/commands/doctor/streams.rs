//! What the streams will take once each is as long as it may be, and what is odd about them: from `GET /activity`.

use std::cmp::Reverse;
use std::time::Duration;

use serde::Deserialize;

use super::finding::Finding;
use super::probe::is_probe;
use crate::client::Age;
use crate::client::figures::{bytes, time};

/// From which share of Redis's memory on, in percent, full streams are too large for it: it needs some for itself.
const SHORT: u64 = 80;

/// Entries larger than this are told: a pull replies with up to 8 MiB at once, and with more only for the sake of one entry.
const LARGE_ENTRY: u64 = 8 << 20;

/// An id may be so far ahead of the store's clock without a word.
const FUTURE: Duration = Duration::from_secs(60);

/// How many of the streams to blame are named, and how many times smaller than the largest they may be.
const NAMED: usize = 3;
const BLAMED: u64 = 10;

/// The reply of `GET /activity`, as far as it is of use here.
#[derive(Debug, Clone, Deserialize)]
pub struct Activity {
    /// When it was made, by the store's clock (RFC 3339).
    time: String,
    streams: Vec<Stream>,
}

/// One of its streams.
#[derive(Debug, Clone, Deserialize)]
pub struct Stream {
    pub id: String,
    pub max_len: u64,
    newest_id: Option<String>,
    newest_bytes: Option<u64>,
}

/// What full streams take, beside the memory that Redis has for them, if that is known.
#[derive(Debug)]
pub struct Memory {
    pub finding: Finding,
    /// If they do not fit, the largest, each with a `max_len` that is smaller by what it all is too much.
    pub shorten: Vec<(String, u64)>,
}

impl Stream {
    fn when_full(&self) -> u64 {
        self.max_len.saturating_mul(self.newest_bytes.unwrap_or(0))
    }

    fn words(&self) -> String {
        let newest = self.newest_bytes.unwrap_or(0);
        format!(
            "{} at {} × {} = {}",
            self.id,
            self.max_len,
            bytes(newest),
            bytes(self.when_full())
        )
    }
}

impl Activity {
    /// Leaves out the streams of examinations, also of others: a store shows what it saw a second ago.
    pub fn without_probes(mut self) -> Activity {
        self.streams.retain(|stream| !is_probe(&stream.id));
        self
    }
    /// What all streams take when each has `max_len` entries like its newest.
    pub fn memory(&self, limit: Option<u64>) -> Memory {
        let each = self.streams.iter().map(Stream::when_full);
        let whole = each.fold(0, u64::saturating_add);
        let found = match self.streams.len() {
            0 => "no streams yet".to_string(),
            1 => format!("1 stream takes about {} when full", bytes(whole)),
            count => format!("{count} streams take about {} when full", bytes(whole)),
        };
        let fine = |found| Memory {
            finding: Finding::ok(found),
            shorten: Vec::new(),
        };
        let Some(limit) = limit.filter(|limit| *limit > 0) else {
            return fine(found);
        };
        let fitting = limit / 100 * SHORT;
        if whole <= fitting {
            return fine(format!("{found}, of the {} that Redis has", bytes(limit)));
        }
        let blamed = self.blamed();
        let named: Vec<String> = blamed.iter().map(|one| one.words()).collect();
        let named = named.join(", ");
        let shorten = |one: &&Stream| {
            let fits = u128::from(one.max_len) * u128::from(fitting) / u128::from(whole);
            (one.id.clone(), u64::try_from(fits).unwrap_or(u64::MAX).max(1))
        };
        Memory {
            finding: Finding::warning(format!(
                "{found}, too much for the {} that Redis has: {named}",
                bytes(limit)
            )),
            shorten: blamed.iter().map(shorten).collect(),
        }
    }

    /// The streams that take most, largest first.
    fn blamed(&self) -> Vec<&Stream> {
        let mut largest: Vec<&Stream> = self.streams.iter().collect();
        largest.sort_by_key(|one| Reverse(one.when_full()));
        let most = largest.first().map_or(0, |one| one.when_full());
        largest.retain(|one| one.when_full() >= most / BLAMED);
        largest.truncate(NAMED);
        largest
    }

    /// Entries that are very large, ids that lie in the future, and ids that are no times at all.
    pub fn entries(&self) -> Finding {
        let list = |all: &[String]| match all.len().saturating_sub(NAMED) {
            0 => all.join(", "),
            more => format!("{} and {more} more", all[..NAMED].join(", ")),
        };
        let large: Vec<String> = (self.streams.iter())
            .filter(|one| one.newest_bytes.unwrap_or(0) > LARGE_ENTRY)
            .map(|one| format!("{} {}", one.id, bytes(one.newest_bytes.unwrap_or(0))))
            .collect();
        let (mut ahead, mut untimed) = (Vec::new(), Vec::new());
        for one in &self.streams {
            match self.age(one) {
                Some(Age::Ahead(by)) if by > FUTURE => ahead.push((by, one.id.as_str())),
                Some(Age::Unknown) => untimed.push(one.id.clone()),
                _ => {}
            }
        }
        // Those that are furthest ahead are named.
        ahead.sort_by_key(|(by, _)| Reverse(*by));
        let ahead: Vec<String> = ahead.iter().map(|(by, id)| format!("{id} by {}", time(*by))).collect();
        let mut warnings = Vec::new();
        if !large.is_empty() {
            warnings.push(format!(
                "larger than {}, each a reply of its own that its client takes whole: {}",
                bytes(LARGE_ENTRY),
                list(&large)
            ));
        }
        if !ahead.is_empty() {
            warnings.push(format!(
                "newest ids in the future, so Redis's clock went back or a client chose them: {}",
                list(&ahead)
            ));
        }
        // Whoever chose them knows.
        let untimed = match untimed.is_empty() {
            true => String::new(),
            false => format!(
                "; newest ids that are no times, so that -5m finds nothing there: {}",
                list(&untimed)
            ),
        };
        match warnings.is_empty() {
            true => Finding::ok(format!(
                "none larger than {}, none from the future{untimed}",
                bytes(LARGE_ENTRY)
            )),
            false => Finding::warning(format!("{}{untimed}", warnings.join("; "))),
        }
    }

    /// How old a stream's newest entry is, if it has one.
    fn age(&self, stream: &Stream) -> Option<Age> {
        let newest = stream.newest_id.as_ref()?.parse().ok()?;
        let now: jiff::Timestamp = self.time.parse().ok()?;
        Some(Age::of(newest, u64::try_from(now.as_millisecond()).ok()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::doctor::finding::Verdict;
    use serde_json::json;

    fn activity(streams: &[(&str, u64, u64)]) -> Activity {
        let streams: Vec<_> = streams
            .iter()
            .map(|(id, max_len, newest)| {
                json!({ "id": id, "max_len": max_len, "newest_id": "1000-0", "newest_bytes": newest, "entries": 3 })
            })
            .collect();
        serde_json::from_value(json!({ "time": "2024-01-01T00:00:00Z", "streams": streams })).unwrap()
    }

    #[test]
    fn full_streams_are_held_against_redis_memory() {
        let few = activity(&[("dev0", 1000, 100), ("cam0", 100, 800_000)]);
        assert_eq!(few.memory(Some(1 << 30)).finding.verdict, Verdict::Ok);
        assert_eq!(few.memory(None).finding.verdict, Verdict::Ok);
        let many = activity(&[("dev0", 1000, 100), ("cam0", 1000, 800_000), ("cam1", 1000, 400_000)]);
        let memory = many.memory(Some(1_000_000_000));
        assert_eq!(memory.finding.verdict, Verdict::Warning);
        assert!(
            memory.finding.found.contains("cam0 at 1000 × 781 KiB = 763 MiB"),
            "{memory:?}"
        );
        assert_eq!(memory.shorten[0], ("cam0".to_string(), 666));
        // A thousand times smaller, dev0 is not to blame.
        assert_eq!(memory.shorten.len(), 2);
    }

    #[test]
    fn streams_that_are_empty_or_endless_are_no_trouble_for_the_sums() {
        assert_eq!(activity(&[]).memory(Some(1 << 30)).finding.verdict, Verdict::Ok);
        let endless = activity(&[("a", u64::MAX, u64::MAX), ("b", u64::MAX, 2)]);
        let memory = endless.memory(Some(1 << 30));
        assert_eq!(memory.finding.verdict, Verdict::Warning);
        assert!(memory.shorten.iter().all(|(_, max_len)| *max_len >= 1), "{memory:?}");
    }

    #[test]
    fn large_entries_and_ids_from_the_future_are_told() {
        assert_eq!(activity(&[("dev0", 1000, 100)]).entries().verdict, Verdict::Ok);
        let large = activity(&[("film", 10, 70 << 20)]).entries();
        assert!(
            large.verdict == Verdict::Warning && large.found.contains("film 70.0 MiB"),
            "{large:?}"
        );
        let mut future = activity(&[("dev0", 1000, 100)]);
        // 2024-01-01, and an hour.
        future.streams[0].newest_id = Some(format!("{}-0", 1_704_067_200_000u64 + 3_600_000));
        for (name, hours) in [("a", 1), ("b", 2), ("c", 3), ("far", 9)] {
            let mut one = future.streams[0].clone();
            one.id = name.into();
            one.newest_id = Some(format!("{}-0", 1_704_067_200_000u64 + hours * 3_600_000));
            future.streams.push(one);
        }
        let furthest = future.entries().found;
        assert!(
            furthest.contains("far by 9.0 h, c by 3.0 h, b by 2.0 h and 2 more"),
            "{furthest}"
        );
        future.streams.truncate(1);
        let future = future.entries();
        assert!(
            future.verdict == Verdict::Warning && future.found.contains("dev0 by 60.0 min"),
            "{future:?}"
        );
        let found = activity(&[("film", 10, 70 << 20), ("dev0", 1000, 100)]).entries().found;
        assert!(found.contains("film 70.0 MiB; newest ids that are no times"), "{found}");
    }

    #[test]
    fn ids_that_are_no_times_are_told_as_such_and_are_no_fault() {
        let mut counted = activity(&[("dev0", 1000, 100), ("dev1", 1000, 100)]);
        counted.streams[0].newest_id = Some("20-0".into());
        counted.streams[1].newest_id = Some(format!("{}-0", u64::MAX));
        let counted = counted.entries();
        assert_eq!(counted.verdict, Verdict::Ok, "{counted:?}");
        assert!(
            counted.found.contains("no times") && counted.found.contains("dev0, dev1"),
            "{counted:?}"
        );
    }
}
