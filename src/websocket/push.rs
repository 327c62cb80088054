//! `/data/{id}/push`: this thread reads the socket, a second one stores what arrived and acknowledges it.
//!
//! The queue between them is bounded in entries and bytes, so a slow Redis holds the client back.

use std::sync::{Condvar, Mutex, MutexGuard};
use std::thread::Builder;
use std::time::{Duration, Instant};

use bytes::Bytes;
use crossbeam_channel::{Receiver, Sender, TryRecvError, bounded};
use log::warn;

use super::socket::{Ending, Incoming, Socket, Writer};
use super::{Moved, store_failed};
use crate::batch::{self, Batch, BatchError};
use crate::context::{Context, TICK};
use crate::error::{StoreError, close};
use crate::ids::StreamId;
use crate::store::Session;

/// How long Redis may take over one round trip before its connection counts as lost. A slow disk can take seconds.
const REPLY_TIMEOUT: Duration = Duration::from_secs(5);

/// How long to wait before trying Redis again.
const RETRY: Duration = Duration::from_millis(100);

/// How old the known retention of the stream may be. The contract grants five seconds.
const RETENTION_AGE: Duration = Duration::from_secs(2);

/// The most batches under way between the two threads, and stored in one round trip.
const MOST_QUEUED: usize = 256;
const MOST_AT_ONCE: usize = 64;

/// The most bytes under way, unless one message alone is larger, and stored in one round trip.
const QUEUED_BYTES: usize = 8 << 20;
const BYTES_AT_ONCE: usize = 1 << 20;

/// Stack of the storing thread.
const STACK: usize = 512 << 10;

/// The parameters of a push.
pub struct Push {
    /// The stream pushed to.
    pub stream: StreamId,
    /// Whether entries come in batches.
    pub batch: bool,
    /// Whether each message is acknowledged.
    pub ack: bool,
}

impl Push {
    /// Reads the socket until it ends; everything received before is stored by then.
    pub fn run(self, socket: &mut Socket, context: &Context, moved: &Moved) -> Ending {
        let (sender, receiver) = bounded(MOST_QUEUED);
        let queued = Queued::default();
        let storer = Storer {
            push: &self,
            session: context.store.session(REPLY_TIMEOUT),
            writer: socket.writer(),
            context,
            moved,
            queued: &queued,
            retention: None,
        };
        std::thread::scope(|scope| {
            let builder = Builder::new().name("push-store".into()).stack_size(STACK);
            let storing = match builder.spawn_scoped(scope, move || storer.run(receiver)) {
                Ok(storing) => storing,
                Err(error) => return Ending::close(close::TRY_LATER, format!("no thread to store with: {error}")),
            };
            let ended = self.read(socket, context, &sender, &queued);
            drop(sender);
            // What the storing thread ran into comes first: it says what became of the entries.
            match storing.join() {
                Ok(Ok(())) => ended,
                Ok(Err(failed)) => failed,
                Err(_) => Ending::close(close::STORE_FAILED, "the server failed; its log says more"),
            }
        })
    }

    fn read(&self, socket: &mut Socket, context: &Context, sender: &Sender<Batch>, queued: &Queued) -> Ending {
        let mut offsets = None;
        loop {
            let message = match socket.receive() {
                Ok(Some(message)) => message,
                Ok(None) if queued.storer_left() => return gone(),
                Ok(None) => continue,
                Err(ending) => return ending,
            };
            let batch = match self.batch_of(message, &mut offsets, context.config.limits.max_batch) {
                Ok(Some(batch)) => batch,
                Ok(None) => continue,
                Err(ending) => return ending,
            };
            if !queued.add(size(&batch)) || sender.send(batch).is_err() {
                return gone();
            }
        }
    }

    /// A whole batch, or none when its bytes are still to come.
    fn batch_of(
        &self,
        message: Incoming,
        offsets: &mut Option<Vec<usize>>,
        limit: usize,
    ) -> Result<Option<Batch>, Ending> {
        let refused = |error| match error {
            BatchError::Offsets(sentence) => Ending::close(close::BAD_DATA, sentence),
            BatchError::TooMany(limit) => Ending::close(
                close::TOO_LARGE,
                format!("a batch has more than {limit} entries (--max-batch)"),
            ),
        };
        match (self.batch, message, offsets.take()) {
            (false, Incoming::Text(bytes) | Incoming::Binary(bytes), _) => Ok(Some(vec![bytes])),
            (true, Incoming::Text(text), None) => {
                let text = std::str::from_utf8(&text).unwrap_or_default();
                *offsets = Some(batch::parse_offsets(text, limit).map_err(refused)?);
                Ok(None)
            }
            (true, Incoming::Binary(blob), Some(offsets)) => batch::split(&offsets, &blob).map(Some).map_err(refused),
            (true, Incoming::Text(_), Some(_)) => Err(Ending::close(
                close::WRONG_KIND,
                "offsets came where a binary message was due",
            )),
            (true, Incoming::Binary(_), None) => Err(Ending::close(
                close::WRONG_KIND,
                "a binary message came before the text with its offsets",
            )),
        }
    }
}

