//! Exact books of what retention trimmed before it was read.
//!
//! They need what Redis knows of a stream in the very instant of each read. Redis 7 and later tell how many entries were
//! ever added; of older ones only a reader that comes back learns of a gap, and nobody how large it is.
//!
//! The careful and the newest way of a pull have these, and tell the client; the plain one has `gaps`.

use crate::store::StreamInfo;
use crate::words::ids::EntryId;

/// What a reader has passed of a stream.
#[derive(Debug)]
pub struct Ledger {
    /// How many entries had ever been added up to the last one passed, if that is known.
    passed: Option<u64>,
    origin: Origin,
}

/// How a reader came to a place from which it has not read yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Origin {
    /// What was trimmed before it came is none of its business. So it is, too, once it has read.
    New,
    /// It came back with the id of an entry that it had read before.
    Resumed,
    /// Its place is ahead of the stream, and what is added up to there is not wanted.
    Ahead,
}

/// What was trimmed.
#[derive(Debug, PartialEq, Eq)]
pub struct Missing {
    /// The oldest entry that is left.
    pub before: EntryId,
    /// How many there were, if that is known.
    pub count: Option<u64>,
}

impl Ledger {
    /// Begins where so many entries had ever been added, if that is known.
    pub fn new(passed: Option<u64>) -> Ledger {
        let origin = Origin::New;
        Ledger { passed, origin }
    }

    /// Begins behind an entry that the reader had read before.
    pub fn resumed() -> Ledger {
        let origin = Origin::Resumed;
        Ledger { passed: None, origin }
    }

    /// Begins at a place that the stream has not reached.
    pub fn ahead() -> Ledger {
        let origin = Origin::Ahead;
        Ledger { passed: None, origin }
    }

    /// How many entries had ever been added up to the last one passed, if that is known.
    pub fn passed(&self) -> Option<u64> {
        self.passed
    }

    /// Looks for entries after `last` that were trimmed before they were read.
    pub fn check(&mut self, info: Option<&StreamInfo>, last: EntryId) -> Option<Missing> {
        let info = info?;
        let first = info.first?;
        // While the last entry, or an older one, is there, all that came after it is.
        if first <= last {
            if self.origin == Origin::Resumed {
                self.origin = Origin::New;
            }
            return None;
        }
        let trimmed = info.trimmed();
        // Everything before the oldest entry is passed now, read or not.
        let passed = std::mem::replace(&mut self.passed, trimmed);
        if std::mem::replace(&mut self.origin, Origin::New) == Origin::Resumed {
            // Between neighbours nothing can have been.
            let some = first.before() > last && trimmed != Some(0);
            return some.then_some(Missing {
                before: first,
                count: None,
            });
        }
        missing(first, trimmed?.saturating_sub(passed?))
    }

    /// An entry was read, the one after the last.
    pub fn pass(&mut self) {
        self.origin = Origin::New;
        self.passed = self.passed.map(|passed| passed + 1);
    }

    /// All that there was after the last entry has been read, in the instant of `info`.
    pub fn caught_up(&mut self, info: Option<&StreamInfo>) {
        let is_emptied = info.is_some_and(|info| info.first.is_none());
        // What was trimmed of an empty stream is told with its next entry.
        if self.origin != Origin::Ahead && !(is_emptied && self.passed.is_some()) {
            self.passed = info.map_or(Some(0), |info| info.entries_added);
        }
    }

    /// The newest entry was read, without those between. How many these were, if that is known.
    pub fn skip_to_newest(&mut self, info: Option<&StreamInfo>) -> Option<u64> {
        self.origin = Origin::New;
        let added = info.and_then(|info| info.entries_added);
        let passed = std::mem::replace(&mut self.passed, added);
        let (passed, added) = passed.zip(added)?;
        Some(
            added
                .saturating_sub(1)
                .saturating_sub(if passed > added { 0 } else { passed }),
        )
    }
}

