//! Streams that begin anew under a pull: deleted and used again, renamed over, restored, flushed, or set back because Redis
//! lost what it had last. What lies behind the pull's place may never come then, and what comes may lie before it.
//!
//! A pull compares what it last knew of a stream with what is learned later: by a read that tells (`json`, `on_gap`,
//! `newest`), by a look of its own after Redis was away, and by the looks that the whole process shares. If the stream can
//! only have begun anew, that is told as a gap, and the pull goes on from the start of what there is.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use super::ledger::Ledger;
use crate::store::{Change, Lately, Look, Mark, Print, Session, Watched};
use crate::words::ids::{EntryId, StreamId};

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

    /// The stream, as the whole process watches it.
    pub fn watched(&self) -> &Watched {
        &self.watched
    }

    /// How many entries had ever been added to the stream when it was last looked at.
    pub fn entries_added(&self) -> Option<u64> {
        self.known.and_then(|known| known.entries_added)
    }

    /// Whether the stream may have begun anew, by what the process learned of it lately.
    pub fn is_doubtful(&self, last: EntryId, ledger: &Ledger) -> bool {
        self.watched.version() != self.version && self.doubts(&self.watched.lately(), last, ledger)
    }

    /// The same, and takes notice of what does not say so.
    pub fn keep_up(&mut self, last: EntryId, ledger: &Ledger) -> bool {
        let version = self.watched.version();
        if version == self.version {
            return false;
        }
        let lately = self.watched.lately();
        if self.doubts(&lately, last, ledger) {
            return true;
        }
        self.version = version;
        if let Some((asked, look)) = lately.look {
            self.know(&look, asked);
        }
        false
    }

    /// Compares a look, for which Redis was asked at this moment, with what was known before. If the stream has begun anew:
    /// whether the pull can go on from where it is, because nothing of the new generation was passed over.
    pub fn compare(&mut self, look: &Look, asked: Instant, last: EntryId, ledger: &Ledger) -> Option<bool> {
        self.version = self.watched.version();
        let change = self.watched.lately().change;
        let change = change.filter(|change| change.before >= self.since && change.after <= asked);
        let knew = self.known.is_some() || last != EntryId::default();
        let is_anew = *look != Look::Unknown
            && self.is_reached
            && ((knew && change.is_some()) || !self.can_be(look, last, ledger));
        if !is_anew {
            self.know(look, asked);
            return None;
        }
        // So it is if the pull is before its first entry, or has read that.
        Some(look.mark().is_some_and(|mark| {
            let is_before = |first| first > last || self.has_read(first, &mark, last, change);
            mark.last_generated >= last && mark.first.is_none_or(is_before)
        }))
    }

    /// Begins with a new one, of which this is known.
    pub fn renew(&mut self, known: Option<Mark>, asked: Instant) {
        (self.known, self.since, self.is_reached) = (known, asked, true);
        (self.print, self.reads) = (None, VecDeque::new());
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
