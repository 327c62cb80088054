//! `gaps.jsonl`: what was gone before it could be recorded, because it was trimmed or its stream had begun anew, one line of
//! JSON a gap.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{at, show};
use crate::files;
use crate::ids::{EntryId, StreamId};

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
    /// When this was noticed: RFC 3339, UTC.
    pub noticed: String,
}

impl Gap {
    /// One that was noticed now.
    pub fn now(stream: &StreamId, after: EntryId, before: EntryId) -> Gap {
        Gap {
            stream: stream.as_str().into(),
            after: after.to_string(),
            before: before.to_string(),
            noticed: jiff::Timestamp::now().to_string(),
        }
    }

    /// The ids of the last entry before it and of the first behind it, if ids may go back there.
    fn fall(&self) -> Option<(EntryId, EntryId)> {
        let (after, before) = (self.after.parse().ok()?, self.before.parse().ok()?);
        (before <= after).then_some((after, before))
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

/// The entries of a stream behind which ids may go back, each with what it begins anew with.
pub(super) fn falls(folder: &Path, stream: &StreamId) -> Result<BTreeMap<EntryId, EntryId>, String> {
    let gaps = read_gaps(folder)?;
    let of_stream = gaps.iter().filter(|gap| gap.stream == stream.as_str());
    Ok(of_stream.filter_map(Gap::fall).collect())
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
