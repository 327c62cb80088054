//! Streams that begin anew under a pull: deleted and used again, renamed over, restored, flushed, or set back because Redis
//! lost what it had last. What lies behind the pull's place may never come then, and what comes may lie before it.
//!
//! A pull compares what it last knew of a stream with what is learned later: by a read that tells (`json`, `on_gap`,
//! `newest`), by a look of its own after Redis was away, and by the looks that the whole process shares. If the stream can
//! only have begun anew, that is told as a gap, and the pull goes on from the start of what there is.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use rustix::event::PollFd;

use super::begin::Position;
use super::gaps::Gaps;
use super::ledger::Ledger;
use super::tell::tell;
use super::{Outlet, Pull, Stop, Tally};
use crate::store::{Beside, Change, Lately, Look, Mark, Print, Session, Watched};
use crate::words::ids::{EntryId, StreamId};
use crate::words::shape::Gap;

/// How many reads are remembered, to know whether one of them began with the first entry of a new generation.
const MOST_READS: usize = 256;

/// What a pull knows of the generation of a stream that it reads.
pub struct Generation {
    watched: Arc<Watched>,
    /// What of it the pull has taken notice of.
    version: u64,
    /// What was last known of the stream, if it was there, and when Redis was asked.
    known: Option<Mark>,
    since: Instant,
    /// Whether the pull's place is one that the stream has reached. A client may give one far ahead, and waits for it.
    is_reached: bool,
    /// What the last entry was that came.
    print: Option<Print>,
    /// The first entries of the latest reads of which nothing more was known, and when they came.
    reads: VecDeque<(EntryId, Instant)>,
}

impl Generation {
    /// Begins to watch a stream, before anything is asked about it.
    pub fn watch(session: &Session, stream: &StreamId) -> Generation {
        let watched = session.watch(stream);
        Generation {
            version: watched.version(),
            watched,
            known: None,
            since: Instant::now(),
            is_reached: false,
            print: None,
            reads: VecDeque::new(),
        }
    }

    /// Begins to read at a place that the stream has reached, or has not.
    pub fn begin(&mut self, known: Option<Mark>, is_reached: bool) {
        (self.known, self.is_reached) = (known, is_reached);
    }

    /// An entry came, so that the stream has reached the pull's place.
    pub fn reached(&mut self, entry: &[u8]) {
        (self.is_reached, self.print) = (true, Some(Print::of(entry)));
    }

    /// A read brought entries, the first of them this one, and nothing else about the stream.
    pub fn read(&mut self, first: EntryId, came: Instant) {
        if self.reads.len() == MOST_READS {
            self.reads.pop_front();
        }
        self.reads.push_back((first, came));
    }

    /// Whether nothing was added behind a place, as far as is known.
    pub fn is_at_end(&self, last: EntryId) -> bool {
        self.known.is_none_or(|mark| mark.last_generated <= last)
    }

    /// Whether what was learned since the pull's last look says that the stream has begun anew, or may have.
    fn doubts(&self, lately: &Lately, last: EntryId, ledger: &Ledger) -> bool {
        let knew = self.is_reached && (self.known.is_some() || last != EntryId::default());
        let is_changed = lately.change.is_some_and(|change| change.before >= self.since);
        // What was seen before the last entry came says nothing of it.
        let read = self.reads.back().map_or(self.since, |(_, came)| *came).max(self.since);
        let look = lately.look.filter(|(asked, _)| *asked > read);
        knew && (is_changed || look.is_some_and(|(_, look)| !self.can_be(&look, last, ledger)))
    }

    /// Whether a look can be of the generation that the pull reads. Only exact books prove that it cannot: an entry that was
    /// removed right behind a read makes those of `Gaps` count one too many.
    fn can_be(&self, look: &Look, last: EntryId, ledger: &Ledger) -> bool {
        match look {
            Look::Unknown => true,
            Look::Gone => self.known.is_none() && last == EntryId::default(),
            Look::There(mark) => {
                let lost = ledger
                    .passed()
                    .zip(mark.entries_added)
                    .is_some_and(|(passed, added)| passed > added);
                let is_other = mark.newest.zip(self.print);
                let is_other = is_other.is_some_and(|((id, print), own)| id == last && print != own);
                mark.last_generated >= last
                    && !is_other
                    && !lost
                    && self.known.is_none_or(|known| known.can_become(mark))
            }
        }
    }

    /// Takes notice of a look that is of the generation that is read.
    fn know(&mut self, look: &Look, asked: Instant) {
        if *look == Look::Unknown || asked < self.since {
            return;
        }
        let newest = self.known.and_then(|known| known.newest);
        let mark = look.mark().map(|mark| Mark {
            newest: mark.newest.or(newest),
            ..mark
        });
        (self.known, self.since) = (mark, asked);
        self.reads.retain(|(_, came)| *came > asked);
    }

