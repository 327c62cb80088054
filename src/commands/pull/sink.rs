//! Where the entries of a pull go.

use std::io::IsTerminal;

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
    /// The same, as long as they are text.
    Terminal(&'static [u8]),
    /// As lines of JSON about this stream.
    Json(StreamId),
    /// Into files.
    Folder(Folder),
}

impl Sink {
    /// What the flags ask for.
    pub fn of(flags: &Flags, stream: StreamId) -> Result<Sink, Failure> {
        let usage = |sentence: &str| Err(Failure::Usage(sentence.into()));
        let plain = match std::io::stdout().is_terminal() {
            true => Sink::Terminal,
            false => Sink::Plain,
        };
        match (&flags.out, flags.lines, flags.json) {
            (None, ..) if flags.suffix.is_some() => usage("--suffix goes with --out"),
            (Some(folder), false, false) => Folder::new(folder, flags.suffix.clone()).map(Sink::Folder),
            (None, false, false) => Ok(plain(b"")),
            (None, true, false) => Ok(plain(b"\n")),
            (None, false, true) => Ok(Sink::Json(stream)),
            _ => usage("only one of --lines, --json and --out can be had"),
        }
    }

    /// Takes an entry.
    pub fn take(&mut self, entry: &Entry, output: &mut Output) -> Result<(), Failure> {
        match self {
            Sink::Terminal(_) if !is_text(&entry.bytes) => Err(Failure::Here(format!(
                "entry {} is binary, which would garble the terminal; have it written elsewhere with > file or --out DIR, or \
                 as text with --json",
                entry.id
            ))),
            Sink::Plain(end) | Sink::Terminal(end) => {
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
            anew: gap.anew,
        };
        output.line(&gap.line())
    }

    /// Whether standard output stays free.
    pub fn is_folder(&self) -> bool {
        matches!(self, Sink::Folder(_))
    }
}

/// Whether a terminal can show it.
fn is_text(bytes: &[u8]) -> bool {
    !bytes.contains(&0) && std::str::from_utf8(bytes).is_ok()
}
