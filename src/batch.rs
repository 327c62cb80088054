//! Offsets and entries: how several entries travel as one blob, both ways.
//! Pure functions; the grammar is in CONTRACT sections 4 to 6.

use std::fmt::Write;

use bytes::Bytes;

use crate::ids::{EntryId, StreamId};

/// Entries that belong together: they are stored all or none. A single entry is a batch of one.
pub type Batch = Vec<Bytes>;

/// Why a batch was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BatchError {
    /// The offsets do not parse or do not fit the blob; the sentence says where.
    Offsets(String),
    /// More entries than the limit, which is given.
    TooMany(usize),
}

/// Parses `0,100,256`: where each entry starts. At most `limit` numbers, the first 0, never decreasing.
pub fn parse_offsets(text: &str, limit: usize) -> Result<Vec<usize>, BatchError> {
    let mut offsets = Vec::new();
    for (index, part) in text.split(',').enumerate() {
        if index == limit {
            return Err(BatchError::TooMany(limit));
        }
        // A line end counts as space: line-oriented clients send one.
        let digits = part.trim_ascii();
        let is_number = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
        let offset: usize = is_number
            .then(|| digits.parse().ok())
            .flatten()
            .ok_or_else(|| wrong(format!("offset {} is not a number: {:?}", index + 1, shortened(digits))))?;
        match offsets.last() {
            None if offset != 0 => return Err(wrong(format!("the first offset is {offset}, not 0"))),
            Some(&last) if offset < last => {
                return Err(wrong(format!("offset {} decreases from {last} to {offset}", index + 1)));
            }
            _ => offsets.push(offset),
        }
    }
    Ok(offsets)
}

/// Cuts a blob at its offsets, as `parse_offsets` gave them. No byte is copied.
pub fn split(offsets: &[usize], blob: &Bytes) -> Result<Vec<Bytes>, BatchError> {
    let last = offsets.last().copied().unwrap_or(0);
    if last > blob.len() {
        return Err(wrong(format!(
            "offset {last} is past the end of the blob of {} bytes",
            blob.len()
        )));
    }
    let ends = offsets.iter().skip(1).copied().chain([blob.len()]);
    Ok(offsets
        .iter()
        .zip(ends)
        .map(|(&start, end)| blob.slice(start..end))
        .collect())
}

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
        let quoted = |stream: &StreamId| format!("{},", serde_json::Value::from(stream.as_str()));
        Names {
            quoted: streams.iter().map(quoted).collect(),
        }
    }

    /// Bytes that the name of a stream adds to an item.
    pub fn length(&self, stream: usize) -> usize {
        self.quoted.get(stream).map_or(0, String::len)
    }
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

/// Enough of a wrong value to recognise it by, in a reason of 123 bytes.
fn shortened(value: &str) -> String {
    value.chars().take(24).collect()
}

fn wrong(sentence: String) -> BatchError {
    BatchError::Offsets(sentence)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn cut(text: &str, blob: &'static [u8]) -> Result<Vec<Bytes>, BatchError> {
        split(&parse_offsets(text, 100)?, &Bytes::from_static(blob))
    }

    #[test]
    fn an_entry_reaches_to_the_next_offset_and_the_last_to_the_end() {
        assert_eq!(cut("0,1, 3 \n", b"abcde").unwrap(), ["a", "bc", "de"]);
    }

    #[test]
    fn equal_neighbours_are_an_empty_entry() {
        assert_eq!(cut("0,0,2,2", b"ab").unwrap(), ["", "ab", "", ""]);
        assert_eq!(cut("0", b"").unwrap(), [""]);
    }

    #[test]
    fn bad_offsets_are_refused_with_their_place() {
        for (text, reason) in [
            ("", "offset 1 is not a number"),
            ("1", "first offset is 1"),
            ("0,3,2", "offset 3 decreases from 3 to 2"),
            ("0,9", "past the end"),
            ("0,,1", "offset 2 is not a number"),
            ("0,-1", "not a number"),
            ("0,+1", "not a number"),
            ("0,1.5", "not a number"),
            ("0,99999999999999999999999", "not a number"),
            ("[0,1]", "not a number"),
        ] {
            match cut(text, b"abc") {
                Err(BatchError::Offsets(sentence)) => assert!(sentence.contains(reason), "{text}: {sentence}"),
                other => panic!("{text}: {other:?}"),
            }
        }
    }

    #[test]
    fn more_entries_than_the_limit_are_refused() {
        assert_eq!(parse_offsets("0,0,0", 2), Err(BatchError::TooMany(2)));
        assert_eq!(parse_offsets("0,0", 2), Ok(vec![0, 0]));
    }

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

    proptest! {
        #[test]
        fn what_is_split_was_joined(parts in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..20), 1..20)) {
            let mut offsets = vec![];
            let mut blob = vec![];
            for part in &parts {
                offsets.push(blob.len().to_string());
                blob.extend_from_slice(part);
            }
            let offsets = parse_offsets(&offsets.join(","), 100).unwrap();
            prop_assert_eq!(split(&offsets, &Bytes::from(blob)).unwrap(), parts);
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

        #[test]
        fn no_text_makes_the_parser_panic(text in ".*", blob in prop::collection::vec(any::<u8>(), 0..50)) {
            if let Ok(offsets) = parse_offsets(&text, 10) {
                let _ = split(&offsets, &Bytes::from(blob));
            }
        }
    }
}
