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
use crate::limits::{ROOM_PATIENCE, Reservation, UNCOUNTED};
use crate::units::Size;

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
    /// Entries from a cursor, as many as the span and the memory that can be `held` have room for, oldest first.
    /// `$` brings none; `NoRoom` if there is none for the first.
    pub fn read_span(
        &mut self,
        stream: &StreamId,
        from: Cursor,
        span: Room,
        held: &mut Reservation,
    ) -> Result<Joined, StoreError> {
        match from {
            Cursor::End => self.check_is_stream(stream).map(|()| Joined::default()),
            Cursor::After(id) => self.read_forward(stream, id, Kept::new(span, held)),
            Cursor::Newest => {
                let newest = self.read_backward(stream, Kept::new(span, held))?;
                if let Some(joined) = newest {
                    return Ok(joined);
                }
                // Not all of them fit: begin with the oldest, so that asking again from the last id brings the rest.
                held.shrink_to(0);
                let start = self.start_of_newest(stream, span.count)?;
                self.read_forward(stream, start, Kept::new(span, held))
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

    fn read_forward(&mut self, stream: &StreamId, after: EntryId, mut kept: Kept<'_>) -> Result<Joined, StoreError> {
        let mut ahead = ReadAhead::default();
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

    /// The newest entries; none if there is no room for all of them.
    fn read_backward(&mut self, stream: &StreamId, mut kept: Kept<'_>) -> Result<Option<Joined>, StoreError> {
        let mut ahead = ReadAhead::default();
        let mut before = None;
        while let Some((count, bytes)) = kept.room() {
            let entries = self.read_before(stream, before, ahead.count(count, bytes))?;
            match kept.take(entries, &mut ahead)? {
                Some(id) => before = Some(id),
                None => break,
            }
        }
        Ok(kept.oldest_first())
    }
}

/// Entries kept so far, in the order in which they came, and whether the span's room cut them short.
struct Kept<'a> {
    /// Their ids, and where each starts.
    starts: Vec<(EntryId, usize)>,
    bytes: Vec<u8>,
    offsets: usize,
    cut: bool,
    span: Room,
    held: &'a mut Reservation,
}

impl Kept<'_> {
    fn new(span: Room, held: &mut Reservation) -> Kept<'_> {
        Kept {
            starts: Vec::new(),
            bytes: Vec::new(),
            offsets: Offsets::FRAME,
            cut: false,
            span,
            held,
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
            let first = self.starts.is_empty();
            if (full && !first) || !self.hold(start + size) {
                self.cut = true;
                entries.abandon(arrival)?;
                return if first { Err(self.no_room()) } else { Ok(last) };
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

    /// Makes sure that so many bytes are held, if they are so many that they count.
    fn hold(&mut self, bytes: usize) -> bool {
        let more = bytes.saturating_sub(self.held.bytes());
        bytes <= UNCOUNTED || self.held.grow_within(more, ROOM_PATIENCE)
    }

    fn no_room(&self) -> StoreError {
        let limit = Size(self.held.limit());
        StoreError::NoRoom(format!("Request bodies and replies use all of {limit} (--max-bodies)."))
    }

    /// What came newest first, turned round; none if it was cut, or if there is no room to turn it.
    fn oldest_first(mut self) -> Option<Joined> {
        if self.cut || (self.starts.len() > 1 && !self.hold(2 * self.bytes.len())) {
            return None;
        }
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
        self.held.shrink_to(joined.bytes.len());
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
