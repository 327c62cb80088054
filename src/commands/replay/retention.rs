//! What the store keeps of the streams that are replayed into, and whether that is enough.

use std::time::Duration;

use ptg_store::words::ids::{EntryId, StreamId};

use super::super::counted;
use crate::client::{Failure, Present, Store, Stream, description};

/// How long other stores on the same Redis may take to heed a new `max_len` (two seconds, says docs/protocol.md), and a little.
pub const OTHER_STORES: Duration = Duration::from_millis(2500);

/// A stream in the store, before it is replayed into.
#[derive(Debug)]
pub struct State {
    /// How many entries it has.
    pub length: u64,
    /// The largest id that it ever had.
    pub newest: EntryId,
    /// How many entries it keeps.
    pub max_len: u64,
}

impl State {
    /// Asks the store. `default_max_len` is asked for only if need be, and once.
    pub fn of(store: &Store, stream: &StreamId, default_max_len: &mut Option<u64>) -> Result<State, Failure> {
        let found = Stream::of(store, stream.as_str())?;
        let max_len = match (found.own_max_len(), *default_max_len) {
            (Some(own), _) => own,
            (None, Some(default)) => default,
            (None, None) => *default_max_len.insert(Present::of(store)?.default_max_len),
        };
        Ok(State {
            length: found.entries,
            newest: found.last_id,
            max_len,
        })
    }

    /// How many entries it would have to keep for nothing to be trimmed.
    pub fn needed(&self, entries: u64) -> u64 {
        self.length.saturating_add(entries)
    }

    /// Has the store keep so many entries; everything else about the stream stays.
    pub fn raise(&mut self, store: &Store, stream: &StreamId, max_len: u64) -> Result<(), Failure> {
        store.put(&description::put_max_len(stream.as_str(), max_len))?;
        self.max_len = max_len;
        Ok(())
    }

    /// The sentence for a stream that keeps fewer entries than are replayed into it.
    pub fn warning(&self, store: &Store, stream: &StreamId, entries: u64) -> String {
        format!(
            "{stream}: {} are replayed, and the store keeps {} of this stream: it trims the oldest. --raise-max-len \
             mends that, or: {}",
            counted(entries, "entry", "entries"),
            self.max_len,
            description::command(store, stream.as_str(), self.needed(entries)),
        )
    }
}
