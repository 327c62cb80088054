//! Entries from a cursor, as many as there is room for, and how many to ask Redis for at a time.
//!
//! Redis counts entries, not bytes, so a read sizes itself by the entries seen so far: it begins with one and at most
//! doubles. A stream whose small entries are followed by large ones can fool it, once, at the expense of Redis alone:
//! here, what arrives is kept only while there is room.

use super::ask::Before;
use super::entries::Entries;
use super::link::Nobody;
use super::{Session, value};
use crate::limits::{ROOM_PATIENCE, Reservation, UNCOUNTED};
use crate::words::batch::{FRAME, Joined, item_length};
use crate::words::cursor::{Cursor, Moment, Until};
use crate::words::error::StoreError;
use crate::words::ids::{EntryId, StreamId};
use crate::words::units::Size;

/// The most entries asked for at once. More would not be faster, and an entry can be large.
const MOST_AT_ONCE: usize = 1024;

/// The most bytes of entries held while only their ids are looked for.
const CHUNK_BYTES: usize = 8 << 20;

/// How many entries to ask Redis for next.
#[derive(Debug, Clone)]
pub struct ReadAhead {
    step: usize,
    /// The largest entry seen lately, in bytes; none if none was seen yet.
    largest: Option<usize>,
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
    /// Bytes of that list that each entry takes besides its id and offset, such as the name of its stream.
    pub each: usize,
}

impl Default for ReadAhead {
    fn default() -> ReadAhead {
        ReadAhead { step: 1, largest: None }
    }
}

impl ReadAhead {
    /// How many entries to ask for when there is room for so many of them and so many bytes.
    pub fn count(&self, count: usize, bytes: usize) -> usize {
        self.step.min(self.fitting(bytes)).min(count).max(1)
    }

    /// How many entries as large as the largest seen lately fit into so many bytes. The first may be of any size.
    pub fn fitting(&self, bytes: usize) -> usize {
        self.largest.map_or(1, |largest| bytes / largest.max(1))
    }

    /// Learns from what a read brought: so many entries, the largest of this size.
    pub fn learn(&mut self, entries: usize, largest: usize) {
        if entries == 0 {
            return;
        }
        // Large entries are forgotten slowly, because the next one may be as large.
        self.largest = Some(largest.max(self.largest.unwrap_or(0) / 2));
        self.step = (entries * 2).max(self.step).min(MOST_AT_ONCE);
        if entries < self.step / 4 {
            self.step /= 2;
        }
    }
}

impl Session {
    /// Redis's clock, if any of these places depends on it; else 0.
    pub fn time_for(&mut self, from: &[Cursor], until: Option<Until>) -> Result<u64, StoreError> {
        let from = from.iter().any(Cursor::is_relative);
        let until = matches!(until, Some(Until::Moment(Moment::Ago(_))));
        if from || until { self.time() } else { Ok(0) }
    }

    /// The last entry of a stream that is wanted, of those that are there now; none for all of them.
    pub fn end_of(&mut self, stream: &StreamId, until: Option<Until>, now: u64) -> Result<Option<EntryId>, StoreError> {
        Ok(match until {
            None | Some(Until::Newest) => None,
            Some(Until::First) => {
                let info = self.info(stream, &mut Nobody)?;
                Some(info.and_then(|info| info.first).unwrap_or_default())
            }
            Some(Until::Id(id)) => Some(id),
            Some(Until::Moment(moment)) => Some(EntryId::last_of(moment.milliseconds(now))),
        })
    }

    /// Entries of a stream, as many as the span and the memory that can be `held` have room for, oldest first. `NoRoom` if
    /// there is none for the first.
    pub fn read_span(
        &mut self,
        stream: &StreamId,
        from: Start,
        until: Option<EntryId>,
        room: Room,
        held: &mut Reservation,
    ) -> Result<Joined, StoreError> {
        match from {
            Start::Nowhere => self.check_is_stream(stream).map(|()| Joined::default()),
            Start::After(id) => self.read_forward(stream, id, until, Kept::new(room, held)),
            Start::Newest(count) => {
                let room = Room {
                    count: room.count.min(count),
                    ..room
                };
                let newest = self.read_backward(stream, until, Kept::new(room, held))?;
                if let Some(joined) = newest {
                    return Ok(joined);
                }
                // Not all of them fit: begin with the oldest, so that asking again from the last id brings the rest.
                held.shrink_to(0);
                let start = self.start_of_newest(stream, until, room.count)?;
                self.read_forward(stream, start, until, Kept::new(room, held))
            }
        }
    }

