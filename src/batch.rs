//! Entries that travel as one blob, on their way out: the blob and the list of offsets that tells them apart.
//! Pure functions; the grammar is in CONTRACT sections 4 and 6. The way in is `batch_header`.

use bytes::Bytes;

use crate::ids::EntryId;

/// Entries that belong together: they are stored all or none. A single entry is a batch of one.
pub type Batch = Vec<Bytes>;

/// Entries joined the way replies carry them: `[["<id>",<offset>],…]` and the bytes.
#[derive(Debug, Default)]
pub struct Joined {
    /// Their ids, and where each starts.
    pub offsets: Offsets,
    /// Their bytes.
    pub bytes: Vec<u8>,
    /// How many they are.
    pub count: usize,
}

impl Joined {
    /// An entry that starts at `offset` has been put behind the bytes.
    pub fn add(&mut self, id: EntryId, offset: usize) {
        self.offsets.push(id, offset);
        self.count += 1;
    }
}

/// The JSON list of ids and offsets, built piece by piece so that its length is known on the way.
#[derive(Debug, Default)]
pub struct Offsets(String);

impl Offsets {
    /// Bytes of the finished list besides its items.
    pub const FRAME: usize = 2;

    /// Bytes that an item adds to the list, its separator included.
    pub fn item_length(id: EntryId, offset: usize) -> usize {
        let digits = |number: u64| number.checked_ilog10().unwrap_or(0) as usize + 1;
        r#"["-",],"#.len() + digits(id.ms) + digits(id.seq) + digits(offset as u64)
    }

    /// Adds an entry that starts at `offset`.
    pub fn push(&mut self, id: EntryId, offset: usize) {
        let separator = if self.0.is_empty() { '[' } else { ',' };
        self.0.push_str(&format!("{separator}[\"{id}\",{offset}]"));
    }

    /// The finished list.
    pub fn finish(mut self) -> String {
        if self.0.is_empty() {
            self.0.push('[');
        }
        self.0.push(']');
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn nothing_joins_to_an_empty_list() {
        assert_eq!(Joined::default().offsets.finish(), "[]");
    }

    proptest! {
        #[test]
        fn joined_offsets_are_json_and_as_long_as_foretold(ids in prop::collection::vec((any::<u64>(), any::<u64>()), 0..20)) {
            let ids: Vec<EntryId> = ids.into_iter().map(|(ms, seq)| EntryId { ms, seq }).collect();
            let mut joined = Joined::default();
            for (index, id) in ids.iter().enumerate() {
                joined.add(*id, index * 3);
            }
            let text = joined.offsets.finish();
            let list: Vec<(String, usize)> = serde_json::from_str(&text).unwrap();
            prop_assert_eq!(list.len(), ids.len());
            let items: usize = ids.iter().enumerate().map(|(index, id)| Offsets::item_length(*id, index * 3)).sum();
            // The first item has no separator, so the frame counts one less.
            prop_assert_eq!(text.len(), items + Offsets::FRAME - usize::from(!ids.is_empty()));
            for (index, ((found, offset), id)) in list.iter().zip(&ids).enumerate() {
                prop_assert_eq!(found, &id.to_string());
                prop_assert_eq!(*offset, index * 3);
            }
        }
    }
}
