//! Records one stream: what its pull brings, as it comes, into its two files.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use crossbeam_channel::Sender;
use ptg_store::ids::{EntryId, StreamId};
use ptg_store::recording::Writer;

use super::super::counted;
use super::{Counts, Session};
use crate::client::{Entry, Failure, Gap, Pull, TICK};

/// The most entries of a reply. Large, because a store sends no more than there are.
const COUNT: usize = 4096;

/// What is written in one go, as far as it has come: entries, and bytes unless one entry alone is larger.
const MOST_ENTRIES: usize = 4096;
const MOST_BYTES: usize = 1 << 20;

/// A stream and the files it goes into.
pub struct Tape {
    pub stream: StreamId,
    writer: Writer,
    pub counts: Arc<Counts>,
    /// What came and is not written yet: ids with where each starts in the bytes.
    entries: Vec<(EntryId, usize)>,
    bytes: Vec<u8>,
}

impl Tape {
    pub fn new(stream: StreamId, writer: Writer) -> Tape {
        Tape {
            stream,
            writer,
            counts: Arc::default(),
            entries: Vec::new(),
            bytes: Vec::new(),
        }
    }

    /// Records until the store ends the pull, all are to end, or the user has had enough.
    pub fn record(&mut self, session: &Session, say: &Sender<String>) -> Result<(), Failure> {
        let say = |sentence: &str| {
            // Whoever listened has ended, and so will this.
            let _ = say.send(format!("{}: {sentence}", self.stream));
        };
        let mut pull = open(session, &self.stream);
        if let Some(last) = self.writer.place() {
            pull.go_on_behind(last, self.writer.last_record());
        }
        while !session.ended.load(Relaxed) {
            let gathered = gather(&mut pull, &mut self.entries, &mut self.bytes);
            // Whatever came of it: what is here is recorded.
            self.writer.append(&self.entries, &self.bytes).map_err(Failure::Here)?;
            self.counts.entries.fetch_add(self.entries.len() as u64, Relaxed);
            self.counts.bytes.fetch_add(self.bytes.len() as u64, Relaxed);
            self.entries.clear();
            self.bytes.clear();
            if let Some(notice) = pull.take_notice() {
                say(&notice);
            }
            let Err(failure) = gathered else { continue };
            if failure.is_end() || failure == Failure::Interrupted {
                break;
            }
            let gap = Gap::of(&failure).ok_or(failure)?;
            self.writer
                .gap(gap.after, gap.before, gap.anew)
                .map_err(Failure::Here)?;
            self.counts.gaps.fetch_add(1, Relaxed);
            say(&format!("a gap: {gap}"));
            pull.pass(&gap);
        }
        Ok(())
    }

    /// What was recorded, in one line.
    pub fn summary(&self) -> String {
        let (entries, gaps) = (self.counts.entries.load(Relaxed), self.counts.gaps.load(Relaxed));
        let before = self.writer.entries() - entries;
        let before = match before {
            0 => String::new(),
            before => format!(", behind {} from before", counted(before, "entry", "entries")),
        };
        format!(
            "{}: {}, {} bytes, {}{before}",
            self.stream,
            counted(entries, "entry", "entries"),
            self.counts.bytes.load(Relaxed),
            counted(gaps, "gap", "gaps"),
        )
    }
}

fn open(session: &Session, stream: &StreamId) -> Pull {
    let mut parameters = vec![("count", COUNT.to_string()), ("on_gap", "close".into())];
    parameters.extend(session.flags.until.clone().map(|until| ("until", until)));
    let parameters = parameters.into_iter().map(|(name, value)| (name.to_string(), value));
    Pull::new(
        session.store,
        stream.as_str(),
        &session.flags.from,
        parameters.collect(),
        session.flags.retry,
    )
}

/// Waits for an entry, and takes what came with it.
fn gather(pull: &mut Pull, entries: &mut Vec<(EntryId, usize)>, bytes: &mut Vec<u8>) -> Result<(), Failure> {
    let mut wait = TICK;
    while entries.len() < MOST_ENTRIES && bytes.len() < MOST_BYTES {
        let Some(Entry { id, bytes: entry }) = pull.next(wait)? else {
            break;
        };
        entries.push((id, bytes.len()));
        bytes.extend_from_slice(&entry);
        wait = Duration::ZERO;
    }
    Ok(())
}