    /// The id after which the newest `count` entries come, up to and with `until`.
    pub fn start_of_newest(
        &mut self,
        stream: &StreamId,
        until: Option<EntryId>,
        count: usize,
    ) -> Result<EntryId, StoreError> {
        let length = self.command_on(stream, redis::cmd("XLEN").arg(stream.as_str()))?;
        if value::number(&length).is_some_and(|length| length <= count as u64) {
            return Ok(EntryId::default());
        }
        let mut ahead = ReadAhead::default();
        let mut oldest: Option<EntryId> = None;
        let mut left = count;
        while left > 0 {
            let before = oldest.map_or_else(|| Before::newest(until), Before::Entry);
            let mut entries = self.read_before(stream, before, ahead.count(left, CHUNK_BYTES))?;
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

    fn read_forward(
        &mut self,
        stream: &StreamId,
        after: EntryId,
        until: Option<EntryId>,
        mut kept: Kept<'_>,
    ) -> Result<Joined, StoreError> {
        let mut ahead = ReadAhead::default();
        let mut last = after;
        while let Some((count, bytes)) = kept.room() {
            let entries = self.read_after(&[(stream, last)], ahead.count(count, bytes), None, &mut Nobody)?;
            match kept.take(entries, until, &mut ahead)? {
                Some(id) => last = id,
                None => break,
            }
        }
        Ok(kept.joined())
    }

    /// The newest entries; none if there is no room for all of them.
    fn read_backward(
        &mut self,
        stream: &StreamId,
        until: Option<EntryId>,
        mut kept: Kept<'_>,
    ) -> Result<Option<Joined>, StoreError> {
        let mut ahead = ReadAhead::default();
        let mut before = Before::newest(until);
        while let Some((count, bytes)) = kept.room() {
            let entries = self.read_before(stream, before, ahead.count(count, bytes))?;
            match kept.take(entries, None, &mut ahead)? {
                Some(id) => before = Before::Entry(id),
                None => break,
            }
        }
        Ok(kept.oldest_first())
    }
}

/// Where a reading of what is there now begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// After this entry.
    After(EntryId),
    /// With the newest so many.
    Newest(usize),
    /// At the end, where nothing is.
    Nowhere,
}

impl Start {
    /// Where a cursor begins. `count` is for `*`, and `now` is Redis's clock.
    pub fn of(cursor: Cursor, count: usize, now: u64) -> Start {
        match cursor {
            Cursor::After(id) | Cursor::Unread(id) => Start::After(id),
            Cursor::Since(moment) => Start::After(EntryId::first_of(moment.milliseconds(now)).before()),
            Cursor::Newest => Start::Newest(count),
            Cursor::Latest => Start::Newest(1),
            Cursor::End => Start::Nowhere,
        }
    }
}

impl Before {
    /// The newest of all, or up to and with this one.
    fn newest(until: Option<EntryId>) -> Before {
        until.map_or(Before::End, Before::Through)
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
            offsets: FRAME,
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

    /// Keeps what there is room for up to and with `until`, and always the first; the last entry's id, none if none came.
    fn take(
        &mut self,
        mut entries: Entries<'_>,
        until: Option<EntryId>,
        ahead: &mut ReadAhead,
    ) -> Result<Option<EntryId>, StoreError> {
        let (mut seen, mut largest, mut last) = (0, 0, None);
        while let Some(arrival) = entries.next(&mut Nobody)? {
            let (id, size, start) = (arrival.id, arrival.size, self.bytes.len());
            if until.is_some_and(|until| id > until) {
                self.cut = true;
                entries.abandon(arrival)?;
                return Ok(last);
            }
            (seen, largest, last) = (seen + 1, largest.max(size), Some(id));
            self.offsets += item_length(id, start) + self.span.each;
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
            joined.add(0, id, start);
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
        let mut length = FRAME;
        for (id, start) in self.starts.into_iter().rev() {
            let offset = joined.bytes.len();
            length += item_length(id, offset) + self.span.each;
            joined.add(0, id, offset);
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
