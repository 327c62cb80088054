//! A batch under way whose entries keep their ids, and what the store has at these ids: when a batch is refused, it may be
//! because it is stored already, or because somebody else's entries are in its place.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use ptg_store::words::ids::{EntryId, StreamId};

use crate::client::{Failure, Store, encode};

/// How many entries are asked for at once; the store sends fewer if they are large.
const AT_ONCE: usize = 1024;

/// A batch that was sent and is not acknowledged.
pub struct Sent {
    /// Its entries and where each starts, if they keep their ids.
    pub entries: Vec<(EntryId, usize)>,
    /// Their bytes, joined.
    pub bytes: Bytes,
}

impl Sent {
    /// The entries with their bytes.
    fn entries(&self) -> impl Iterator<Item = (EntryId, &[u8])> {
        let ends = self.entries.iter().skip(1).map(|(_, start)| *start);
        let ends = ends.chain([self.bytes.len()]);
        let ranges = self.entries.iter().zip(ends);
        ranges.map(|((id, start), end)| (*id, &self.bytes[*start..end]))
    }
}

/// How many of the batches, the oldest first, the store has, byte for byte. What it has trimmed again counts if a later entry is
/// there. An entry with other bytes is a failure, and so is one that is missing among others.
pub fn stored(store: &Store, stream: &StreamId, sent: &VecDeque<Sent>) -> Result<usize, Failure> {
    let ids = || sent.iter().flat_map(|batch| &batch.entries).map(|(id, _)| *id);
    let (Some(first), Some(last)) = (ids().next(), ids().next_back()) else {
        return Ok(0);
    };
    let there = Range { store, stream }.entries(first, last)?;
    for (id, ours) in sent.iter().flat_map(Sent::entries) {
        if let Some(theirs) = there.get(&id)
            && theirs != ours
        {
            return Err(Failure::Here(difference(stream, id, ours, theirs)));
        }
    }
    // They are stored whole and in order, so the last entry tells.
    let is_there = |batch: &Sent| batch.entries.last().is_some_and(|(id, _)| there.contains_key(id));
    let Some(newest) = sent.iter().rposition(is_there) else {
        return Ok(0);
    };
    let through = sent.iter().take(newest + 1).flat_map(|batch| &batch.entries);
    let mut missing = through
        .map(|(id, _)| *id)
        .filter(|id| !there.contains_key(id))
        .peekable();
    if missing.peek().is_none() {
        return Ok(newest + 1);
    }
    let oldest = Range { store, stream }.oldest()?;
    match missing.find(|id| *id >= oldest) {
        Some(id) => Err(Failure::Here(format!(
            "{stream}: the entry {id} is not in the store, and cannot be stored any more, because newer ones are"
        ))),
        None => Ok(newest + 1),
    }
}

/// How two entries with one id differ.
fn difference(stream: &StreamId, id: EntryId, ours: &[u8], theirs: &[u8]) -> String {
    let first = ours.iter().zip(theirs).position(|(ours, theirs)| ours != theirs);
    let first = first.unwrap_or(ours.len().min(theirs.len()));
    format!(
        "{stream}: the store has another entry {id} than the recording, of {} bytes and not {}; byte {first} is the first that \
         differs: somebody else pushed it",
        theirs.len(),
        ours.len(),
    )
}

/// Entries that a stream has.
struct Range<'a> {
    store: &'a Store,
    stream: &'a StreamId,
}

impl Range<'_> {
    /// Those between two ids, both included.
    fn entries(&self, first: EntryId, last: EntryId) -> Result<BTreeMap<EntryId, Vec<u8>>, Failure> {
        let mut found = BTreeMap::new();
        let mut after = first.before();
        while after < last {
            let some = self.ask(&format!("count={AT_ONCE}&last_entry_id={after}&until={last}"))?;
            let Some((newest, _)) = some.last() else { break };
            after = *newest;
            found.extend(some);
        }
        Ok(found)
    }

    /// The id of the oldest; the largest id of all if there is none.
    fn oldest(&self) -> Result<EntryId, Failure> {
        let oldest = self.ask("count=1&last_entry_id=0")?;
        Ok(oldest.first().map_or(EntryId::MAX, |(id, _)| *id))
    }

    fn ask(&self, query: &str) -> Result<Vec<(EntryId, Vec<u8>)>, Failure> {
        let path = format!("/data/{}?{query}", encode(self.stream.as_str()));
        let reply = self.store.ask("GET", &path, &[], b"")?;
        if reply.status != 200 {
            return Err(self.store.advise(Failure::refused(reply.status, &reply.body)));
        }
        let foreign =
            || Failure::Foreign("this is no store: its reply to GET /data has no offsets of its entries".into());
        let offsets = reply.header("entry-offset").unwrap_or_default();
        let offsets: Vec<(EntryId, usize)> = serde_json::from_str::<Vec<(String, usize)>>(offsets)
            .ok()
            .and_then(|offsets| {
                offsets
                    .into_iter()
                    .map(|(id, start)| Some((id.parse().ok()?, start)))
                    .collect()
            })
            .ok_or_else(foreign)?;
        let ends = offsets
            .iter()
            .skip(1)
            .map(|(_, start)| *start)
            .chain([reply.body.len()]);
        let entries = offsets.iter().zip(ends);
        let entries = entries.map(|((id, start), end)| Some((*id, reply.body.get(*start..end)?.to_vec())));
        entries.collect::<Option<_>>().ok_or_else(foreign)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_names_the_id_both_sizes_and_the_first_byte() {
        let stream = StreamId::new("cam").unwrap();
        let id = EntryId { ms: 4000, seq: 0 };
        for (ours, theirs, words) in [
            ("abc", "abX", "of 3 bytes and not 3; byte 2 is"),
            ("abc", "ab", "of 2 bytes and not 3; byte 2 is"),
            ("", "x", "of 1 bytes and not 0; byte 0 is"),
        ] {
            let told = difference(&stream, id, ours.as_bytes(), theirs.as_bytes());
            assert!(told.contains("entry 4000-0") && told.contains(words), "{told}");
        }
    }
}
