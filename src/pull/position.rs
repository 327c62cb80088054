//! A stream and how far a pull has read it: a row of the pull's table, which the rounds move on. `begin` makes it; what comes of
//! reading and of looks goes in, gaps come out.

use std::time::{Duration, Instant};

use super::clock::Clock;
use super::gaps::Gaps;
use super::generation::Generation;
use super::ledger::Ledger;
use crate::store::{Look, StreamInfo};
use crate::words::ids::{EntryId, StreamId};
use crate::words::shape::Gap;

/// A stream and how far it has been read.
pub struct Position {
    /// Its name.
    pub stream: StreamId,
    /// The last entry that was read or passed.
    pub last: EntryId,
    /// Whether the client has read the entry there, or the stream had come as far as that when reading began. A place that a
    /// client only begins at, such as a time, may lie anywhere.
    pub is_read: bool,
    /// The last entry that is wanted, if there is an end.
    pub until: Option<EntryId>,
    /// Whether everything wanted has been read.
    pub done: bool,
    /// What is known of gaps, for a look now and then, and for exact books.
    pub gaps: Gaps,
    pub ledger: Ledger,
    /// What is known of the stream's generation, and a gap that was found when it began to be read, until it is told.
    pub generation: Generation,
    pub found: Option<Gap>,
}

impl Position {
    /// How long entries that are wanted may still be added; none if without end.
    pub fn time_left(&self, clock: Option<&Clock>) -> Option<Duration> {
        let (until, clock) = self.until.zip(clock)?;
        // Entries can be added to a millisecond until it is over.
        let left = until.ms.saturating_add(1).saturating_sub(clock.now());
        Some(Duration::from_millis(left))
    }

    /// Whether nothing that is wanted will be added any more.
    pub fn is_past(&self, clock: Option<&Clock>) -> bool {
        self.time_left(clock).is_some_and(|left| left.is_zero())
    }

    /// Whether nothing that is wanted can be added any more, because ids only grow.
    pub fn is_passed_by(&self, info: Option<&StreamInfo>) -> bool {
        let newest = info.map(|info| info.last_generated);
        self.until.zip(newest).is_some_and(|(until, newest)| newest >= until)
    }

    /// What was trimmed between the last entry that was read and the oldest that is left.
    pub fn find_gap(&mut self, info: Option<&StreamInfo>) -> Option<Gap> {
        let missing = self.ledger.check(info, self.last)?;
        Some(Gap {
            stream: self.stream.clone(),
            after: self.last,
            before: missing.before,
            missed: missing.count,
            anew: false,
        })
    }

    /// Whether the stream may have begun anew, by what the process learned of it lately.
    pub fn is_doubtful(&self) -> bool {
        self.generation.is_doubtful(self.last, &self.ledger)
    }

    /// The same, and takes notice of what does not say so.
    pub fn keep_up(&mut self) -> bool {
        self.generation.keep_up(self.last, &self.ledger)
    }

    /// Compares a look, for which Redis was asked at this moment, with what was known before: the gap, if the stream has
    /// begun anew. The place is a new one then.
    pub fn meet(&mut self, look: &Look, asked: Instant) -> Option<Gap> {
        let goes_on = self.generation.compare(look, asked, self.last, &self.ledger)?;
        Some(self.begin_anew(look, asked, goes_on))
    }

    /// Begins with the new generation: from its start, or from where the pull is if that is before it.
    pub fn begin_anew(&mut self, look: &Look, asked: Instant, goes_on: bool) -> Gap {
        let (after, mark) = (self.last, look.mark());
        // What there was and was not read, and what is gone of the new generation by now.
        let unread = self
            .generation
            .entries_added()
            .zip(self.passed())
            .map(|(added, passed)| added.saturating_sub(passed));
        let trimmed = mark.map_or(Some(0), |mark| mark.trimmed());
        let newest = mark.map_or(EntryId::default(), |mark| mark.last_generated);
        let before = mark.and_then(|mark| mark.first).unwrap_or(newest.after());
        let is_read = goes_on && before <= after;
        if !goes_on {
            self.last = before.before();
        }
        let passed = trimmed.filter(|_| !is_read);
        (self.ledger, self.gaps) = (Ledger::new(passed), Gaps::new(passed));
        self.generation.renew(mark, asked);
        Gap {
            stream: self.stream.clone(),
            after,
            before,
            missed: unread
                .zip(trimmed)
                .map(|(unread, trimmed)| if is_read { unread } else { unread + trimmed }),
            anew: true,
        }
    }

    /// How many entries had ever been added up to the pull's place, if that is known.
    fn passed(&self) -> Option<u64> {
        self.ledger.passed().max(self.gaps.passed())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::store::{Mark, Store};

    #[test]
    fn an_entry_that_was_removed_right_behind_its_read_is_no_proof_of_another_generation() {
        let id = |ms| EntryId { ms, seq: 0 };
        let store = Store::new("redis://127.0.0.1:1", 1, Arc::default()).unwrap();
        let session = Arc::new(store).session(Duration::ZERO);
        let stream = StreamId::new("s").unwrap();
        // Of nine entries the last one, which was read, was removed before the gap was counted.
        let look = |last, added| {
            Look::There(Mark {
                last_generated: id(last),
                length: 8,
                entries_added: Some(added),
                first: Some(id(1)),
                newest: None,
            })
        };
        let mut place = Position {
            stream: stream.clone(),
            last: id(9),
            is_read: true,
            until: None,
            done: false,
            gaps: Gaps::new(Some(10)),
            ledger: Ledger::new(Some(9)),
            generation: Generation::watch(&session, &stream),
            found: None,
        };
        place.generation.begin(look(9, 9).mark(), true);
        assert_eq!(place.meet(&look(9, 9), Instant::now()), None);
        // Fewer than were read of it are proof.
        let gap = place.meet(&look(9, 8), Instant::now());
        assert!(gap.is_some_and(|gap| gap.anew));
    }
}
