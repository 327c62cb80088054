//! Entries that travel as one blob, on their way out: the blob and the list of offsets that tells them apart.
//! Pure functions; the grammar is in docs/protocol.md, sections 4 and 6. The way in is `batch_header`.

use std::fmt::Write;

use bytes::Bytes;

use crate::words::ids::{EntryId, StreamId};

/// Entries that belong together: they are stored all or none. A single entry is a batch of one.
pub type Batch = Vec<Bytes>;

/// Entries joined the way replies carry them: their bytes, and for each where it starts.
#[derive(Debug, Default)]
pub struct Joined {
    /// The entries, in the order of their bytes.
    pub items: Vec<Item>,
    /// Their bytes.
    pub bytes: Vec<u8>,
}

/// One of several joined entries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// Which of the streams it is from, counted from 0.
    pub stream: usize,
    /// Its id.
    pub id: EntryId,
    /// Where its bytes start.
    pub start: usize,
    /// How many entries before it were skipped on purpose; unknown, or nobody skips, if none.
    pub skipped: Option<u64>,
}

impl Joined {
    /// An entry that starts at `start` has been put behind the bytes.
    pub fn add(&mut self, stream: usize, id: EntryId, start: usize) {
        self.items.push(Item {
            stream,
            id,
            start,
            skipped: None,
        });
    }

    /// How many entries they are.
    pub fn count(&self) -> usize {
        self.items.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Forgets them, and keeps the memory for the next.
    pub fn clear(&mut self) {
        self.items.clear();
        self.bytes.clear();
    }

    /// Each entry with its bytes.
    pub fn entries(&self) -> impl Iterator<Item = (&Item, &[u8])> {
        let ends = self.items.iter().skip(1).map(|item| item.start);
        let ends = ends.chain([self.bytes.len()]);
        self.items
            .iter()
            .zip(ends)
            .map(|(item, end)| (item, &self.bytes[item.start..end]))
    }

    /// Puts other entries behind these.
    pub fn append(&mut self, mut more: Joined) {
        if self.is_empty() {
            *self = more;
            return;
        }
        let offset = self.bytes.len();
        more.items.iter_mut().for_each(|item| item.start += offset);
        self.items.append(&mut more.items);
        self.bytes.append(&mut more.bytes);
    }

    /// The JSON list of where each starts: `[["<id>",<offset>],…]`, or with the names of the streams
    /// `[["<stream>","<id>",<offset>],…]`.
    pub fn offsets(&self, names: Option<&Names>) -> String {
        let mut text = String::with_capacity(FRAME + self.items.len() * TYPICAL_ITEM);
        text.push('[');
        for item in &self.items {
            if text.len() > 1 {
                text.push(',');
            }
            let name = names.map_or("", |names| &names.quoted[item.stream]);
            // Writing to a String cannot fail.
            let _ = write!(text, "[{name}\"{}\",{}]", item.id, item.start);
        }
        text.push(']');
        text
    }
}

/// The names of streams as they stand in lists of offsets.
#[derive(Debug)]
pub struct Names {
    /// JSON strings, and a comma behind each.
    quoted: Vec<String>,
}

impl Names {
    /// Those of these streams.
    pub fn new(streams: &[StreamId]) -> Names {
        let quoted = |stream: &StreamId| format!("{},", ascii_json(stream.as_str()));
        Names {
            quoted: streams.iter().map(quoted).collect(),
        }
    }

    /// Bytes that the name of a stream adds to an item.
    pub fn length(&self, stream: usize) -> usize {
        self.quoted.get(stream).map_or(0, String::len)
    }
}

/// A JSON string of ASCII alone: lists of offsets also travel in a header, which takes nothing else.
fn ascii_json(text: &str) -> String {
    let mut ascii = String::new();
    for c in serde_json::Value::from(text).to_string().chars() {
        if c.is_ascii() {
            ascii.push(c);
            continue;
        }
        for unit in c.encode_utf16(&mut [0; 2]) {
            // Writing to a String cannot fail.
            let _ = write!(ascii, "\\u{unit:04x}");
        }
    }
    ascii
}

/// Bytes of a list of offsets besides its items.
pub const FRAME: usize = 2;

/// About how long an item of that list is.
const TYPICAL_ITEM: usize = 32;

/// Bytes that an item without a name adds to the list, its separator included.
pub fn item_length(id: EntryId, offset: usize) -> usize {
    let digits = |number: u64| number.checked_ilog10().unwrap_or(0) as usize + 1;
    r#"["-",],"#.len() + digits(id.ms) + digits(id.seq) + digits(offset as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn nothing_joins_to_an_empty_list() {
        assert_eq!(Joined::default().offsets(None), "[]");
    }

    #[test]
    fn what_is_appended_follows() {
        let id = |ms| EntryId { ms, seq: 0 };
        let mut joined = Joined::default();
        for (stream, bytes) in [(0, &b"one"[..]), (1, b""), (1, b"two")] {
            let mut more = Joined::default();
            more.add(stream, id(stream as u64), 0);
            more.bytes.extend_from_slice(bytes);
            joined.append(more);
        }
        let entries: Vec<(usize, &[u8])> = joined.entries().map(|(item, bytes)| (item.stream, bytes)).collect();
        assert_eq!(entries, [(0, &b"one"[..]), (1, b""), (1, b"two")]);
        let names = Names::new(&[StreamId::new("a").unwrap(), StreamId::new("\"").unwrap()]);
        assert_eq!(
            joined.offsets(Some(&names)),
            r#"[["a","0-0",0],["\"","1-0",3],["\"","1-0",3]]"#
        );
    }

    #[test]
    fn names_are_ascii() {
        assert_eq!(ascii_json("a\"\\é流😀"), r#""a\"\\\u00e9\u6d41\ud83d\ude00""#);
    }

    proptest! {
        #[test]
        fn names_survive_as_ascii(name in ".*") {
            let ascii = ascii_json(&name);
            prop_assert!(ascii.is_ascii());
            prop_assert_eq!(serde_json::from_str::<String>(&ascii).unwrap(), name);
        }

        #[test]
        fn joined_offsets_are_json_and_as_long_as_foretold(ids in prop::collection::vec((any::<u64>(), any::<u64>()), 0..20)) {
            let ids: Vec<EntryId> = ids.into_iter().map(|(ms, seq)| EntryId { ms, seq }).collect();
            let mut joined = Joined::default();
            for (index, id) in ids.iter().enumerate() {
                joined.add(0, *id, index * 3);
            }
            let text = joined.offsets(None);
            let list: Vec<(String, usize)> = serde_json::from_str(&text).unwrap();
            prop_assert_eq!(list.len(), ids.len());
            let items: usize = ids.iter().enumerate().map(|(index, id)| item_length(*id, index * 3)).sum();
            // The first item has no separator, so the frame counts one less.
            prop_assert_eq!(text.len(), items + FRAME - usize::from(!ids.is_empty()));
            for (index, ((found, offset), id)) in list.iter().zip(&ids).enumerate() {
                prop_assert_eq!(found, &id.to_string());
                prop_assert_eq!(*offset, index * 3);
            }
        }
    }
}
