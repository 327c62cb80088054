//! `/data/{id}/pull`: one thread that waits in `XREAD`, with an eye on the peer, and sends what comes as it arrives.

use std::time::{Duration, Instant};

use log::warn;
use rustix::event::PollFd;

use super::gaps::Gaps;
use super::socket::{Ending, Socket};
use super::{Moved, store_failed};
use crate::batch::Joined;
use crate::context::Context;
use crate::error::StoreError;
use crate::ids::{Cursor, EntryId, StreamId};
use crate::store::{Beside, Nobody, ReadAhead, Session};

/// The most bytes of one reply, unless a single entry is larger.
pub const MAX_REPLY: usize = 8 << 20;

/// The most entries of one reply, whatever `count` says: their list of offsets stays below half a megabyte.
const MOST_ENTRIES: u64 = 16_384;

/// How long one `XREAD` waits. A thousand silent pulls should cost Redis little.
const BLOCK: Duration = Duration::from_secs(5);

/// The shortest wait: Redis takes none at all for one without an end.
const SHORTEST_BLOCK: Duration = Duration::from_millis(100);

/// How long Redis may send nothing: longer than it blocks.
const REPLY_TIMEOUT: Duration = Duration::from_secs(7);

/// How long to wait before trying a lost Redis again.
const RETRY: Duration = Duration::from_millis(100);

/// Memory for the bytes of replies that is kept while nothing comes.
const KEPT: usize = 4 << 10;

/// A pull and how far it has come.
pub struct Pull {
    stream: StreamId,
    count: usize,
    session: Session,
    /// The last entry that was read.
    last: EntryId,
    gaps: Gaps,
    ahead: ReadAhead,
    /// The reply in the making.
    reply: Joined,
}

/// Why a pull cannot go on as it was.
enum Stop {
    /// Its socket ends.
    Socket(Ending),
    /// Redis did not do what was asked.
    Store(StoreError),
}

impl From<Ending> for Stop {
    fn from(ending: Ending) -> Stop {
        Stop::Socket(ending)
    }
}

