//! Counts the entries that retention trimmed before a pull read them.
//!
//! Redis tells how many entries were ever added, and a pull how many of them it passed; the difference was missed. Asking
//! costs Redis a copy of the stream's first and last entries, so it is done only after a read that trimming may have
//! passed, and seldom. Before Redis 7, which does not tell, nothing is counted.
//!
//! The plain way of a pull has these, and tells the log and the metrics; the careful and the newest have `ledger`.

use std::time::{Duration, Instant};

use crate::store::StreamInfo;
use crate::words::ids::EntryId;

/// The least time between two looks.
const PAUSE: Duration = Duration::from_secs(1);

/// How much of the time looking may take: one part in so many.
const SHARE: u32 = 20;

/// Streams with entries larger than this are not looked at: one look at 60 MiB holds up Redis for 100 ms.
const LARGEST: usize = 4 << 20;

/// What a pull knows of its place in the stream.
pub struct Gaps {
    /// How many entries had ever been added up to the last one read, if that is known.
    passed: Option<u64>,
    /// Whether trimming may have passed the pull since the last look.
    suspected: bool,
    next_look: Instant,
}

impl Gaps {
    /// Begins where so many entries had ever been added, if that is known.
    pub fn new(passed: Option<u64>) -> Gaps {
        Gaps {
            passed,
            suspected: false,
            next_look: Instant::now(),
        }
    }

    /// How many entries had ever been added up to the last one read, if that is known.
    pub fn passed(&self) -> Option<u64> {
        self.passed
    }

    /// So many entries were read, the largest of this size, and the stream had this length right after.
    /// `all` says that they were all that Redis had after the last one.
    pub fn read(&mut self, count: u64, largest: usize, length: u64, all: bool) {
        self.passed = self.passed.map(|passed| passed + count);
        // While older entries than these are in the stream, trimming has not passed us. If the read brought all there
        // was after the last one, the length tells; otherwise only looking does.
        self.suspected |= largest <= LARGEST && (length <= count || !all);
    }

    /// How long it is until a look is due; none if nothing is suspected.
    pub fn due_in(&self) -> Option<Duration> {
        let left = self.next_look.saturating_duration_since(Instant::now());
        self.suspected.then_some(left)
    }

    /// How many entries were missed since the last look. `info` is what a look that took `cost` brought, after a read from
    /// `before` on of the entries `read`.
    pub fn look(&mut self, info: Option<StreamInfo>, cost: Duration, before: EntryId, read: &[EntryId]) -> u64 {
        self.next_look = Instant::now() + PAUSE.max(cost * SHARE);
        let Some((info, added)) = info.and_then(|info| info.entries_added.map(|added| (info, added))) else {
            self.suspected = false;
            return 0;
        };
        let last = read.last().copied().unwrap_or(before);
        let count = read.len() as u64;
        let passed = if last >= info.last_generated {
            // Everything ever added has been passed.
            added
        } else {
            match info.first {
                // All that came after the last entry is still there.
                Some(first) if first <= before => {
                    self.suspected = false;
                    return 0;
                }
                Some(first) if first <= last => {
                    // What was added before the oldest entry of this read that is left, and then the rest of the read.
                    let trimmed_since = read.iter().take_while(|id| **id < first).count() as u64;
                    added.saturating_sub(info.length + trimmed_since) + count
                }
                // Trimming has passed this read, too; another look will show by how much.
                _ => return 0,
            }
        };
        self.suspected = false;
        // A pull that began in the middle of a stream learns its place only here.
        let missed = self.passed.map_or(0, |known| passed.saturating_sub(known));
        self.passed = Some(passed);
        missed
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Map;

    use super::*;

    fn id(ms: u64) -> EntryId {
        EntryId { ms, seq: 0 }
    }

    /// A stream with the entries `first` to `last`, of all that were ever added from 1 on.
    fn holding(first: u64, last: u64) -> Option<StreamInfo> {
        Some(StreamInfo {
            fields: Map::new(),
            length: last + 1 - first,
            entries_added: Some(last),
            first: Some(id(first)),
            last: Some(id(last)),
            last_generated: id(last),
            copied: 0,
        })
    }

    fn read(from: u64, to: u64) -> Vec<EntryId> {
        (from..=to).map(id).collect()
    }

    #[test]
    fn a_look_while_behind_counts_what_was_trimmed_before_the_read() {
        let mut gaps = Gaps::new(Some(10));
        gaps.read(5, 1, 50, false);
        assert_eq!(gaps.look(holding(21, 70), Duration::ZERO, id(10), &read(21, 25)), 10);
        // Two of the read were trimmed right after it.
        gaps.read(5, 1, 50, false);
        assert_eq!(gaps.look(holding(33, 80), Duration::ZERO, id(25), &read(31, 35)), 5);
        // The next read follows without a gap.
        gaps.read(5, 1, 50, false);
        assert_eq!(gaps.look(holding(36, 85), Duration::ZERO, id(35), &read(36, 40)), 0);
        assert_eq!(gaps.due_in(), None);
    }

    #[test]
    fn a_look_when_all_is_read_counts_everything_that_was_missed() {
        let mut gaps = Gaps::new(Some(0));
        gaps.read(1, 1, 1, true);
        assert_eq!(gaps.look(holding(60, 60), Duration::ZERO, id(0), &read(60, 60)), 59);
        gaps.read(1, 1, 1, true);
        assert_eq!(gaps.look(holding(61, 61), Duration::ZERO, id(60), &read(61, 61)), 0);
        // Also later, when nothing was read since.
        gaps.read(1, 1, 1, true);
        assert_eq!(gaps.look(holding(65, 65), Duration::ZERO, id(65), &[]), 3);
    }

    #[test]
    fn a_pull_that_began_in_the_middle_learns_its_place_and_counts_from_there() {
        let mut gaps = Gaps::new(None);
        gaps.read(1, 1, 1, true);
        assert_eq!(gaps.look(holding(60, 60), Duration::ZERO, id(50), &read(60, 60)), 0);
        gaps.read(1, 1, 1, true);
        assert_eq!(gaps.look(holding(70, 70), Duration::ZERO, id(60), &read(70, 70)), 9);
    }

    #[test]
    fn looks_are_seldom_and_not_for_large_entries() {
        let mut gaps = Gaps::new(Some(0));
        gaps.read(1, LARGEST + 1, 1, true);
        assert_eq!(gaps.due_in(), None);
        gaps.read(1, 1, 1, true);
        assert_eq!(gaps.due_in(), Some(Duration::ZERO));
        gaps.look(holding(2, 2), Duration::from_secs(1), id(0), &read(2, 2));
        gaps.read(1, 1, 1, true);
        assert!(gaps.due_in().is_some_and(|left| left > Duration::from_secs(10)));
    }
}
