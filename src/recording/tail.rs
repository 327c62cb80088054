//! The end of a stream's files: how far they are sound, and what is torn behind that.

use std::fmt;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use super::index::{RECORD_SIZE, Record};

/// How many records at the end of an index may be torn. A crash leaves fewer; with more the file is something else.
const MOST_TORN_RECORDS: u64 = 1 << 20;

/// How much of a data file is looked at in one go.
const PIECE: usize = 64 << 10;

/// How far a stream's two files are sound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tail {
    /// So many records are.
    pub records: u64,
    /// The last of them.
    pub last: Option<Record>,
    /// What is behind it.
    pub torn: Torn,
}

/// What is behind the last whole entry, in bytes: what was being written when a recorder was killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Torn {
    /// Bytes of the index.
    pub index: u64,
    /// Bytes of the data.
    pub data: u64,
}

impl Tail {
    /// Looks from the end backwards for a record that is whole and whose entry is there.
    pub fn find(index: &File, data: &File) -> Result<Tail, String> {
        let failed = |error: io::Error| error.to_string();
        // The index first: what it speaks of was written before it.
        let index_length = index.metadata().map_err(failed)?.len();
        let data_length = data.metadata().map_err(failed)?.len();
        let whole = index_length / RECORD_SIZE as u64;
        for records in (whole.saturating_sub(MOST_TORN_RECORDS)..=whole).rev() {
            let last = match records.checked_sub(1) {
                Some(number) => match sound_record(index, data, data_length, number).map_err(failed)? {
                    Some(record) => Some(record),
                    None => continue,
                },
                None => None,
            };
            let torn = Torn {
                index: index_length - records * RECORD_SIZE as u64,
                data: data_length - last.map_or(0, Record::end),
            };
            return Ok(Tail { records, last, torn });
        }
        Err(format!("the last {MOST_TORN_RECORDS} records are all damaged"))
    }
}

impl Torn {
    /// Whether nothing is.
    pub fn is_none(self) -> bool {
        self == Torn::default()
    }
}

impl fmt::Display for Torn {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{} bytes of data and {} bytes of index", self.data, self.index)
    }
}

/// The record with this number, read from its place.
pub fn record_at(index: &File, number: u64) -> io::Result<Option<Record>> {
    let mut bytes = [0; RECORD_SIZE];
    index.read_exact_at(&mut bytes, number * RECORD_SIZE as u64)?;
    Ok(Record::from_bytes(&bytes))
}

/// The same, if its entry is there and whole, too.
fn sound_record(index: &File, data: &File, data_length: u64, number: u64) -> io::Result<Option<Record>> {
    let Some(record) = record_at(index, number)?.filter(|record| record.end() <= data_length) else {
        return Ok(None);
    };
    let sound = checksum(data, record)? == record.checksum;
    Ok(sound.then_some(record))
}

/// The checksum of an entry's bytes as they are in the data file.
pub fn checksum(data: &File, record: Record) -> io::Result<u32> {
    let mut sum = crc32fast::Hasher::new();
    let mut piece = vec![0; PIECE.min(record.length as usize)];
    let mut at = record.start;
    while at < record.end() {
        let wanted = piece.len().min((record.end() - at) as usize);
        data.read_exact_at(&mut piece[..wanted], at)?;
        sum.update(&piece[..wanted]);
        at += wanted as u64;
    }
    Ok(sum.finalize())
}
