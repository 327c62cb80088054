//! Entries out of a stream, in pieces that fit in memory.
//!
//! Redis counts entries, not bytes, so a read sizes itself by the entries seen so far: it begins with one and
//! at most doubles. A stream whose small entries are followed by large ones can still fool it once. See <https://redis.io/docs/latest/commands/xread/> and `XREVRANGE` beside it.

use std::time::Duration;

use super::{Session, unexpected, value};
use crate::batch::{Entry, Offsets};
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

    /// Learns from what a read brought.
    pub fn learn(&mut self, entries: &[Entry]) {
        if entries.is_empty() {
            return;
        }
        let largest = entries.iter().map(|entry| entry.data.len()).max().unwrap_or(0);
        // Large entries are forgotten slowly, because the next one may be as large.
        self.largest = largest.max(self.largest / 2);
        self.step = (entries.len() * 2).max(self.step).min(MOST_AT_ONCE);
        if entries.len() < self.step / 4 {
            self.step /= 2;
        }
    }
}

impl Session {
    /// At most `count` entries after `after`, oldest first.
    fn read_after(&mut self, stream: &StreamId, after: EntryId, count: usize) -> Result<Vec<Entry>, StoreError> {
        let reply = self.command_on(stream, &xread(stream, after, count, None))?;
        value::entries_of_one_stream(reply).ok_or_else(|| unexpected("XREAD"))
    }

    /// Like `read_after`, but waits for the first entry for as long as `block` says, and also brings the length of the
    /// stream right after. The session's reply timeout must be longer than `block`.
    pub fn wait_after(
        &mut self,
        stream: &StreamId,
        after: EntryId,
        count: usize,
        block: Option<Duration>,
    ) -> Result<(Vec<Entry>, u64), StoreError> {
        let mut packed = xread(stream, after, count, block).get_packed_command();
        redis::cmd("XLEN")
            .arg(stream.as_str())
            .write_packed_command(&mut packed);
        let mut replies = self.exchange(&packed, 2)?;
        self.check(stream, &replies)?;
        let length = replies.pop().as_ref().and_then(value::number);
        let entries = replies.pop().and_then(value::entries_of_one_stream);
        entries.zip(length).ok_or_else(|| unexpected("XREAD and XLEN"))
    }

    /// Entries from a cursor, as many as the span holds, oldest first. `$` brings none.
    pub fn read_span(&mut self, stream: &StreamId, from: Cursor, span: Room) -> Result<Vec<Entry>, StoreError> {
        match from {
            Cursor::End => self.check_is_stream(stream).map(|()| Vec::new()),
            Cursor::After(id) => self.read_forward(stream, id, span),
            Cursor::Newest => {
                let mut newest = self.read_backward(stream, span)?;
                newest.entries.reverse();
                // Their offsets are known only in this order.
                let mut kept = Kept::new(span);
                kept.take(newest.entries);
                if !newest.cut && !kept.cut {
                    return Ok(kept.entries);
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
            let chunk = self.read_before(stream, oldest, ahead.count(left, CHUNK_BYTES))?;
            ahead.learn(&chunk);
            let Some(last) = chunk.last() else {
                return Ok(EntryId::default());
            };
            oldest = Some(last.id);
            left = left.saturating_sub(chunk.len());
        }
        Ok(oldest.map_or(EntryId::MAX, EntryId::before))
    }

    fn read_forward(&mut self, stream: &StreamId, after: EntryId, span: Room) -> Result<Vec<Entry>, StoreError> {
        let mut ahead = ReadAhead::default();
        let mut kept = Kept::new(span);
        let mut last = after;
        while let Some(room) = kept.room() {
            let (count, bytes) = room;
            let chunk = self.read_after(stream, last, ahead.count(count, bytes))?;
            ahead.learn(&chunk);
            match chunk.last() {
                Some(entry) => last = entry.id,
                None => break,
            }
            kept.take(chunk);
        }
        Ok(kept.entries)
    }

    fn read_backward(&mut self, stream: &StreamId, span: Room) -> Result<Kept, StoreError> {
        let mut ahead = ReadAhead::default();
        let mut kept = Kept::new(span);
        let mut before = None;
        while let Some(room) = kept.room() {
            let (count, bytes) = room;
            let chunk = self.read_before(stream, before, ahead.count(count, bytes))?;
            ahead.learn(&chunk);
            match chunk.last() {
                Some(entry) => before = Some(entry.id),
                None => break,
            }
            kept.take(chunk);
        }
        Ok(kept)
    }

    /// At most `count` entries before an id, or the newest ones, newest first.
    fn read_before(
        &mut self,
        stream: &StreamId,
        before: Option<EntryId>,
        count: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        let end = before.map_or("+".to_string(), |id| format!("({id}"));
        let mut read = redis::cmd("XREVRANGE");
        read.arg(stream.as_str()).arg(end).arg("-").arg("COUNT").arg(count);
        let reply = self.command_on(stream, &read)?;
        value::entries(reply).ok_or_else(|| unexpected("XREVRANGE"))
    }
}

fn xread(stream: &StreamId, after: EntryId, count: usize, block: Option<Duration>) -> redis::Cmd {
    let mut read = redis::cmd("XREAD");
    read.arg("COUNT").arg(count);
    if let Some(block) = block {
        read.arg("BLOCK").arg(block.as_millis() as u64);
    }
    read.arg("STREAMS").arg(stream.as_str()).arg(after.to_string());
    read
}

/// Entries kept so far, and whether the span's bytes cut them short.
struct Kept {
    entries: Vec<Entry>,
    bytes: usize,
    offsets: usize,
    cut: bool,
    span: Room,
}

impl Kept {
    fn new(span: Room) -> Kept {
        Kept {
            entries: Vec::new(),
            bytes: 0,
            offsets: Offsets::FRAME,
            cut: false,
            span,
        }
    }

    /// Entries and bytes that there is still room for.
    fn room(&self) -> Option<(usize, usize)> {
        let count = self.span.count - self.entries.len();
        let bytes = self.span.bytes.saturating_sub(self.bytes);
        (count > 0 && !self.cut).then_some((count, bytes))
    }

    fn take(&mut self, chunk: Vec<Entry>) {
        for entry in chunk {
            self.offsets += Offsets::item_length(entry.id, self.bytes);
            self.bytes += entry.data.len();
            let full = self.bytes > self.span.bytes || self.offsets > self.span.offsets;
            if full && !self.entries.is_empty() {
                self.cut = true;
                return;
            }
            self.entries.push(entry);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(count: usize, size: usize) -> Vec<Entry> {
        vec![
            Entry {
                id: EntryId::default(),
                data: vec![0; size]
            };
            count
        ]
    }

    #[test]
    fn a_read_begins_with_one_entry_and_at_most_doubles() {
        let mut ahead = ReadAhead::default();
        let mut counts = vec![];
        for _ in 0..13 {
            let count = ahead.count(1 << 30, 8 << 20);
            counts.push(count);
            ahead.learn(&entries(count, 10));
        }
        assert_eq!(counts, [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 1024, 1024]);
    }

    #[test]
    fn a_read_stays_within_the_bytes_by_the_largest_entry_seen() {
        let mut ahead = ReadAhead::default();
        for _ in 0..12 {
            ahead.learn(&entries(512, 10));
        }
        ahead.learn(&entries(1, 1 << 20));
        assert!(ahead.count(1000, 8 << 20) <= 8);
        assert_eq!(ahead.count(1000, 10), 1);
    }
}
