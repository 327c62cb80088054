//! What tells one generation of a stream from the next. Within one, the numbers that Redis keeps of a stream only grow; a stream
//! that is deleted, renamed over, restored or flushed begins anew under its old name, and so does one whose Redis lost what it
//! had last. Pure comparison; `look` asks Redis.

use super::StreamInfo;
use crate::words::ids::EntryId;

/// How many bytes of each end of an entry tell it from another.
pub(super) const END: usize = 32;

/// What tells an entry from another one with the same id: its size, and a checksum of its two ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Print {
    pub(super) size: u64,
    pub(super) ends: u32,
}

/// What tells one generation of a stream from the next, as it was in one instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    /// The largest id that it ever gave.
    pub last_generated: EntryId,
    /// Entries in it.
    pub length: u64,
    /// Entries ever added; unknown before Redis 7.
    pub entries_added: Option<u64>,
    /// The oldest entry.
    pub first: Option<EntryId>,
    /// The newest, if a look brought it.
    pub newest: Option<(EntryId, Print)>,
}

/// What a look at a stream brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    /// Redis does not tell, because the key is no stream or not for this user.
    Unknown,
    /// There is no such key.
    Gone,
    /// There is.
    There(Mark),
}

impl Print {
    /// That of an entry.
    pub fn of(entry: &[u8]) -> Print {
        let end = END.min(entry.len());
        let mut ends = crc32fast::Hasher::new();
        ends.update(&entry[..end]);
        ends.update(&entry[entry.len() - end..]);
        Print {
            size: entry.len() as u64,
            ends: ends.finalize(),
        }
    }
}

impl Mark {
    /// How many entries were ever trimmed or deleted; unknown before Redis 7.
    pub fn trimmed(&self) -> Option<u64> {
        Some(self.entries_added?.saturating_sub(self.length))
    }

    /// Whether this stream can have become that one without beginning anew: its numbers only grow, its oldest entry only goes
    /// by being trimmed or deleted, and no entry changes.
    pub fn can_become(&self, later: &Mark) -> bool {
        let grew = |now: Option<u64>, then: Option<u64>, least: u64| match now.zip(then) {
            Some((now, then)) => now >= then + least,
            None => true,
        };
        let oldest_fits = match (self.first, later.first) {
            (_, None) => true,
            (None, Some(first)) => first > self.last_generated,
            (Some(then), Some(first)) => first >= then,
        };
        let oldest_went = self.first.is_some() && self.first != later.first;
        let is_other = self
            .newest
            .zip(later.newest)
            .is_some_and(|(then, now)| then.0 == now.0 && then.1 != now.1);
        later.last_generated >= self.last_generated
            && oldest_fits
            && !is_other
            && grew(later.entries_added, self.entries_added, 0)
            && grew(later.trimmed(), self.trimmed(), oldest_went.into())
    }
}

impl From<&StreamInfo> for Mark {
    fn from(info: &StreamInfo) -> Mark {
        Mark {
            last_generated: info.last_generated,
            length: info.length,
            entries_added: info.entries_added,
            first: info.first,
            newest: None,
        }
    }
}

impl Look {
    /// The look that brought this.
    pub fn of(info: Option<&StreamInfo>) -> Look {
        info.map_or(Look::Gone, |info| Look::There(info.into()))
    }

    /// What is known, if anything is there.
    pub fn mark(&self) -> Option<Mark> {
        match self {
            Look::There(mark) => Some(*mark),
            Look::Gone | Look::Unknown => None,
        }
    }

    pub(super) fn can_become(&self, later: &Look) -> bool {
        match (self, later) {
            (Look::There(then), Look::There(now)) => then.can_become(now),
            (Look::There(_), Look::Gone) => false,
            _ => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(first: u64, last: u64, length: u64, added: u64) -> Mark {
        let id = |ms| EntryId { ms, seq: 0 };
        Mark {
            last_generated: id(last),
            length,
            entries_added: Some(added),
            first: (length > 0).then(|| id(first)),
            newest: None,
        }
    }

    #[test]
    fn a_stream_that_only_grew_or_was_trimmed_is_the_same() {
        let known = mark(3, 12, 8, 12);
        for later in [
            known,
            mark(3, 13, 9, 13),
            mark(7, 12, 4, 12),
            // All trimmed, or deleted one by one, also the last.
            mark(0, 12, 0, 12),
            mark(3, 12, 1, 12),
            mark(40, 45, 6, 45),
        ] {
            assert!(known.can_become(&later), "{later:?}");
        }
        assert!(mark(0, 12, 0, 12).can_become(&mark(13, 13, 1, 13)));
        assert!(mark(0, 0, 0, 0).can_become(&mark(1, 9, 9, 9)));
    }

    #[test]
    fn a_stream_of_which_anything_went_back_is_another() {
        let known = mark(3, 12, 8, 12);
        for later in [
            mark(1, 4, 4, 4),
            // Ids that go on, but fewer entries than there were.
            mark(20, 23, 4, 4),
            // More entries than there were, but the oldest went without being trimmed.
            mark(20, 39, 16, 20),
            // An oldest entry that is older than the oldest.
            mark(1, 20, 20, 20),
        ] {
            assert!(!known.can_become(&later), "{later:?}");
        }
        // What is there now was not there when nothing was.
        assert!(!mark(0, 12, 0, 12).can_become(&mark(5, 20, 10, 22)));
    }

    #[test]
    fn a_newest_entry_that_is_another_than_it_was_tells() {
        let with = |entry: &[u8]| Mark {
            newest: Some((EntryId { ms: 12, seq: 0 }, Print::of(entry))),
            ..mark(3, 12, 8, 12)
        };
        assert!(with(b"same").can_become(&with(b"same")));
        assert!(!with(b"same").can_become(&with(b"other")));
        assert!(!with(&[0; 100]).can_become(&with(&[0; 101])));
        assert!(with(b"same").can_become(&mark(3, 12, 8, 12)));
    }

    #[test]
    fn before_redis_7_ids_alone_tell() {
        let old = |first, last| Mark {
            entries_added: None,
            ..mark(first, last, 5, 0)
        };
        assert!(old(3, 12).can_become(&old(8, 12)));
        assert!(!old(3, 12).can_become(&old(3, 11)));
        assert!(!old(3, 12).can_become(&old(2, 13)));
    }
}
