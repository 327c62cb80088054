//! Where the entries of a pull go.

use ptg_store::batch::Item;
use ptg_store::ids::StreamId;
use ptg_store::shape;

use super::Flags;
use super::folder::Folder;
use crate::client::{Entry, Failure, Gap, Output};

/// Where entries go.
pub enum Sink {
    /// As they are, each followed by this.
    Plain(&'static [u8]),
    /// As lines of JSON about this stream.
    Json(StreamId),
    /// Into files.
    Folder(Folder),
}

impl Sink {
    /// What the flags ask for.
    pub fn of(flags: &Flags, stream: StreamId) -> Result<Sink, Failure> {
        let usage = |sentence: &str| Err(Failure::Usage(sentence.into()));
        match (&flags.out, flags.lines, flags.json) {
            (None, ..) if flags.suffix.is_some() => usage("--suffix goes with --out"),
            (Some(folder), false, false) => Folder::new(folder, flags.suffix.clone()).map(Sink::Folder),
            (None, false, false) => Ok(Sink::Plain(b"")),
            (None, true, false) => Ok(Sink::Plain(b"\n")),
            (None, false, true) => Ok(Sink::Json(stream)),
            _ => usage("only one of --lines, --json and --out can be had"),
        }
    }

    /// Takes an entry.
    pub fn take(&mut self, entry: &Entry, output: &mut Output) -> Result<(), Failure> {
        match self {
            Sink::Plain(end) => {
                output.write(&entry.bytes)?;
                output.write(end)
            }
            Sink::Json(stream) => {
                let item = Item {
                    stream: 0,
                    id: entry.id,
                    start: 0,
                    skipped: None,
                };
                output.line(&shape::line(stream, &item, &entry.bytes))
            }
            Sink::Folder(folder) => folder.write(entry),
        }
    }

    /// Takes notice that entries are missing.
    pub fn miss(&mut self, gap: &Gap, output: &mut Output) -> Result<(), Failure> {
        let Sink::Json(stream) = self else { return Ok(()) };
        let gap = shape::Gap {
            stream: stream.clone(),
            after: gap.after,
            before: gap.before,
            missed: None,
        };
        output.line(&gap.line())
    }

    /// Whether standard output stays free.
    pub fn is_folder(&self) -> bool {
        matches!(self, Sink::Folder(_))
    }
}
