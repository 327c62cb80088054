//! `gaps.jsonl`: what was gone before it could be recorded, because it was trimmed or its stream had begun anew, one line of
//! JSON a gap.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{at, show};
use crate::recording::files;
use crate::words::ids::{EntryId, StreamId};

/// Its name.
pub const GAPS: &str = "gaps.jsonl";

/// The longest line that is read, in bytes; a stream's name and two ids take far less.
const MAX_LINE: u64 = 8 << 10;

/// The most gaps that are read.
const MAX_GAPS: usize = 100_000;

/// Entries that are missing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    /// The stream.
    pub stream: String,
    /// The last entry before them that was recorded or asked for.
    pub after: String,
    /// The first entry behind them. Where the stream began anew it need not be larger; ids may go back behind `after` then.
    pub before: String,
    /// How many entries of the stream had been recorded. Recordings of older versions do not say so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recorded: Option<u64>,
    /// When this was noticed: RFC 3339, UTC.
    pub noticed: String,
}

/// Where the ids of a stream may go back.
#[derive(Debug)]
pub(super) struct Falls(BTreeMap<(EntryId, Option<u64>), EntryId>);

impl Gap {
    /// One that was noticed now, when so many entries of the stream had been recorded.
    pub fn now(stream: &StreamId, after: EntryId, before: EntryId, recorded: u64) -> Gap {
        Gap {
            stream: stream.as_str().into(),
            after: after.to_string(),
            before: before.to_string(),
            recorded: Some(recorded),
            noticed: jiff::Timestamp::now().to_string(),
        }
    }

    /// The last entry before it and the number of those, and the first behind it, if ids may go back there.
    fn fall(&self) -> Option<((EntryId, Option<u64>), EntryId)> {
        let (after, before) = (self.after.parse().ok()?, self.before.parse().ok()?);
        (before <= after).then_some(((after, self.recorded), before))
    }

    /// Appends it in one write.
    pub(super) fn append(&self, folder: &Path) -> Result<(), String> {
        let path = folder.join(GAPS);
        let append = || {
            let mut file = files::append_or_create(&path)?;
            let mut line = serde_json::to_string(self)?;
            line.push('\n');
            // Behind half a line, which a recorder left that was killed.
            if !ends_with_a_line(&mut file)? {
                line.insert(0, '\n');
            }
            file.write_all(line.as_bytes())
        };
        append().map_err(|error| at(&path, error))
    }
}

/// The gaps that a recording knows of, the first 100,000. Lines that are none are left out.
pub fn read_gaps(folder: &Path) -> Result<Vec<Gap>, String> {
    let path = folder.join(GAPS);
    let file = match files::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(at(&path, error)),
    };
    let mut lines = BufReader::new(file);
    let mut gaps = Vec::new();
    let mut line = Vec::new();
    while gaps.len() < MAX_GAPS {
        line.clear();
        let read = lines.by_ref().take(MAX_LINE).read_until(b'\n', &mut line);
        match read.map_err(|error| at(&path, error))? {
            0 => break,
            length if length as u64 == MAX_LINE => {
                return Err(format!("{} has a line of more than {MAX_LINE} bytes", show(&path)));
            }
            _ => gaps.extend(serde_json::from_slice::<Gap>(&line)),
        }
    }
    Ok(gaps)
}

impl Falls {
    /// Those of one stream.
    pub fn of(folder: &Path, stream: &StreamId) -> Result<Falls, String> {
        let gaps = read_gaps(folder)?;
        let of_stream = gaps.iter().filter(|gap| gap.stream == stream.as_str());
        Ok(Falls(of_stream.filter_map(Gap::fall).collect()))
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What the stream began anew with behind so many entries, of which this is the last. A later generation may end with
    /// the same id.
    pub fn behind(&self, last: EntryId, recorded: u64) -> Option<EntryId> {
        self.0.get(&(last, Some(recorded))).copied()
    }

    /// Whether ids may go back there. Of a gap that does not say how many there were, only the id is known.
    pub fn allow(&self, last: EntryId, recorded: u64) -> bool {
        self.behind(last, recorded).is_some() || self.0.contains_key(&(last, None))
    }
}

fn ends_with_a_line(file: &mut File) -> std::io::Result<bool> {
    use std::os::unix::fs::FileExt;
    let length = file.metadata()?.len();
    let Some(last) = length.checked_sub(1) else {
        return Ok(true);
    };
    let mut byte = [0];
    file.read_exact_at(&mut byte, last)?;
    Ok(byte == *b"\n")
}
