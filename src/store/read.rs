//! Entries from a cursor, as many as there is room for: what `GET` reads, and where a pull of the newest begins.

use super::ask::Before;
use super::beside::Nobody;
use super::kept::{Kept, Room};
use super::read_ahead::ReadAhead;
use super::{Session, value};
use crate::limits::Reservation;
use crate::words::batch::Joined;
use crate::words::cursor::{Cursor, Moment, Until};
use crate::words::error::StoreError;
use crate::words::ids::{EntryId, StreamId};

/// The most bytes of entries held while only their ids are looked for.
const CHUNK_BYTES: usize = 8 << 20;

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
