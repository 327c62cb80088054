//! The second thread of a push: stores what the first one read, in order, and acknowledges it.

use std::sync::{Condvar, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use crossbeam_channel::{Receiver, TryRecvError};
use log::warn;

use super::socket::{Ending, Socket, Writer};
use super::{Moved, store_failed};
use crate::batch::Batch;
use crate::context::Context;
use crate::error::StoreError;
use crate::ids::StreamId;
use crate::limits::lock;
use crate::store::Session;
use crate::wait::TICK;

/// How long Redis may take over one round trip before its connection counts as lost. A slow disk can take seconds.
const REPLY_TIMEOUT: Duration = Duration::from_secs(5);

/// How long to wait before trying Redis again.
const RETRY: Duration = Duration::from_millis(100);

/// How old the known retention of the stream may be. The contract grants five seconds.
const RETENTION_AGE: Duration = Duration::from_secs(2);

/// The most entries stored in one round trip, unless one batch alone has more: Redis does nothing else meanwhile.
const ENTRIES_AT_ONCE: usize = 256;

/// The most bytes under way, unless one message alone is larger, and stored in one round trip.
const QUEUED_BYTES: usize = 8 << 20;
const BYTES_AT_ONCE: usize = 1 << 20;

/// What an entry costs in memory besides its bytes, about: without it, a queue of empty entries would have no limit.
const ENTRY_COST: usize = 64;

/// How long entries are still taken from a client that no longer hears its acknowledgements.
const DEAF_PATIENCE: Duration = Duration::from_secs(2);

/// Stores for one push. It belongs to its thread.
pub struct Storer<'a> {
    stream: &'a StreamId,
    session: Session,
    /// Where acknowledgements go, if they are wanted.
    acks: Option<Writer>,
    /// Why acknowledgements no longer get through.
    deaf: Option<Ending>,
    context: &'a Context,
    moved: &'a Moved,
    queued: &'a Queued,
    retention: Option<(u64, Instant)>,
}

