//! Records one stream: what its pull brings, as it comes, into its two files.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use crossbeam_channel::Sender;
use ptg_store::recording::Writer;
use ptg_store::words::ids::{EntryId, StreamId};

use super::super::counted;
use super::Session;
use super::crew::Word;
use crate::client::{Entry, Failure, Gap, Missing, Pull, TICK};

/// The most entries of a reply. Large, because a store sends no more than there are.
const COUNT: usize = 4096;

/// What is written in one go, as far as it has come: entries, and bytes unless one entry alone is larger.
const MOST_ENTRIES: usize = 4096;
const MOST_BYTES: usize = 1 << 20;

/// What was recorded of a stream in this session.
#[derive(Default)]
pub struct Counts {
    pub entries: AtomicU64,
    pub bytes: AtomicU64,
    pub gaps: AtomicU64,
}

/// A stream and the files it goes into.
pub struct Tape {
    pub stream: StreamId,
    /// Where it begins if the files are empty; none: with its very first entry.
    from: Option<String>,
    writer: Writer,
    counts: Arc<Counts>,
    /// It alone is to end.
    retired: Arc<AtomicBool>,
    /// What came and is not written yet: ids with where each starts in the bytes.
    entries: Vec<(EntryId, usize)>,
    bytes: Vec<u8>,
}

impl Tape {
    pub fn new(
        stream: StreamId,
        from: Option<String>,
        writer: Writer,
        counts: Arc<Counts>,
        retired: Arc<AtomicBool>,
    ) -> Tape {
        Tape {
            stream,
            from,
            writer,
            counts,
            retired,
            entries: Vec::new(),
            bytes: Vec::new(),
        }
    }

    /// Records until the store ends the pull, it or all are to end, or the user has had enough.
    pub fn record(&mut self, session: &Session, say: &Sender<Word>) -> Result<(), Failure> {
        let say = |sentence: &str| {
            // Whoever listened has ended, and so will this.
            let _ = say.send(Word::Say(format!("{}: {sentence}", self.stream)));
        };
        let mut pull = open(session, &self.stream, self.from.as_deref().unwrap_or_default());
        // Behind 0-0, which no entry can have, the pull tells of those that are gone from the very first one on.
        let begin = self.from.is_none().then(EntryId::default);
        if let Some(last) = self.writer.place().or(begin) {
            pull.go_on_behind(last, self.writer.last_record());
        }
        while !session.store.interrupted.is_set() && !self.retired.load(Relaxed) {
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

    /// What came of it; the files are closed.
    pub fn recorded(self) -> Recorded {
        Recorded {
            stream: self.stream,
            entries: self.writer.entries(),
            counts: self.counts,
        }
    }
}

/// What is recorded of a stream.
pub struct Recorded {
    stream: StreamId,
    /// All entries in its files.
    entries: u64,
    pub counts: Arc<Counts>,
}

impl Recorded {
    /// Whether nothing is.
    pub fn is_empty(&self) -> bool {
        self.entries == 0
    }

    /// In one line. If the names of all streams are known, with a word that this is none of them.
    pub fn summary(&self, names: &Option<Vec<String>>) -> String {
        let names = names.as_ref().filter(|_| self.is_empty());
        let missing = names.and_then(|names| Missing::among(names, self.stream.as_str()));
        let missing = missing.map_or(String::new(), |missing| {
            format!("; there is no such stream{}", missing.hint(true))
        });
        let (entries, gaps) = (self.counts.entries.load(Relaxed), self.counts.gaps.load(Relaxed));
        let before = match self.entries - entries {
            0 => String::new(),
            before => format!(", behind {} from before", counted(before, "entry", "entries")),
        };
        format!(
            "{}: {}, {}, {}{before}{missing}",
            self.stream,
            counted(entries, "entry", "entries"),
            counted(self.counts.bytes.load(Relaxed), "byte", "bytes"),
            counted(gaps, "gap", "gaps"),
        )
    }
}

fn open(session: &Session, stream: &StreamId, from: &str) -> Pull {
    let mut parameters = vec![("count", COUNT.to_string()), ("on_gap", "close".into())];
    parameters.extend(session.until.map(|until| ("until", until.wire.clone())));
    let parameters = parameters.into_iter().map(|(name, value)| (name.to_string(), value));
    Pull::new(
        &session.store,
        stream.as_str(),
        from,
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
