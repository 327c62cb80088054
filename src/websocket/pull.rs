//! `/data/{id}/pull`: one thread that waits in `XREAD` and sends what comes, looking up once a second for the peer.

use std::collections::VecDeque;
use std::time::Duration;

use log::warn;

use super::socket::{Ending, Socket};
use super::{Moved, store_failed};
use crate::batch::{self, Entry};
use crate::context::Context;
use crate::error::StoreError;
use crate::ids::{Cursor, EntryId, StreamId};
use crate::store::{ReadAhead, Session};

/// The most bytes of one reply, unless a single entry is larger.
pub const MAX_REPLY: usize = 8 << 20;

/// The most entries of one reply, whatever `count` says: their list of offsets stays below half a megabyte.
const MOST_ENTRIES: u64 = 16_384;

/// How long one `XREAD` waits. A ping or a close of the peer waits as long, and may wait two seconds.
/// It doubles from the shortest to the longest while nothing comes: clients mostly leave right after an entry,
/// and a thousand silent pulls should cost Redis little.
const SHORTEST_BLOCK: Duration = Duration::from_millis(100);
const LONGEST_BLOCK: Duration = Duration::from_millis(1000);

/// How long Redis may take over a reply: longer than it blocks, and short enough to see to the peer in time.
const REPLY_TIMEOUT: Duration = Duration::from_millis(1800);

/// A pull and how far it has come.
pub struct Pull {
    stream: StreamId,
    count: usize,
    /// The last entry that was read.
    last: EntryId,
    /// How many entries had ever been added up to `last`, if that is known. A gap shows as a difference: Redis tells
    /// how many were ever added and how many are left, so how many were added before the oldest that is left.
    ordinal: Option<u64>,
    ahead: ReadAhead,
    /// Entries that were read and not sent yet, and their bytes.
    ready: VecDeque<Entry>,
    ready_bytes: usize,
    block: Duration,
}

impl Pull {
    /// Finds out where to begin. Whatever is added after this is delivered.
    pub fn begin(session: &mut Session, stream: StreamId, count: u64, from: Cursor) -> Result<Pull, StoreError> {
        let info = session.info(&stream)?;
        let added = info.as_ref().map_or(Some(0), |info| info.entries_added);
        let trimmed = info
            .as_ref()
            .map_or(Some(0), |info| Some(info.entries_added?.saturating_sub(info.length)));
        let length = info.as_ref().map_or(Some(0), |info| Some(info.length));
        let newest = info.as_ref().map_or(EntryId::default(), |info| info.last_generated);
        let oldest = info.and_then(|info| info.first);
        let (last, ordinal) = match from {
            Cursor::End => (newest, added),
            Cursor::Newest => {
                let skipped = added
                    .zip(length)
                    .map(|(added, length)| added.saturating_sub(length.min(count)));
                (
                    session.start_of_newest(&stream, usize::try_from(count).unwrap_or(usize::MAX))?,
                    skipped,
                )
            }
            Cursor::After(id) if id >= newest => (id, added),
            Cursor::After(id) if oldest.is_none_or(|oldest| id < oldest) => (id, trimmed),
            Cursor::After(id) => (id, None),
        };
        let ahead = ReadAhead::default();
        Ok(Pull {
            stream,
            count: count.min(MOST_ENTRIES) as usize,
            last,
            ordinal,
            ahead,
            ready: VecDeque::new(),
            ready_bytes: 0,
            block: SHORTEST_BLOCK,
        })
    }

    /// Its parameters, for the log.
    pub fn detail(&self) -> String {
        format!("count={} after={}", self.count, self.last)
    }

    /// Delivers until the socket ends.
    pub fn run(mut self, socket: &mut Socket, context: &Context, moved: &Moved) -> Ending {
        let mut session = context.store.session(REPLY_TIMEOUT);
        loop {
            if let Err(ending) = socket.tend() {
                return ending;
            }
            if self.ready.is_empty() {
                match self.read(&mut session, context) {
                    Ok(()) => {}
                    // The entries wait in Redis, so the pull waits for Redis, however long it takes.
                    Err(StoreError::Unreachable(_)) => match socket.tend_for_a_tick() {
                        Ok(()) => continue,
                        Err(ending) => return ending,
                    },
                    Err(error) => return store_failed(&error),
                }
            }
            let entries = self.next_reply();
            if entries.is_empty() {
                continue;
            }
            let count = entries.len();
            let (offsets, blob) = batch::join(&entries);
            drop(entries);
            let bytes = blob.len();
            if let Err(ending) = socket.send_pair(offsets, blob) {
                return ending;
            }
            moved.add(count, bytes);
            context.metrics.entries_out.socket.add(count as u64);
            context.metrics.bytes_out.socket.add(bytes as u64);
        }
    }