impl<'a> Storer<'a> {
    /// Prepares to store into `stream` what `queued` counts.
    pub fn new(
        stream: &'a StreamId,
        acks: Option<&Socket>,
        context: &'a Context,
        moved: &'a Moved,
        queued: &'a Queued,
    ) -> Storer<'a> {
        let session = context
            .store
            .session(REPLY_TIMEOUT.min(context.config.limits.redis_patience));
        let acks = acks.map(Socket::writer);
        Storer {
            stream,
            session,
            acks,
            deaf: None,
            context,
            moved,
            queued,
            retention: None,
        }
    }

    /// Stores everything that comes; an error is how the socket ends because of it.
    pub fn run(mut self, receiver: Receiver<Batch>) -> Result<(), Ending> {
        let _left = Left(self.queued);
        while let Ok(first) = receiver.recv() {
            let mut batches = vec![first];
            let mut bytes = cost(&batches[0]);
            let mut entries = batches[0].len();
            while entries < ENTRIES_AT_ONCE && bytes < BYTES_AT_ONCE {
                match receiver.try_recv() {
                    Ok(batch) => {
                        bytes += cost(&batch);
                        entries += batch.len();
                        batches.push(batch);
                    }
                    Err(TryRecvError::Empty | TryRecvError::Disconnected) => break,
                }
            }
            self.store(batches)?;
            self.queued.remove(bytes);
        }
        self.deaf.map_or(Ok(()), Err)
    }

    /// Stores batches in order, however often Redis has to be asked within the patience that there is.
    fn store(&mut self, mut batches: Vec<Batch>) -> Result<(), Ending> {
        let patience = self.context.config.limits.redis_patience;
        let begun = Instant::now();
        let mut together = batches.len();
        while !batches.is_empty() {
            let Err(error) = self.attempt(&mut batches, together) else {
                continue;
            };
            let lost = matches!(error, StoreError::Unreachable(_));
            if !lost && together > 1 {
                // What is refused together is stored one by one, up to the batch that is refused: no holes.
                together = 1;
                continue;
            }
            let left = patience.saturating_sub(begun.elapsed());
            if !lost || left.is_zero() || self.context.stopping() {
                let entries: usize = batches.iter().map(Vec::len).sum();
                let fate = if lost {
                    "may not have been stored"
                } else {
                    "were not stored"
                };
                warn!("push to {}: {entries} entries received {fate}: {error}", self.stream);
                return Err(store_failed(&error));
            }
            std::thread::sleep(RETRY.min(left));
            self.session.set_reply_timeout(REPLY_TIMEOUT.min(left));
        }
        if begun.elapsed() > RETRY {
            self.session.set_reply_timeout(REPLY_TIMEOUT.min(patience));
        }
        Ok(())
    }

    /// One round trip with the first batches. If they are stored, they are acknowledged and removed.
    fn attempt(&mut self, batches: &mut Vec<Batch>, together: usize) -> Result<(), StoreError> {
        let max_len = self.retention()?;
        let together = together.min(batches.len());
        let entries: Vec<Bytes> = batches[..together].iter().flatten().cloned().collect();
        let ids = self.session.append(self.stream, &entries, max_len)?;
        let mut ids = ids.as_slice();
        for batch in batches.drain(..together) {
            self.count(&batch);
            let (own, rest) = ids.split_at(batch.len());
            ids = rest;
            self.acknowledge(own);
        }
        Ok(())
    }

    /// A client that no longer hears its acknowledgements has sent its entries all the same: they are stored on.
    fn acknowledge(&mut self, ids: &[String]) {
        if let (Some(acks), None) = (&mut self.acks, &self.deaf) {
            self.deaf = acks.send_text(ids.join(",")).err();
            if self.deaf.is_some() {
                lock(&self.queued.state).deaf_since = Some(Instant::now());
            }
        }
    }

    fn retention(&mut self) -> Result<u64, StoreError> {
        match self.retention {
            Some((max_len, learned)) if learned.elapsed() < RETENTION_AGE => Ok(max_len),
            _ => {
                let max_len = self.session.retention(self.stream)?;
                self.retention = Some((max_len, Instant::now()));
                Ok(max_len)
            }
        }
    }

    fn count(&self, batch: &Batch) {
        let bytes = size(batch);
        self.moved.add(batch.len(), bytes);
        self.context.metrics.entries_in.socket.add(batch.len() as u64);
        self.context.metrics.bytes_in.socket.add(bytes as u64);
    }
}

/// What the two threads of a push know of each other: bytes under way, and whether the storer still is.
#[derive(Default)]
pub struct Queued {
    state: Mutex<QueuedState>,
    changed: Condvar,
}

#[derive(Default)]
struct QueuedState {
    bytes: usize,
    storer_left: bool,
    deaf_since: Option<Instant>,
}

impl Queued {
    /// Waits for room and takes it; false if the storer has left.
    pub fn add(&self, bytes: usize) -> bool {
        let mut state = lock(&self.state);
        while state.bytes > 0 && state.bytes + bytes > QUEUED_BYTES && !state.storer_left {
            let waited = self.changed.wait_timeout(state, TICK);
            state = waited.unwrap_or_else(|poisoned| poisoned.into_inner()).0;
        }
        state.bytes += bytes;
        !state.storer_left
    }

    /// Whether reading on is of no use: nobody stores, or the client has stopped hearing and, `quiet`, sending.
    pub fn is_over(&self, quiet: bool) -> bool {
        let state = lock(&self.state);
        let deaf = |since: Instant| quiet || since.elapsed() > DEAF_PATIENCE;
        state.storer_left || state.deaf_since.is_some_and(deaf)
    }

    fn remove(&self, bytes: usize) {
        lock(&self.state).bytes -= bytes;
        self.changed.notify_all();
    }
}

/// Tells the reader that the storer has left, also when it panics.
struct Left<'a>(&'a Queued);

impl Drop for Left<'_> {
    fn drop(&mut self) {
        lock(&self.0.state).storer_left = true;
        self.0.changed.notify_all();
    }
}

fn size(batch: &Batch) -> usize {
    batch.iter().map(Bytes::len).sum()
}

/// What a batch costs in memory while it is under way.
pub fn cost(batch: &Batch) -> usize {
    size(batch) + batch.len() * ENTRY_COST
}
