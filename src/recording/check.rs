//! Reads everything of a stream, and says what is damaged and what is torn.

use std::io::{BufReader, Read};

use super::gaps::Falls;
use super::index::{RECORD_SIZE, Record};
use super::names::{data_path, index_path};
use super::tail::{Tail, Torn, checksum};
use super::{Recording, at};
use crate::recording::files;
use crate::words::ids::StreamId;

/// So many faults of a stream are told one by one.
const MOST_TOLD: usize = 10;

/// What was found in one stream.
#[derive(Debug, Default)]
pub struct Report {
    /// Whole entries.
    pub entries: u64,
    /// Their bytes.
    pub bytes: u64,
    /// The first and the last of them.
    pub reach: Option<(Record, Record)>,
    /// The first ten records or entries that are damaged, as sentences.
    pub damaged: Vec<String>,
    /// How many are.
    pub faults: u64,
    /// What is behind the last whole entry.
    pub torn: Torn,
}

/// Checks a stream from its first record to its end. Damage is in the report; an error says that it cannot be read at all.
pub fn check(recording: &Recording, stream: &StreamId) -> Result<Report, String> {
    let (data_path, index_path) = (
        data_path(recording.folder(), stream),
        index_path(recording.folder(), stream),
    );
    let index = files::open(&index_path).map_err(|error| at(&index_path, error))?;
    let data = files::open(&data_path).map_err(|error| at(&data_path, error))?;
    let tail = Tail::find(&index, &data).map_err(|fault| format!("{}: {fault}", index_path.display()))?;
    let end = tail.last.map_or(0, Record::end);
    let mut report = Report {
        torn: tail.torn,
        ..Report::default()
    };
    let falls = Falls::of(recording.folder(), stream)?;
    let mut index = BufReader::new(index);
    let (mut newest, mut expected) = (None, Some(0));
    for number in 0..tail.records {
        let mut bytes = [0; RECORD_SIZE];
        index.read_exact(&mut bytes).map_err(|error| at(&index_path, error))?;
        let Some(record) = Record::from_bytes(&bytes) else {
            report.fault(format!("record {number} of the index is damaged"));
            expected = None;
            continue;
        };
        let fault = if newest.is_some_and(|newest| record.id <= newest && !falls.allow(newest, number)) {
            "is not larger than the one before"
        } else if expected.is_some_and(|expected| record.start != expected) {
            "does not begin where the one before ends"
        } else if record.end() > end {
            "is said to be behind the end of the data"
        } else if checksum(&data, record).map_err(|error| at(&data_path, error))? != record.checksum {
            "is damaged"
        } else {
            report.whole(record);
            (newest, expected) = (Some(record.id), Some(record.end()));
            continue;
        };
        report.fault(format!("entry {}, record {number} of the index, {fault}", record.id));
        expected = None;
    }
    Ok(report)
}

impl Report {
    /// Whether nothing is damaged. What is torn at the end is not: a recorder was killed there, and nothing else is lost.
    pub fn is_sound(&self) -> bool {
        self.faults == 0
    }

    fn whole(&mut self, record: Record) {
        self.entries += 1;
        self.bytes += record.length;
        let first = self.reach.map_or(record, |(first, _)| first);
        self.reach = Some((first, record));
    }

    fn fault(&mut self, sentence: String) {
        self.faults += 1;
        if self.damaged.len() < MOST_TOLD {
            self.damaged.push(sentence);
        }
    }
}