    /// Whether the first entry of a new generation was read as such, so that all behind it was. An old one may have had the
    /// same id: it has not if the pull's last entry is the newest of the new generation, or it came when the old one may
    /// have been there no longer.
    fn has_read(&self, first: EntryId, mark: &Mark, last: EntryId, change: Option<Change>) -> bool {
        let is_newest = mark
            .newest
            .filter(|(id, _)| *id == last)
            .map(|(_, print)| Some(print) == self.print);
        let after = match (is_newest, change) {
            (Some(false), _) | (None, None) => return false,
            (_, change) => change.map_or(self.since, |change| change.before),
        };
        self.reads.iter().any(|(read, came)| *read == first && *came > after)
    }
}

impl Position {
    /// Whether the stream may have begun anew, by what the process learned of it lately.
    pub fn is_doubtful(&self) -> bool {
        let generation = &self.generation;
        let watched = &generation.watched;
        watched.version() != generation.version && generation.doubts(&watched.lately(), self.last, &self.ledger)
    }

    /// The same, and takes notice of what does not say so.
    fn keep_up(&mut self) -> bool {
        let version = self.generation.watched.version();
        if version == self.generation.version {
            return false;
        }
        let lately = self.generation.watched.lately();
        if self.generation.doubts(&lately, self.last, &self.ledger) {
            return true;
        }
        self.generation.version = version;
        if let Some((asked, look)) = lately.look {
            self.generation.know(&look, asked);
        }
        false
    }

    /// Compares a look, for which Redis was asked at this moment, with what was known before: the gap, if the stream has
    /// begun anew. The place is a new one then.
    pub fn meet(&mut self, look: &Look, asked: Instant) -> Option<Gap> {
        let generation = &mut self.generation;
        generation.version = generation.watched.version();
        let change = generation.watched.lately().change;
        let change = change.filter(|change| change.before >= generation.since && change.after <= asked);
        let knew = generation.known.is_some() || self.last != EntryId::default();
        let is_anew = *look != Look::Unknown
            && generation.is_reached
            && ((knew && change.is_some()) || !self.generation.can_be(look, self.last, &self.ledger));
        if !is_anew {
            self.generation.know(look, asked);
            return None;
        }
        // Nothing of the new generation was passed over if the pull is before its first entry, or has read that.
        let goes_on = look.mark().is_some_and(|mark| {
            let is_before = |first| first > self.last || self.generation.has_read(first, &mark, self.last, change);
            mark.last_generated >= self.last && mark.first.is_none_or(is_before)
        });
        Some(self.begin_anew(look, asked, goes_on))
    }

    /// Begins with the new generation: from its start, or from where the pull is if that is before it.
    pub fn begin_anew(&mut self, look: &Look, asked: Instant, goes_on: bool) -> Gap {
        let (after, mark) = (self.last, look.mark());
        // What there was and was not read, and what is gone of the new generation by now.
        let added = self.generation.known.and_then(|known| known.entries_added);
        let unread = added
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
        let generation = &mut self.generation;
        (generation.known, generation.since, generation.is_reached) = (mark, asked, true);
        (generation.print, generation.reads) = (None, VecDeque::new());
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

impl Pull {
    /// Tells of streams that have begun anew, as far as the process knows of any, and looks again where it may be so: after
    /// Redis was away, at all of them.
    pub(super) fn check_generations(&mut self, outlet: &mut dyn Outlet, tally: &Tally<'_>) -> Result<(), Stop> {
        let waiting = self.delivery.waiting();
        let mut gaps: Vec<Gap> = waiting
            .iter()
            .filter_map(|index| self.delivery.places[*index].found.take())
            .collect();
        let mut doubtful = waiting;
        if !self.was_away {
            doubtful.retain(|index| self.delivery.places[*index].keep_up());
        }
        if !doubtful.is_empty() {
            let places = &self.delivery.places;
            let streams: Vec<&Watched> = doubtful
                .iter()
                .map(|index| &*places[*index].generation.watched)
                .collect();
            let asked = Instant::now();
            let looks = self.session.look(&streams, outlet)?;
            self.was_away = false;
            for (index, look) in doubtful.iter().zip(looks) {
                gaps.extend(self.delivery.places[*index].meet(&look, asked));
            }
        }
        for gap in gaps {
            // What it has lies elsewhere now.
            self.caught_up = false;
            tell(&gap, self.close_on_gap, outlet, tally)?;
            // It may be long until something follows.
            outlet.flush()?;
        }
        Ok(())
    }
}

/// A client, seen to while Redis is waited for: until a stream that is waited for may have begun anew.
pub struct Watching<'a> {
    /// The client.
    pub outlet: &'a mut dyn Outlet,
    /// The streams.
    pub places: &'a [Position],
}

impl Beside for Watching<'_> {
    fn interest(&self) -> Option<PollFd<'_>> {
        self.outlet.interest()
    }

    fn see_to(&mut self) -> bool {
        let is_doubtful = |place: &Position| !place.done && place.is_doubtful();
        self.outlet.see_to() && !self.places.iter().any(is_doubtful)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::store::Store;

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