impl Pull {
    /// Finds out where to begin. Whatever is added after this is delivered.
    pub fn begin(mut session: Session, stream: StreamId, count: u64, from: Cursor) -> Result<Pull, StoreError> {
        let info = session.info(&stream, &mut Nobody)?;
        let added = info.as_ref().map_or(Some(0), |info| info.entries_added);
        let trimmed = info
            .as_ref()
            .map_or(Some(0), |info| Some(info.entries_added?.saturating_sub(info.length)));
        let length = info.as_ref().map_or(Some(0), |info| Some(info.length));
        let newest = info.as_ref().map_or(EntryId::default(), |info| info.last_generated);
        let oldest = info.and_then(|info| info.first);
        let (last, passed) = match from {
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
        Ok(Pull {
            stream,
            count: count.min(MOST_ENTRIES) as usize,
            session: session.waiting(REPLY_TIMEOUT),
            last,
            gaps: Gaps::new(passed),
            ahead: ReadAhead::default(),
            reply: Joined::default(),
        })
    }

    /// Its parameters, for the log.
    pub fn detail(&self) -> String {
        format!("count={} after={}", self.count, self.last)
    }

    /// Delivers until the socket ends.
    pub fn run(mut self, socket: &mut Socket, context: &Context, moved: &Moved) -> Ending {
        socket.ignore_messages();
        let mut peer = Peer { socket, ended: None };
        let tally = Tally { context, moved };
        loop {
            let stopped = match self.read(&mut peer, &tally) {
                Ok(()) => continue,
                Err(stopped) => stopped,
            };
            let stopped = match (peer.ended.take(), stopped) {
                (Some(ending), _) => Stop::Socket(ending),
                // The entries wait in Redis, so the pull waits for Redis, however long it takes.
                (None, Stop::Store(StoreError::Unreachable(_))) => match self.wait_for_redis(&mut peer, &tally) {
                    Ok(()) => continue,
                    Err(ending) => Stop::Socket(ending),
                },
                (None, stopped) => stopped,
            };
            return match stopped {
                Stop::Socket(ending) => ending,
                Stop::Store(error) => store_failed(&error),
            };
        }
    }

    /// Waits for entries and sends what comes, in replies of `count` where there is enough.
    fn read(&mut self, peer: &mut Peer<'_>, tally: &Tally<'_>) -> Result<(), Stop> {
        // A look that is due need not wait for the next entry.
        let block = self
            .gaps
            .due_in()
            .map_or(BLOCK, |left| left.clamp(SHORTEST_BLOCK, BLOCK));
        let mut more = self.read_once(Some(block), peer, tally)?;
        while more && self.reply.count > 0 {
            more = self.read_once(None, peer, tally)?;
        }
        send(&mut self.reply, peer, tally)?;
        peer.socket.flush()?;
        Ok(())
    }

    /// One `XREAD`; whether there may be more.
    fn read_once(&mut self, block: Option<Duration>, peer: &mut Peer<'_>, tally: &Tally<'_>) -> Result<bool, Stop> {
        let before = self.last;
        let asked = self
            .ahead
            .count(usize::MAX, MAX_REPLY.saturating_sub(self.reply.bytes.len()));
        let mut entries = self
            .session
            .read_after(&self.stream, before, asked, block, peer)
            .map_err(Stop::Store)?;
        let (mut ids, mut largest) = (Vec::new(), 0);
        while let Some(arrival) = entries.next(peer).map_err(Stop::Store)? {
            let (id, start, size) = (arrival.id, self.reply.bytes.len(), arrival.size);
            if self.reply.count > 0 && start + size > MAX_REPLY {
                send(&mut self.reply, peer, tally)?;
            }
            let start = self.reply.bytes.len();
            if let Err(error) = entries.take(arrival, &mut self.reply.bytes, peer) {
                // Half an entry is none.
                self.reply.bytes.truncate(start);
                return Err(Stop::Store(error));
            }
            self.reply.add(id, start);
            self.last = id;
            ids.push(id);
            largest = largest.max(size);
            if self.reply.count == self.count {
                send(&mut self.reply, peer, tally)?;
            }
        }
        let length = entries.finish(peer).map_err(Stop::Store)?;
        self.ahead.learn(ids.len(), largest);
        let full = ids.len() == asked;
        if ids.is_empty() {
            self.reply.bytes.shrink_to(KEPT);
        } else {
            self.gaps.read(ids.len() as u64, largest, length, !full || asked == 1);
        }
        if self.gaps.due_in().is_some_and(|left| left.is_zero()) {
            self.count_gap(before, &ids, peer, tally);
            if let Some(ending) = peer.ended.take() {
                return Err(Stop::Socket(ending));
            }
        }
        Ok(full)
    }

    /// Sends what there is, then sees to the peer until Redis may be tried again.
    fn wait_for_redis(&mut self, peer: &mut Peer<'_>, tally: &Tally<'_>) -> Result<(), Ending> {
        send(&mut self.reply, peer, tally)?;
        peer.socket.flush()?;
        peer.socket.wait(true, RETRY);
        peer.socket.tend()
    }

    /// Counts what retention trimmed. What was read is good, whatever becomes of the look.
    fn count_gap(&mut self, before: EntryId, read: &[EntryId], peer: &mut Peer<'_>, tally: &Tally<'_>) {
        let begun = Instant::now();
        let Ok(info) = self.session.info(&self.stream, peer) else {
            return;
        };
        let missed = self.gaps.look(info, begun.elapsed(), before, read);
        if missed > 0 {
            tally.context.metrics.pull_gaps.add(1);
            tally.context.metrics.pull_entries_missed.add(missed);
            warn!(
                "pull of {}: {missed} entries were trimmed before they were read, the last of them before {}",
                self.stream, self.last
            );
        }
    }
}

/// Sends a reply, if there is anything in it, and begins the next one.
fn send(reply: &mut Joined, peer: &mut Peer<'_>, tally: &Tally<'_>) -> Result<(), Ending> {
    if reply.count == 0 {
        return Ok(());
    }
    let offsets = std::mem::take(&mut reply.offsets).finish();
    let count = std::mem::take(&mut reply.count);
    peer.socket.send_pair(&offsets, &reply.bytes)?;
    tally.add(count, reply.bytes.len());
    reply.bytes.clear();
    Ok(())
}

/// The peer, seen to while Redis is waited for.
struct Peer<'a> {
    socket: &'a mut Socket,
    ended: Option<Ending>,
}

impl Beside for Peer<'_> {
    fn interest(&self) -> Option<PollFd<'_>> {
        self.socket.interest(true)
    }

    fn see_to(&mut self) -> bool {
        if self.ended.is_none() {
            self.ended = self.socket.tend().err();
        }
        self.ended.is_none()
    }
}

/// Where deliveries are counted.
struct Tally<'a> {
    context: &'a Context,
    moved: &'a Moved,
}

impl Tally<'_> {
    fn add(&self, entries: usize, bytes: usize) {
        self.moved.add(entries, bytes);
        self.context.metrics.entries_out.socket.add(entries as u64);
        self.context.metrics.bytes_out.socket.add(bytes as u64);
    }
}
