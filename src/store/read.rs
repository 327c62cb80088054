//! Entries from a cursor, as many as there is room for, and how many to ask Redis for at a time.
//!
//! Redis counts entries, not bytes, so a read sizes itself by the entries seen so far: it begins with one and at most
//! doubles. A stream whose small entries are followed by large ones can fool it, once, at the expense of Redis alone:
//! here, what arrives is kept only while there is room.

use super::entries::Entries;
use super::link::Nobody;
use super::{Session, value};
use crate::batch::{Joined, Offsets};
use crate::error::StoreError;
use crate::ids::{Cursor, EntryId, StreamId};

/// The most entries asked for at once. More would not be faster, and an entry can be large.
const MOST_AT_ONCE: usize = 1024;

/// The most bytes of entries held while only their ids are looked for.
const CHUNK_BYTES: usize = 8 << 20;

/// How many entries to ask Redis for next.
#[derive(Debug, Clone)]
pub struct ReadAhead {
    step: usize,
    /// The largest entry seen lately, in bytes.
    largest: usize,
}

/// How much one reading may bring.
#[derive(Debug, Clone, Copy)]
pub struct Room {
    /// Most entries.
    pub count: usize,
    /// Most bytes, unless the first entry alone is larger.
    pub bytes: usize,
    /// Most bytes of the list of their offsets.
    pub offsets: usize,
}

impl Default for ReadAhead {
    fn default() -> ReadAhead {
        ReadAhead { step: 1, largest: 0 }
    }
}

impl ReadAhead {
    /// How many entries to ask for when there is room for so many of them and so many bytes.
    pub fn count(&self, count: usize, bytes: usize) -> usize {
        let fitting = bytes / self.largest.max(1);
        self.step.min(fitting).min(count).max(1)
    }

    /// Learns from what a read brought: so many entries, the largest of this size.
    pub fn learn(&mut self, entries: usize, largest: usize) {
        if entries == 0 {
            return;
        }
        // Large entries are forgotten slowly, because the next one may be as large.
        self.largest = largest.max(self.largest / 2);
        self.step = (entries * 2).max(self.step).min(MOST_AT_ONCE);
        if entries < self.step / 4 {
            self.step /= 2;
        }
    }
}

impl Session {
    /// Entries from a cursor, as many as the span holds, oldest first. `$` brings none.
    pub fn read_span(&mut self, stream: &StreamId, from: Cursor, span: Room) -> Result<Joined, StoreError> {
        match from {
            Cursor::End => self.check_is_stream(stream).map(|()| Joined::default()),
            Cursor::After(id) => self.read_forward(stream, id, span),
            Cursor::Newest => {
                let newest = self.read_backward(stream, span)?;
                if let (false, Some(joined)) = (newest.cut, newest.oldest_first()) {
                    return Ok(joined);
                }
                // Not all of them fit: begin with the oldest, so that asking again from the last id brings the rest.
                let start = self.start_of_newest(stream, span.count)?;
                self.read_forward(stream, start, span)
            }
        }
    }

    /// The id after which the newest `count` entries come.
    pub fn start_of_newest(&mut self, stream: &StreamId, count: usize) -> Result<EntryId, StoreError> {
        let length = self.command_on(stream, redis::cmd("XLEN").arg(stream.as_str()))?;
        if value::number(&length).is_some_and(|length| length <= count as u64) {
            return Ok(EntryId::default());
        }
        let mut ahead = ReadAhead::default();
        let mut oldest: Option<EntryId> = None;
        let mut left = count;
        while left > 0 {
            let mut entries = self.read_before(stream, oldest, ahead.count(left, CHUNK_BYTES))?;
            let (mut seen, mut largest) = (0, 0);
            while let Some(arrival) = entries.next(&mut Nobody)? {
                entries.skip(&arrival, &mut Nobody)?;
                (seen, largest) = (seen + 1, largest.max(arrival.size));
                oldest = Some(arrival.id);
            }
            entries.finish(&mut Nobody)?;
            if seen == 0 {
                return Ok(EntryId::default());
            }
            ahead.learn(seen, largest);
            left = left.saturating_sub(seen);
        }
        Ok(oldest.map_or(EntryId::MAX, EntryId::before))
    }