/// The reader stops because the storer did; the storer's own ending is the one that counts.
fn gone() -> Ending {
    Ending::close(close::STORE_FAILED, "the entries could not be stored")
}

struct Storer<'a> {
    push: &'a Push,
    session: Session,
    writer: Writer,
    context: &'a Context,
    moved: &'a Moved,
    queued: &'a Queued,
    retention: Option<(u64, Instant)>,
}

impl Storer<'_> {
    fn run(mut self, receiver: Receiver<Batch>) -> Result<(), Ending> {
        let _left = Left(self.queued);
        while let Ok(first) = receiver.recv() {
            let mut batches = vec![first];
            let mut bytes = size(&batches[0]);
            while batches.len() < MOST_AT_ONCE && bytes < BYTES_AT_ONCE {
                match receiver.try_recv() {
                    Ok(batch) => {
                        bytes += size(&batch);
                        batches.push(batch);
                    }
                    Err(TryRecvError::Empty | TryRecvError::Disconnected) => break,
                }
            }
            self.store(batches)?;
            self.queued.remove(bytes);
        }
        Ok(())
    }

    /// Stores batches in order, however often Redis has to be asked within the patience that there is.
    fn store(&mut self, mut batches: Vec<Batch>) -> Result<(), Ending> {
        let mut together = batches.len();
        let mut lost_since = None;
        while !batches.is_empty() {
            let error = match self.attempt(&mut batches, together) {
                Ok(()) => continue,
                Err(Failure::Peer(ending)) => return Err(ending),
                Err(Failure::Store(error)) => error,
            };
            let lost = matches!(error, StoreError::Unreachable(_));
            if !lost && together > 1 {
                // What is refused together is stored one by one, up to the batch that is refused: no holes.
                together = 1;
                continue;
            }
            let since = *lost_since.get_or_insert_with(Instant::now);
            let patient = since.elapsed() < self.context.config.limits.redis_patience && !self.context.stopping();
            if !lost || !patient {
                let entries: usize = batches.iter().map(Vec::len).sum();
                warn!(
                    "push to {}: {entries} entries received were not stored: {error}",
                    self.push.stream
                );
                return Err(store_failed(&error));
            }
            std::thread::sleep(RETRY);
        }
        Ok(())
    }

    /// One round trip with the first batches. If they are stored, they are acknowledged and removed.
    fn attempt(&mut self, batches: &mut Vec<Batch>, together: usize) -> Result<(), Failure> {
        let max_len = self.retention()?;
        let together = together.min(batches.len());
        let entries: Vec<Bytes> = batches[..together].iter().flatten().cloned().collect();
        let ids = self.session.append(&self.push.stream, &entries, max_len)?;
        let mut ids = ids.as_slice();
        for batch in batches.drain(..together) {
            self.count(&batch);
            let (own, rest) = ids.split_at(batch.len());
            ids = rest;
            if self.push.ack {
                self.writer.send_text(own.join(",")).map_err(Failure::Peer)?;
            }
        }
        Ok(())
    }

    fn retention(&mut self) -> Result<u64, StoreError> {
        match self.retention {
            Some((max_len, learned)) if learned.elapsed() < RETENTION_AGE => Ok(max_len),
            _ => {
                let max_len = self.session.retention(&self.push.stream)?;
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

enum Failure {
    Store(StoreError),
    Peer(Ending),
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Failure {
        Failure::Store(error)
    }
}

/// Bytes under way between the two threads.
#[derive(Default)]
struct Queued {
    state: Mutex<QueuedState>,
    changed: Condvar,
}

#[derive(Default)]
struct QueuedState {
    bytes: usize,
    storer_left: bool,
}

impl Queued {
    /// Waits for room and takes it; false if the storer has left.
    fn add(&self, bytes: usize) -> bool {
        let mut state = self.lock();
        while state.bytes > 0 && state.bytes + bytes > QUEUED_BYTES && !state.storer_left {
            let waited = self.changed.wait_timeout(state, TICK);
            state = waited.unwrap_or_else(|poisoned| poisoned.into_inner()).0;
        }
        state.bytes += bytes;
        !state.storer_left
    }

    fn remove(&self, bytes: usize) {
        self.lock().bytes -= bytes;
        self.changed.notify_all();
    }

    fn storer_left(&self) -> bool {
        self.lock().storer_left
    }

    fn lock(&self) -> MutexGuard<'_, QueuedState> {
        self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

/// Tells the reader that the storer has left, also when it panics.
struct Left<'a>(&'a Queued);

impl Drop for Left<'_> {
    fn drop(&mut self) {
        self.0.lock().storer_left = true;
        self.0.changed.notify_all();
    }
}

fn size(batch: &Batch) -> usize {
    batch.iter().map(Bytes::len).sum()
}
