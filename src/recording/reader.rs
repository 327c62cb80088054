//! Reads one stream of a recording in order, in a few kilobytes of memory besides the entry itself.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::{Path, PathBuf};

use super::gaps::Falls;
use super::index::{RECORD_SIZE, Record};
use super::names::{data_path, index_path};
use super::tail::{Tail, record_at};
use super::{at, show};
use crate::recording::files;
use crate::words::ids::{EntryId, StreamId};

/// What is read ahead of each of the two files, in bytes. A thousand streams may be read at the same time.
const AHEAD: usize = 16 << 10;

/// A place in one stream, which moves on. What is appended after it was opened is not seen.
pub struct Reader {
    data_path: PathBuf,
    data: BufReader<File>,
    /// Where `data` is.
    data_at: u64,
    index_path: PathBuf,
    index: BufReader<File>,
    tail: Tail,
    /// Where ids may go back.
    falls: Falls,
    /// The numbers of the next record, and of the first that is not read any more.
    next: u64,
    end: u64,
    /// The record before it.
    previous: Option<Record>,
}

impl Reader {
    pub(super) fn open(folder: &Path, stream: &StreamId) -> Result<Reader, String> {
        let (data_path, index_path) = (data_path(folder, stream), index_path(folder, stream));
        let open = |path: &Path| files::open(path).map_err(|error| at(path, error));
        let (index, data) = (open(&index_path)?, open(&data_path)?);
        let tail = Tail::find(&index, &data).map_err(|fault| format!("{}: {fault}", show(&index_path)))?;
        Ok(Reader {
            data_path,
            data: BufReader::with_capacity(AHEAD, data),
            data_at: 0,
            index_path,
            index: BufReader::with_capacity(AHEAD, index),
            end: tail.records,
            tail,
            falls: Falls::of(folder, stream)?,
            next: 0,
            previous: None,
        })
    }

    /// How much there is, and what is torn behind it.
    pub fn tail(&self) -> Tail {
        self.tail
    }

    /// How many entries are still to come.
    pub fn left(&self) -> u64 {
        self.end.saturating_sub(self.next)
    }

    /// The first and the last of the entries that are still to come, as far as their records are sound: damage is an error of
    /// the first alone.
    pub fn reach(&self) -> Result<Option<(Record, Record)>, String> {
        if self.left() == 0 {
            return Ok(None);
        }
        let first = self.record(self.next)?.ok_or_else(|| self.damaged("is damaged"))?;
        for number in (self.next + 1..self.end).rev() {
            if let Some(last) = self.record(number)? {
                return Ok(Some((first, last)));
            }
        }
        Ok(Some((first, first)))
    }

    /// The numbers of the entries that are still to come.
    pub fn span(&self) -> Range<u64> {
        self.next..self.end
    }

    /// Goes to the first of these entries, and ends with the last.
    pub fn go_to_span(&mut self, span: Range<u64>) -> Result<(), String> {
        self.end = span.end.min(self.tail.records);
        self.go_to(span.start)
    }

