//! One record of an index file: 40 bytes, numbers in little-endian order, as Python's `struct` reads them with `<QQQQII`.

use crate::words::ids::EntryId;

/// Bytes of a record.
pub const RECORD_SIZE: usize = 40;

/// The largest entry that a recording may have, in bytes: Redis takes none that are larger. A larger one is damage.
pub const MAX_ENTRY: u64 = 512 << 20;

/// What the index says of one entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record {
    /// The id that it has in the store.
    pub id: EntryId,
    /// Where its bytes begin in the data file.
    pub start: u64,
    /// How many they are.
    pub length: u64,
    /// Their CRC-32 (zlib's).
    pub checksum: u32,
}

/// Where the CRC-32 of the record itself is: behind everything else.
const OWN_CHECKSUM: usize = RECORD_SIZE - 4;

impl Record {
    /// The record of an entry whose bytes begin at `start`.
    pub fn of(id: EntryId, start: u64, entry: &[u8]) -> Record {
        Record {
            id,
            start,
            length: entry.len() as u64,
            checksum: crc32fast::hash(entry),
        }
    }

    /// As it is in the file.
    pub fn to_bytes(self) -> [u8; RECORD_SIZE] {
        let mut bytes = [0; RECORD_SIZE];
        bytes[..8].copy_from_slice(&self.id.ms.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.id.seq.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.start.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.length.to_le_bytes());
        bytes[32..36].copy_from_slice(&self.checksum.to_le_bytes());
        let own = crc32fast::hash(&bytes[..OWN_CHECKSUM]);
        bytes[OWN_CHECKSUM..].copy_from_slice(&own.to_le_bytes());
        bytes
    }

    /// Reads one; none if its checksum does not fit, or it speaks of an entry that cannot be.
    pub fn from_bytes(bytes: &[u8; RECORD_SIZE]) -> Option<Record> {
        let own = u32::from_le_bytes(*bytes.last_chunk()?);
        if own != crc32fast::hash(&bytes[..OWN_CHECKSUM]) {
            return None;
        }
        let long = |at: usize| bytes[at..].first_chunk().map(|bytes| u64::from_le_bytes(*bytes));
        let record = Record {
            id: EntryId {
                ms: long(0)?,
                seq: long(8)?,
            },
            start: long(16)?,
            length: long(24)?,
            checksum: bytes[32..].first_chunk().map(|bytes| u32::from_le_bytes(*bytes))?,
        };
        let possible = record.length <= MAX_ENTRY && record.start.checked_add(record.length).is_some();
        possible.then_some(record)
    }

    /// Whether these are the bytes that it speaks of.
    pub fn is_of(self, entry: &[u8]) -> bool {
        entry.len() as u64 == self.length && crc32fast::hash(entry) == self.checksum
    }

    /// Where its bytes end in the data file.
    pub fn end(self) -> u64 {
        self.start.saturating_add(self.length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_layout_is_the_documented_one() {
        let record = Record::of(EntryId { ms: 1, seq: 2 }, 3, b"123456789");
        let bytes = record.to_bytes();
        assert_eq!(
            bytes[..32],
            [1u64, 2, 3, 9].map(u64::to_le_bytes).concat(),
            "ms, seq, start, length"
        );
        // The check value that every description of zlib's CRC-32 gives.
        assert_eq!(bytes[32..36], 0xcbf4_3926u32.to_le_bytes());
    }

    #[test]
    fn blocks_of_zeros_are_no_records() {
        assert_eq!(Record::from_bytes(&[0; RECORD_SIZE]), None);
    }

    proptest! {
        #[test]
        fn records_read_back_and_every_flipped_bit_is_noticed(
            ms: u64, seq: u64, start in 0..u64::MAX / 2, length in 0..=MAX_ENTRY, checksum: u32, bit in 0..RECORD_SIZE * 8,
        ) {
            let record = Record { id: EntryId { ms, seq }, start, length, checksum };
            let mut bytes = record.to_bytes();
            prop_assert_eq!(Record::from_bytes(&bytes), Some(record));
            bytes[bit / 8] ^= 1 << (bit % 8);
            prop_assert_eq!(Record::from_bytes(&bytes), None);
        }

        #[test]
        fn impossible_entries_are_no_records(start: u64, length in MAX_ENTRY + 1..) {
            let huge = Record { id: EntryId::default(), start, length, checksum: 0 };
            prop_assert_eq!(Record::from_bytes(&huge.to_bytes()), None);
            let past = Record { id: EntryId::default(), start: u64::MAX - 1, length: 2, checksum: 0 };
            prop_assert_eq!(Record::from_bytes(&past.to_bytes()), None);
        }
    }
}
