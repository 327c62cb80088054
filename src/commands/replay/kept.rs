//! Whether everything that was replayed into a stream is still there at the end.

use ptg_store::words::ids::{EntryId, StreamId};

use crate::client::{Store, description};

/// How many batches are told apart to see what is kept; if there are more, two count as one.
const MOST_BATCHES: usize = 10_000;

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
        let reply = store.get(&description::path(stream.as_str()));
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