    fn read_forward(&mut self, stream: &StreamId, after: EntryId, span: Room) -> Result<Joined, StoreError> {
        let mut ahead = ReadAhead::default();
        let mut kept = Kept::new(span);
        let mut last = after;
        while let Some((count, bytes)) = kept.room() {
            let entries = self.read_after(stream, last, ahead.count(count, bytes), None, &mut Nobody)?;
            match kept.take(entries, &mut ahead)? {
                Some(id) => last = id,
                None => break,
            }
        }
        Ok(kept.joined())
    }

    fn read_backward(&mut self, stream: &StreamId, span: Room) -> Result<Kept, StoreError> {
        let mut ahead = ReadAhead::default();
        let mut kept = Kept::new(span);
        let mut before = None;
        while let Some((count, bytes)) = kept.room() {
            let entries = self.read_before(stream, before, ahead.count(count, bytes))?;
            match kept.take(entries, &mut ahead)? {
                Some(id) => before = Some(id),
                None => break,
            }
        }
        Ok(kept)
    }
}

/// Entries kept so far, in the order in which they came, and whether the span's room cut them short.
struct Kept {
    /// Their ids, and where each starts.
    starts: Vec<(EntryId, usize)>,
    bytes: Vec<u8>,
    offsets: usize,
    cut: bool,
    span: Room,
}

impl Kept {
    fn new(span: Room) -> Kept {
        Kept {
            starts: Vec::new(),
            bytes: Vec::new(),
            offsets: Offsets::FRAME,
            cut: false,
            span,
        }
    }

    /// Entries and bytes that there is still room for.
    fn room(&self) -> Option<(usize, usize)> {
        let count = self.span.count - self.starts.len();
        let bytes = self.span.bytes.saturating_sub(self.bytes.len());
        (count > 0 && !self.cut).then_some((count, bytes))
    }

    /// Keeps what there is room for, and always the first; the last entry's id, none if none came.
    fn take(&mut self, mut entries: Entries<'_>, ahead: &mut ReadAhead) -> Result<Option<EntryId>, StoreError> {
        let (mut seen, mut largest, mut last) = (0, 0, None);
        while let Some(arrival) = entries.next(&mut Nobody)? {
            let (id, size, start) = (arrival.id, arrival.size, self.bytes.len());
            (seen, largest, last) = (seen + 1, largest.max(size), Some(id));
            self.offsets += Offsets::item_length(id, start);
            let full = start + size > self.span.bytes || self.offsets > self.span.offsets;
            if full && !self.starts.is_empty() {
                self.cut = true;
                entries.abandon(arrival)?;
                return Ok(last);
            }
            self.starts.push((id, start));
            entries.take(arrival, &mut self.bytes, &mut Nobody)?;
        }
        entries.finish(&mut Nobody)?;
        ahead.learn(seen, largest);
        Ok(last)
    }

    fn joined(self) -> Joined {
        let mut joined = Joined::default();
        for (id, start) in self.starts {
            joined.add(id, start);
        }
        joined.bytes = self.bytes;
        joined
    }

    /// What came newest first, turned round; none if the list of offsets is too long in that order.
    fn oldest_first(self) -> Option<Joined> {
        if self.starts.len() <= 1 {
            return Some(self.joined());
        }
        let mut joined = Joined::default();
        joined.bytes.reserve_exact(self.bytes.len());
        let mut end = self.bytes.len();
        let mut length = Offsets::FRAME;
        for (id, start) in self.starts.into_iter().rev() {
            let offset = joined.bytes.len();
            length += Offsets::item_length(id, offset);
            joined.add(id, offset);
            joined.bytes.extend_from_slice(&self.bytes[start..end]);
            end = start;
        }
        (length <= self.span.offsets).then_some(joined)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_read_begins_with_one_entry_and_at_most_doubles() {
        let mut ahead = ReadAhead::default();
        let mut counts = vec![];
        for _ in 0..13 {
            let count = ahead.count(1 << 30, 8 << 20);
            counts.push(count);
            ahead.learn(count, 10);
        }
        assert_eq!(counts, [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 1024, 1024]);
    }

    #[test]
    fn a_read_stays_within_the_bytes_by_the_largest_entry_seen() {
        let mut ahead = ReadAhead::default();
        for _ in 0..12 {
            ahead.learn(512, 10);
        }
        ahead.learn(1, 1 << 20);
        assert!(ahead.count(1000, 8 << 20) <= 8);
        assert_eq!(ahead.count(1000, 10), 1);
    }
}
