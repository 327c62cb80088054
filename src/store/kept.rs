//! What a reading keeps of the entries that come, within the room that there is. `read` fills it, forward or backward.

use super::beside::Nobody;
use super::entries::Entries;
use super::read_ahead::ReadAhead;
use crate::limits::{ROOM_PATIENCE, Reservation, UNCOUNTED};
use crate::words::batch::{FRAME, Joined, item_length};
use crate::words::error::StoreError;
use crate::words::ids::EntryId;
use crate::words::units::Size;

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

/// Entries kept so far, in the order in which they came, and whether the span's room cut them short.
pub(super) struct Kept<'a> {
    /// Their ids, and where each starts.
    pub(super) starts: Vec<(EntryId, usize)>,
    bytes: Vec<u8>,
    offsets: usize,
    cut: bool,
    span: Room,
    held: &'a mut Reservation,
}

impl Kept<'_> {
    /// Nothing yet, within this room and what is held of `--max-bodies`.
    pub(super) fn new(span: Room, held: &mut Reservation) -> Kept<'_> {
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
    pub(super) fn room(&self) -> Option<(usize, usize)> {
        let count = self.span.count - self.starts.len();
        let bytes = self.span.bytes.saturating_sub(self.bytes.len());
        (count > 0 && !self.cut).then_some((count, bytes))
    }

    /// Keeps what there is room for up to and with `until`, and always the first; the last entry's id, none if none came.
    pub(super) fn take(
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

    /// All of them, in the order in which they came.
    pub(super) fn joined(self) -> Joined {
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
    pub(super) fn oldest_first(mut self) -> Option<Joined> {
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
