//! Writes one stream of a recording: data before index, one write each for all entries that came together.

use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use super::gaps::{Falls, Gap};
use super::index::{RECORD_SIZE, Record};
use super::names::{data_path, index_path};
use super::tail::{Tail, Torn};
use super::{at, show};
use crate::recording::files;
use crate::words::ids::{EntryId, StreamId};

/// A tail of data that no index speaks of is cut up to this size. A crash leaves less behind: what one reply brings, or,
/// if the power failed, what the system had not written yet. With more, an index is missing, and the data worth keeping.
const LARGEST_CUT: u64 = 1 << 30;

/// Appends to the two files of one stream.
#[derive(Debug)]
pub struct Writer {
    folder: PathBuf,
    stream: StreamId,
    data: Appended,
    index: Appended,
    last: Option<Record>,
    /// What to go on behind instead of the last entry, if the stream has begun anew since.
    anew: Option<EntryId>,
    entries: u64,
    /// The records of one write.
    records: Vec<u8>,
    /// Every write is on the disk before the next.
    sync: bool,
}

/// A file that only grows, and how long it is.
#[derive(Debug)]
struct Appended {
    path: PathBuf,
    file: File,
    length: u64,
}

impl Writer {
    /// Opens a stream's files, makes them if there are none, and cuts what is torn at their end; that is returned.
    pub(super) fn go_on(folder: &Path, stream: &StreamId) -> Result<(Writer, Torn), String> {
        let (data, index) = (data_path(folder, stream), index_path(folder, stream));
        let (data, index) = match (Appended::open(&data)?, Appended::open(&index)?) {
            (None, None) => (Appended::create(&data)?, Appended::create(&index)?),
            // The data file is made first.
            (Some(data), None) if data.length == 0 => (data, Appended::create(&index)?),
            (Some(data), Some(index)) => (data, index),
            (None, _) => return Err(format!("{} is missing", show(&data))),
            (_, None) => return Err(format!("{} is missing", show(&index))),
        };
        let tail = Tail::find(&index.file, &data.file).map_err(|fault| format!("{}: {fault}", show(&index.path)))?;
        if tail.torn.data > LARGEST_CUT {
            return Err(format!(
                "{} ends {} bytes behind what its index speaks of: more than a crash leaves, so nothing was cut. \
                 `truncate -s -{} {:?}` cuts it",
                show(&data.path),
                tail.torn.data,
                tail.torn.data,
                data.path
            ));
        }
        let mut writer = Writer {
            folder: folder.to_owned(),
            stream: stream.clone(),
            data,
            index,
            last: tail.last,
            anew: None,
            entries: tail.records,
            records: Vec::new(),
            sync: false,
        };
        writer.data.cut(tail.last.map_or(0, Record::end))?;
        writer.index.cut(tail.records * RECORD_SIZE as u64)?;
        if let Some(last) = writer.last() {
            let anew = Falls::of(folder, stream)?.behind(last, writer.entries);
            writer.anew = anew.map(EntryId::before);
        }
        Ok((writer, tail.torn))
    }

    /// From now on everything is on the disk before the next is written: no power loss costs more than one reply.
    pub fn sync(&mut self) {
        self.sync = true;
    }

    /// The newest entry.
    pub fn last(&self) -> Option<EntryId> {
        self.last.map(|record| record.id)
    }

    /// The id to go on behind: the newest entry's, unless the stream has begun anew since.
    pub fn place(&self) -> Option<EntryId> {
        self.anew.or(self.last())
    }

    /// The record of the entry to go on behind; none if the stream has begun anew since.
    pub fn last_record(&self) -> Option<Record> {
        self.last.filter(|_| self.anew.is_none())
    }

    /// How many entries there are, those that were there before included.
    pub fn entries(&self) -> u64 {
        self.entries
    }

    /// Appends entries that came together: their ids, and where each starts in `bytes`. Nothing of it stays if it fails.
    pub fn append(&mut self, entries: &[(EntryId, usize)], bytes: &[u8]) -> Result<(), String> {
        if entries.is_empty() && bytes.is_empty() {
            // While nothing comes, a disk that is written through to may rest.
            return Ok(());
        }
        self.records.clear();
        let mut last = self.last;
        let mut expected = 0;
        for (number, &(id, start)) in entries.iter().enumerate() {
            let end = entries.get(number + 1).map_or(bytes.len(), |&(_, next)| next);
            let entry = bytes.get(start..end).filter(|_| start == expected);
            let entry = entry.ok_or_else(|| format!("{}: the offsets of {id} do not fit the bytes", self.stream))?;
            let may_fall = number == 0 && self.anew.is_some();
            if !may_fall && last.is_some_and(|last| id <= last.id) {
                return Err(format!(
                    "{}: entry {id} comes after {}",
                    self.stream,
                    last.map_or(EntryId::default(), |last| last.id)
                ));
            }
            let record = Record::of(id, self.data.length + start as u64, entry);
            self.records.extend(record.to_bytes());
            (last, expected) = (Some(record), end);
        }
        if expected != bytes.len() {
            return Err(format!("{}: bytes that belong to no entry", self.stream));
        }
        let (data, index) = (self.data.length, self.index.length);
        let written = self.write(bytes);
        if written.is_err() {
            // A full disk: what is there stays whole, and whoever opens it next finds nothing torn. If this fails, they do.
            let _ = self.data.cut(data).and_then(|()| self.index.cut(index));
            return written;
        }
        (self.last, self.anew) = (last, None);
        self.entries += entries.len() as u64;
        Ok(())
    }

    /// Notes that entries between these two were gone before they could be recorded. If the stream has begun anew, the next
    /// ids may be smaller than the last.
    pub fn gap(&mut self, after: EntryId, before: EntryId, anew: bool) -> Result<(), String> {
        // By its line the fall is known, whoever reads the recording.
        let after = if anew { self.last().unwrap_or(after) } else { after };
        Gap::now(&self.stream, after, before, self.entries).append(&self.folder)?;
        if anew && self.last().is_some_and(|last| before <= last) {
            self.anew = Some(before.before());
        }
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), String> {
        self.data.append(bytes, self.sync)?;
        self.index.append(&self.records, self.sync)
    }
}

impl Appended {
    fn open(path: &Path) -> Result<Option<Appended>, String> {
        let file = match files::append(path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(at(path, error)),
        };
        let length = file.metadata().map_err(|error| at(path, error))?.len();
        Ok(Some(Appended {
            path: path.to_owned(),
            file,
            length,
        }))
    }

    fn create(path: &Path) -> Result<Appended, String> {
        Ok(Appended {
            path: path.to_owned(),
            file: files::create(path).map_err(|error| at(path, error))?,
            length: 0,
        })
    }

    fn append(&mut self, bytes: &[u8], sync: bool) -> Result<(), String> {
        let write = || -> io::Result<()> {
            (&self.file).write_all(bytes)?;
            if sync { self.file.sync_data() } else { Ok(()) }
        };
        write().map_err(|error| at(&self.path, error))?;
        self.length += bytes.len() as u64;
        Ok(())
    }

    fn cut(&mut self, length: u64) -> Result<(), String> {
        let there = self.file.metadata().map_err(|error| at(&self.path, error))?.len();
        if there > length {
            self.file.set_len(length).map_err(|error| at(&self.path, error))?;
        }
        self.length = length;
        Ok(())
    }
}
