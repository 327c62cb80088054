//! Where the entries of a pull go.

use std::io::IsTerminal;

use ptg_store::words::batch::Item;
use ptg_store::words::ids::StreamId;
use ptg_store::words::shape;

use super::Flags;
use super::folder::Folder;
use crate::client::{Entry, Failure, Gap, Output};

/// Where entries go.
pub enum Sink {
    /// As they are, each followed by this.
    Plain(&'static [u8]),
    /// The same, as long as they are text, of which what a terminal would obey is escaped; one that ends within a line ends
    /// that, too, so that the next one, or the shell, begins its own.
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
            Sink::Plain(end) => {
                output.write(&entry.bytes)?;
                output.write(end)
            }
            Sink::Terminal(end) => {
                let text = text(&entry.bytes).ok_or_else(|| binary(entry))?;
                output.text(text)?;
                match end.is_empty() && !text.ends_with('\n') {
                    true => output.write(b"\n"),
                    false => output.write(end),
                }
            }
            Sink::Json(stream) => {
                let item = Item {
                    stream: 0,
                    id: entry.id,
                    start: 0,
                    skipped: None,
                };
                output.json(&shape::line(stream, &item, &entry.bytes))
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
        output.json(gap.line().as_bytes())
    }

    /// Whether standard output stays free.
    pub fn is_folder(&self) -> bool {
        matches!(self, Sink::Folder(_))
    }
}

/// The bytes as text that a terminal can show, if they are any.
fn text(bytes: &[u8]) -> Option<&str> {
    str::from_utf8(bytes).ok().filter(|text| !text.contains('\0'))
}

fn binary(entry: &Entry) -> Failure {
    Failure::Here(format!(
        "entry {} is binary, which would garble the terminal; have it written elsewhere with > file or --out DIR, or as text \
         with --json",
        entry.id
    ))
}
