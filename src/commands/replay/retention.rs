//! What the store keeps of the streams that are replayed into, and whether that is enough.

use std::time::Duration;

use ptg_store::ids::{EntryId, StreamId};

use super::super::counted;
use crate::client::{Failure, Store, max_len};

/// How long other stores on the same Redis may take to heed a new `max_len` (two seconds, says the README), and a little.
pub const OTHER_STORES: Duration = Duration::from_millis(2500);

/// How many batches are told apart to see what is kept; if there are more, two count as one.
const MOST_BATCHES: usize = 10_000;

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
        let reply = store.get(&max_len::path(stream.as_str()))?;
        let info = &reply["info"];
        let (length, newest) = (info["length"].as_u64(), info["last-generated-id"].as_str());
        let newest = newest.and_then(|id| id.parse().ok()).unwrap_or_default();
        let length = length.unwrap_or_default();
        let max_len = match (reply["meta"]["max_len"].as_u64(), *default_max_len) {
            (Some(own), _) => own,
            (None, Some(default)) => default,
            (None, None) => *default_max_len.insert(default_of(store)?),
        };
        Ok(State {
            length,
            newest,
            max_len,
        })
    }

    /// How many entries it would have to keep for nothing to be trimmed.
    pub fn needed(&self, entries: u64) -> u64 {
        self.length.saturating_add(entries)
    }

    /// Has the store keep so many entries; everything else about the stream stays.
    pub fn raise(&mut self, store: &Store, stream: &StreamId, max_len: u64) -> Result<(), Failure> {
        store.put(&max_len::put(stream.as_str(), max_len))?;
        self.max_len = max_len;
        Ok(())
    }

    /// The sentence for a stream that keeps fewer entries than are replayed into it.
    pub fn warning(&self, store: &Store, stream: &StreamId, entries: u64) -> String {
        format!(
            "{stream}: {} are replayed, and the store keeps {} of this stream: it trims the oldest. --raise-max-len \
             mends that, or: curl -X PUT -H \"Authorization: Bearer $PTG_STORE_TOKEN\" '{}{}'",
            counted(entries, "entry", "entries"),
            self.max_len,
            store.url(),
            max_len::put(stream.as_str(), self.needed(entries)),
        )
    }
}

/// Which entries a stream was given: enough to see how many of them it has trimmed.
#[derive(Debug, Default)]
pub struct Kept {
    /// The first and the last id of each batch, and how many entries it has.
    batches: Vec<(EntryId, EntryId, u64)>,
}

impl Kept {
    /// A batch with these ids is stored.
    pub fn add(&mut self, ids: &[EntryId]) {
        if let (Some(first), Some(last)) = (ids.first(), ids.last()) {
            self.batches.push((*first, *last, ids.len() as u64));
        }
        if self.batches.len() > MOST_BATCHES {
            let merged = |pair: &[(EntryId, EntryId, u64)]| {
                let entries = pair.iter().map(|(_, _, entries)| entries).sum();
                (pair[0].0, pair[pair.len() - 1].1, entries)
            };
            self.batches = self.batches.chunks(2).map(merged).collect();
        }
    }

    /// Fails if the stream has trimmed some of them, as a store does that has not heard of a new `max_len`, or because
    /// others push more than there is room for.
    pub fn check(&self, store: &Store, stream: &StreamId) -> Result<(), String> {
        let reply = store.get(&max_len::path(stream.as_str()));
        let reply = reply.map_err(|failure| format!("{stream}: whether all of it is kept is not known: {failure}"))?;
        let oldest = reply["info"]["first-entry-id"].as_str().and_then(|id| id.parse().ok());
        let (missing, all) = self.missing(oldest.unwrap_or(EntryId::MAX));
        match missing {
            0 => Ok(()),
            missing => Err(format!(
                "{stream}: at least {missing} of the {all} entries that were replayed are missing again: the stream keeps {} \
                 of all that are pushed to it, and another store on its Redis may have kept fewer meanwhile",
                reply["meta"]["max_len"]
            )),
        }
    }

    /// How many are certainly older than the oldest entry that is left, and how many there were.
    fn missing(&self, oldest: EntryId) -> (u64, u64) {
        let count = |(first, last, entries): &(EntryId, EntryId, u64)| match () {
            () if *last < oldest => *entries,
            () if *first < oldest => 1,
            () => 0,
        };
        let all = self.batches.iter().map(|(_, _, entries)| entries).sum();
        (self.batches.iter().map(count).sum(), all)
    }
}

/// How many entries a stream keeps that does not say it itself.
fn default_of(store: &Store) -> Result<u64, Failure> {
    let activity = store.get("/activity")?;
    activity["default_max_len"]
        .as_u64()
        .ok_or_else(|| Failure::Foreign("this is no store: its reply to GET /activity has no default_max_len".into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_older_than_the_oldest_that_is_left_is_missing() {
        let id = |ms| EntryId { ms, seq: 0 };
        let mut kept = Kept::default();
        for batch in [[id(1), id(2), id(3)], [id(5), id(7), id(9)]] {
            kept.add(&batch);
        }
        for number in 0..3 * MOST_BATCHES as u64 {
            kept.add(&[id(10 + number)]);
        }
        assert!(kept.batches.len() <= MOST_BATCHES);
        assert_eq!(
            kept.missing(EntryId::MAX),
            (6 + 3 * MOST_BATCHES as u64, 6 + 3 * MOST_BATCHES as u64)
        );
        kept.batches.truncate(0);
        for batch in [[id(1), id(2), id(3)], [id(5), id(7), id(9)]] {
            kept.add(&batch);
        }
        for (oldest, missing) in [(1, 0), (2, 1), (4, 3), (5, 3), (6, 4), (10, 6)] {
            assert_eq!(kept.missing(id(oldest)), (missing, 6), "{oldest}");
        }
    }
}
