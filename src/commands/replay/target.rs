//! A stream that is replayed into: entries gathered into batches, batches under way, and what of it is stored.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use bytes::Bytes;
use ptg_store::recording::Record;
use ptg_store::words::error::close;
use ptg_store::words::ids::{EntryId, StreamId};

use super::kept::Kept;
use super::retention::State;
use super::sent::{self, Sent};
use crate::client::{Batch, Failure, Patience, Push, Retry, Store};

/// A batch: at most so many entries, and so many bytes unless one entry alone has more. Stores take 65,536 and 64 MiB
/// unless they were told otherwise.
const MOST_ENTRIES: usize = 1024;
const MOST_BYTES: usize = 1 << 20;

/// A stream in the store.
pub struct Target {
    store: Store,
    pub stream: StreamId,
    pub state: State,
    /// Whether the entries keep their ids.
    kept: bool,
    push: Push,
    /// The batch that is being gathered. In its header, the stream's name is a JSON string.
    name: String,
    header: String,
    bytes: Vec<u8>,
    entries: usize,
    /// The ids of its entries and where they start, if they keep them.
    ids: Vec<(EntryId, usize)>,
    /// The batches that are not acknowledged.
    under_way: VecDeque<Sent>,
    /// A refusal that may only say that a batch is stored already, for as long as the store was not asked about it.
    refused: Option<Failure>,
    /// The attempts to ask, and when the next one is due.
    retry: Retry,
    again: Instant,
    /// Whether the user was told that the store trims what is replayed.
    pub told_of_trimming: bool,
    /// The ids that were given, to see whether all of it is kept.
    pub given: Kept,
    /// Entries and bytes that are stored.
    pub stored: u64,
    pub stored_bytes: u64,
}

impl Target {
    /// A store that is away is tried again for so long.
    pub fn new(store: &Store, stream: StreamId, state: State, kept: bool, patience: Patience) -> Target {
        Target {
            store: store.clone(),
            push: Push::new(store, stream.as_str(), &[], patience),
            name: serde_json::Value::from(stream.as_str()).to_string(),
            stream,
            state,
            kept,
            header: String::new(),
            bytes: Vec::new(),
            entries: 0,
            ids: Vec::new(),
            under_way: VecDeque::new(),
            refused: None,
            retry: Retry::new(patience),
            again: Instant::now(),
            told_of_trimming: false,
            given: Kept::default(),
            stored: 0,
            stored_bytes: 0,
        }
    }

    /// Where the bytes of the next entry go; `add` follows.
    pub fn bytes(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    /// The bytes of this entry have been put behind the others.
    pub fn add(&mut self, record: Record) {
        let start = self.bytes.len() - record.length as usize;
        if !self.header.is_empty() {
            self.header.push(',');
        }
        if self.kept {
            self.header
                .push_str(&format!("[{},\"{}\",{start}]", self.name, record.id));
            self.ids.push((record.id, start));
        } else {
            self.header.push_str(&start.to_string());
        }
        self.entries += 1;
    }

    /// Whether the batch is to be sent before another entry is added.
    pub fn is_full(&self) -> bool {
        self.entries >= MOST_ENTRIES || self.bytes.len() >= MOST_BYTES
    }

    /// Hands on what was gathered; `step` sends it.
    pub fn flush(&mut self) {
        if self.entries == 0 {
            return;
        }
        let header = std::mem::take(&mut self.header);
        let bytes = Bytes::from(std::mem::take(&mut self.bytes));
        self.under_way.push_back(Sent {
            entries: std::mem::take(&mut self.ids),
            bytes: bytes.clone(),
        });
        self.push.add(Batch {
            header: if self.kept { format!("[{header}]") } else { header },
            bytes,
            entries: std::mem::take(&mut self.entries),
            name: String::new(),
        });
    }

    /// Whether another batch is welcome.
    pub fn has_room(&self) -> bool {
        self.push.has_room()
    }

    /// Bytes that are not acknowledged, each batch counted as a few at least.
    pub fn under_way(&self) -> usize {
        self.under_way.iter().map(|sent| sent.bytes.len() + 1).sum()
    }

    /// Sends, and takes acknowledgements, for which it waits so long at most.
    pub fn step(&mut self, wait: Duration) -> Result<(), Failure> {
        if let Some(failure) = self.refused.take() {
            return self.settle(failure, wait);
        }
        match self.push.step(wait, None) {
            Ok(stored) => {
                for done in stored {
                    self.given.add(&done.ids);
                    self.count(done.batch.entries, done.batch.bytes.len());
                }
                Ok(())
            }
            // Sent again after a connection broke, ids that are there already are refused.
            Err(
                failure @ Failure::Closed {
                    code: close::BAD_DATA, ..
                },
            ) if self.kept => self.settle(failure, wait),
            Err(failure) => Err(failure),
        }
    }

    /// Closes the connection, once nothing is under way any more.
    pub fn close(self) -> Result<(), Failure> {
        self.push.finish(|_, _| Ok(()))
    }

    /// What the user should know and was not told yet.
    pub fn take_notice(&mut self) -> Option<String> {
        if let Some(notice) = self.push.take_notice().or_else(|| self.retry.take_notice()) {
            return Some(format!("{}: {notice}", self.stream));
        }
        if self.told_of_trimming || self.stored <= self.state.max_len {
            return None;
        }
        self.told_of_trimming = true;
        Some(format!(
            "{}: the store keeps {} entries of it, and trims what was replayed before from now on",
            self.stream, self.state.max_len
        ))
    }

    /// Takes back the batches that are stored although their acknowledgement was lost; if there are none, it is a refusal.
    /// While the store is away, that is still to be seen.
    fn settle(&mut self, failure: Failure, wait: Duration) -> Result<(), Failure> {
        let pause = self.again.saturating_duration_since(Instant::now());
        if !pause.is_zero() {
            self.refused = Some(failure);
            return self.store.interrupted.sleep(pause.min(wait));
        }
        let begun = Instant::now();
        self.retry.limit(&mut self.store);
        match sent::stored(&self.store, &self.stream, &self.under_way) {
            Ok(0) => Err(failure),
            Ok(stored) => {
                self.retry.worked();
                for _ in 0..stored {
                    let ids = self.under_way.front().map(|sent| &sent.entries);
                    let ids: Vec<EntryId> = ids.into_iter().flatten().map(|(id, _)| *id).collect();
                    self.given.add(&ids);
                    if let Some(batch) = self.push.take_oldest() {
                        self.count(batch.entries, batch.bytes.len());
                    }
                }
                Ok(())
            }
            Err(away) => {
                self.again = self.retry.failed(away, begun)?;
                self.refused = Some(failure);
                Ok(())
            }
        }
    }

    /// The oldest batch under way, of so many entries and bytes, is stored.
    fn count(&mut self, entries: usize, bytes: usize) {
        self.under_way.pop_front();
        self.stored += entries as u64;
        self.stored_bytes += bytes as u64;
    }
}