    /// Whether ids go back anywhere, because the stream began anew while it was recorded.
    pub fn goes_back(&self) -> Result<bool, String> {
        let mut previous = None;
        for number in 0..if self.falls.is_empty() { 0 } else { self.tail.records } {
            let Some(record) = self.record(number)? else { continue };
            if previous
                .replace(record.id)
                .is_some_and(|previous| record.id <= previous)
            {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Goes to the first entry behind this id.
    pub fn go_behind(&mut self, id: EntryId) -> Result<(), String> {
        let number = self.count_up_to(id)?;
        self.go_to(number)
    }

    /// Ends with the last entry up to this id. Damaged records behind it may be of entries up to it, so that they are met.
    pub fn end_with(&mut self, id: EntryId) -> Result<(), String> {
        let count = self.count_up_to(id)?;
        self.end = self.sound_from(count, self.tail.records)?.0;
        Ok(())
    }

    /// The next record; none at the end. What cannot be is an error that says where.
    pub fn next_record(&mut self) -> Result<Option<Record>, String> {
        if self.left() == 0 {
            return Ok(None);
        }
        let mut bytes = [0; RECORD_SIZE];
        let read = self.index.read_exact(&mut bytes);
        read.map_err(|error| at(&self.index_path, error))?;
        let record = Record::from_bytes(&bytes).ok_or_else(|| self.damaged("is damaged"))?;
        let goes_back = |previous: &Record| record.id <= previous.id && !self.falls.allow(previous.id, self.next);
        if let Some(previous) = self.previous.filter(goes_back) {
            return Err(self.damaged(&format!("goes back from {} to {}", previous.id, record.id)));
        }
        if record.start != self.previous.map_or(0, Record::end) {
            return Err(self.damaged("does not begin where the one before ends"));
        }
        self.next += 1;
        self.previous = Some(record);
        Ok(Some(record))
    }

    /// Appends the bytes of a record's entry to `into`, and checks them. Nothing is appended if that fails.
    pub fn read(&mut self, record: Record, into: &mut Vec<u8>) -> Result<(), String> {
        let begin = into.len();
        let sound = self.read_bytes(record, into).map(|()| record.is_of(&into[begin..]));
        if !matches!(sound, Ok(true)) {
            into.truncate(begin);
        }
        match sound {
            Ok(true) => Ok(()),
            Ok(false) => Err(format!(
                "{}: the bytes of entry {} are damaged, {} bytes from {} on",
                show(&self.data_path),
                record.id,
                record.length,
                record.start
            )),
            Err(error) => Err(at(&self.data_path, error)),
        }
    }

    fn read_bytes(&mut self, record: Record, into: &mut Vec<u8>) -> io::Result<()> {
        if self.data_at != record.start {
            self.data.seek(SeekFrom::Start(record.start))?;
        }
        // By and by, so that a length that is not true takes no memory.
        let read = self.data.by_ref().take(record.length).read_to_end(into)?;
        self.data_at = record.start + read as u64;
        Ok(())
    }

    /// How many records there are up to the last sound one with an id up to this.
    fn count_up_to(&self, id: EntryId) -> Result<u64, String> {
        match id {
            EntryId { ms: 0, seq: 0 } => return Ok(0),
            EntryId::MAX => return Ok(self.tail.records),
            _ if self.goes_back()? => {
                return Err(format!(
                    "{}: the stream began anew while it was recorded, so that an id or a time names no place in it",
                    show(&self.index_path)
                ));
            }
            _ => {}
        }
        let (mut low, mut high) = (0, self.tail.records);
        while low < high {
            let middle = low + (high - low) / 2;
            // A damaged record has no id to go by; the next sound one has.
            match self.sound_from(middle, high)? {
                (number, Some(record)) if record.id <= id => low = number + 1,
                _ => high = middle,
            }
        }
        Ok(low)
    }

    /// The first sound record from this number on and before the end, and its number; the end if there is none.
    fn sound_from(&self, number: u64, end: u64) -> Result<(u64, Option<Record>), String> {
        for number in number..end {
            if let Some(record) = self.record(number)? {
                return Ok((number, Some(record)));
            }
        }
        Ok((end, None))
    }

    /// The record with this number; none if it is damaged.
    fn record(&self, number: u64) -> Result<Option<Record>, String> {
        record_at(self.index.get_ref(), number).map_err(|error| at(&self.index_path, error))
    }

    fn go_to(&mut self, number: u64) -> Result<(), String> {
        let place = SeekFrom::Start(number * RECORD_SIZE as u64);
        self.index.seek(place).map_err(|error| at(&self.index_path, error))?;
        self.next = number;
        self.previous = match number.checked_sub(1) {
            Some(number) => self.record(number)?,
            None => None,
        };
        Ok(())
    }

    fn damaged(&self, how: &str) -> String {
        format!("{}: record {} {how}", show(&self.index_path), self.next)
    }
}