fn missing(before: EntryId, count: u64) -> Option<Missing> {
    (count > 0).then_some(Missing {
        before,
        count: Some(count),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::Map;

    use super::*;

    fn id(ms: u64) -> EntryId {
        EntryId { ms, seq: 0 }
    }

    /// A stream with the entries `first` to `last`, of all that were ever added from 1 on.
    fn holding(first: u64, last: u64) -> StreamInfo {
        StreamInfo {
            fields: Map::new(),
            length: last + 1 - first,
            entries_added: Some(last),
            first: Some(id(first)),
            last: Some(id(last)),
            last_generated: id(last),
            copied: 0,
        }
    }

    fn read(ledger: &mut Ledger, count: usize) {
        (0..count).for_each(|_| ledger.pass());
    }

    fn check(ledger: &mut Ledger, first: u64, last: u64, read: u64) -> Option<u64> {
        let missing = ledger.check(Some(&holding(first, last)), id(read))?;
        assert_eq!(missing.before, id(first));
        missing.count
    }

    #[test]
    fn nothing_is_missed_while_the_last_entry_is_there_or_just_trimmed() {
        let mut ledger = Ledger::new(Some(10));
        assert_eq!(check(&mut ledger, 5, 20, 10), None);
        assert_eq!(check(&mut ledger, 11, 20, 10), None);
        read(&mut ledger, 5);
        assert_eq!(check(&mut ledger, 16, 20, 15), None);
    }

    #[test]
    fn what_was_trimmed_is_counted_once_and_exactly() {
        let mut ledger = Ledger::new(Some(10));
        assert_eq!(check(&mut ledger, 14, 20, 10), Some(3));
        read(&mut ledger, 2);
        assert_eq!(check(&mut ledger, 16, 20, 15), None);
        ledger.caught_up(Some(&holding(16, 20)));
        assert_eq!(check(&mut ledger, 41, 60, 20), Some(20));
    }

    #[test]
    fn a_reader_that_comes_back_learns_of_a_gap_of_unknown_size() {
        let mut ledger = Ledger::resumed();
        let missing = ledger.check(Some(&holding(50, 60)), id(7));
        assert_eq!(
            missing,
            Some(Missing {
                before: id(50),
                count: None
            })
        );
        read(&mut ledger, 2);
        assert_eq!(check(&mut ledger, 55, 70, 51), Some(3));
        // Back where nothing can be missing: the id right before the oldest entry.
        let mut ledger = Ledger::resumed();
        assert_eq!(ledger.check(Some(&holding(50, 60)), id(50).before()), None);
        // Nothing was ever trimmed.
        let mut ledger = Ledger::resumed();
        let mut info = holding(50, 60);
        info.entries_added = Some(info.length);
        assert_eq!(ledger.check(Some(&info), id(7)), None);
    }

    #[test]
    fn a_reader_that_began_in_the_middle_counts_from_there() {
        let mut ledger = Ledger::new(None);
        assert_eq!(check(&mut ledger, 5, 20, 10), None);
        ledger.caught_up(Some(&holding(5, 20)));
        assert_eq!(check(&mut ledger, 31, 40, 20), Some(10));
    }

    #[test]
    fn a_reader_that_comes_back_to_an_empty_stream_learns_of_the_gap_with_the_next_entry() {
        let mut ledger = Ledger::resumed();
        let mut empty = holding(61, 60);
        empty.first = None;
        assert_eq!(ledger.check(Some(&empty), id(7)), None);
        ledger.caught_up(Some(&empty));
        let missing = ledger.check(Some(&holding(61, 61)), id(7));
        assert_eq!(missing.map(|missing| missing.count), Some(None));
    }

    #[test]
    fn what_was_trimmed_until_nothing_was_left_is_told_with_the_next_entry() {
        let mut ledger = Ledger::new(Some(10));
        let mut empty = holding(21, 20);
        empty.first = None;
        assert_eq!(ledger.check(Some(&empty), id(10)), None);
        ledger.caught_up(Some(&empty));
        assert_eq!(check(&mut ledger, 21, 21, 10), Some(10));
    }

    #[test]
    fn what_is_added_before_a_place_ahead_is_not_missed() {
        let mut ledger = Ledger::ahead();
        assert_eq!(check(&mut ledger, 5, 20, 30), None);
        ledger.caught_up(Some(&holding(5, 20)));
        assert_eq!(check(&mut ledger, 31, 40, 30), None);
        read(&mut ledger, 2);
        assert_eq!(check(&mut ledger, 35, 40, 32), Some(2));
    }

    #[test]
    fn skipping_to_the_newest_counts_what_was_between() {
        let mut ledger = Ledger::new(Some(10));
        assert_eq!(ledger.skip_to_newest(Some(&holding(1, 11))), Some(0));
        assert_eq!(ledger.skip_to_newest(Some(&holding(1, 20))), Some(8));
        let mut unknown = Ledger::new(None);
        assert_eq!(unknown.skip_to_newest(Some(&holding(1, 20))), None);
        assert_eq!(unknown.skip_to_newest(Some(&holding(1, 22))), Some(1));
    }

    #[test]
    fn without_numbers_nothing_is_counted() {
        let mut old = holding(50, 60);
        old.entries_added = None;
        let mut ledger = Ledger::new(None);
        assert_eq!(ledger.check(Some(&old), id(7)), None);
        assert!(Ledger::resumed().check(Some(&old), id(7)).is_some());
        assert_eq!(ledger.skip_to_newest(Some(&old)), None);
    }
}