    /// Waits for entries, then gathers what one reply can hold. When behind, that is read ahead in large pieces
    /// from which replies of `count` are cut.
    fn read(&mut self, session: &mut Session, context: &Context) -> Result<(), StoreError> {
        let mut more = self.read_once(session, context, Some(self.block))?;
        self.block = if self.ready.is_empty() {
            LONGEST_BLOCK.min(self.block * 2)
        } else {
            SHORTEST_BLOCK
        };
        while more && self.ready.len() < self.count && self.ready_bytes < MAX_REPLY {
            more = self.read_once(session, context, None)?;
        }
        Ok(())
    }

    /// One `XREAD`; whether there may be more.
    fn read_once(
        &mut self,
        session: &mut Session,
        context: &Context,
        block: Option<Duration>,
    ) -> Result<bool, StoreError> {
        let asked = self.ahead.count(usize::MAX, MAX_REPLY.saturating_sub(self.ready_bytes));
        let (entries, length) = session.wait_after(&self.stream, self.last, asked, block)?;
        self.ahead.learn(&entries);
        let Some(newest) = entries.last().map(|entry| entry.id) else {
            return Ok(false);
        };
        let full = entries.len() == asked;
        // While older entries than these are in the stream, trimming has not passed us. If the read brought all there
        // was after the last one, the length tells; otherwise only looking does. That costs Redis a copy of the
        // stream's first and last entries, so it is left out where entries are so large that they are read one by one.
        if length <= entries.len() as u64 || (full && asked > 1) {
            // What was read is good, whatever becomes of the look.
            let _ = self.count_gap(session, context, &entries);
        }
        self.ordinal = self.ordinal.map(|ordinal| ordinal + entries.len() as u64);
        self.last = newest;
        self.ready_bytes += entries.iter().map(|entry| entry.data.len()).sum::<usize>();
        self.ready.extend(entries);
        Ok(full)
    }

    /// Counts what retention trimmed between the last read and this one.
    fn count_gap(&mut self, session: &mut Session, context: &Context, read: &[Entry]) -> Result<(), StoreError> {
        let Some(info) = session.info(&self.stream)? else {
            return Ok(());
        };
        let Some(first) = info.first.filter(|first| *first > self.last) else {
            return Ok(());
        };
        if read.last().is_none_or(|newest| newest.id < first) {
            // Trimming has passed this read, too; the next one will show by how much.
            return Ok(());
        }
        let Some(added) = info.entries_added else { return Ok(()) };
        // Entries before `first`, less those of this read that were trimmed just now, were added before this read.
        let trimmed_since = read.iter().take_while(|entry| entry.id < first).count() as u64;
        let before = added.saturating_sub(info.length + trimmed_since);
        // A pull that began in the middle of a stream learns its place here; it missed one at the least.
        let missed = self.ordinal.map_or(1, |ordinal| before.saturating_sub(ordinal));
        if missed > 0 {
            context.metrics.pull_gaps.add(1);
            context.metrics.pull_entries_missed.add(missed);
            warn!(
                "pull of {}: {missed} entries after {} were trimmed before they were read",
                self.stream, self.last
            );
        }
        self.ordinal = Some(before);
        Ok(())
    }

    /// The next entries that were read, at most `count` and within the size of a reply; none if none were.
    fn next_reply(&mut self) -> Vec<Entry> {
        let mut bytes = 0;
        let fitting = self.ready.iter().take(self.count).take_while(|entry| {
            bytes += entry.data.len();
            bytes <= MAX_REPLY
        });
        let count = fitting.count().max(1).min(self.ready.len());
        let entries: Vec<Entry> = self.ready.drain(..count).collect();
        self.ready_bytes -= entries.iter().map(|entry| entry.data.len()).sum::<usize>();
        entries
    }
}
