//! The books of a soak: every entry says who sent it and which it is, and the books know what was acknowledged and seen.

use std::collections::BTreeMap;
use std::sync::Mutex;

pub const STREAMS: usize = 50;
pub const WRITERS: usize = 8;

/// The smallest entry: stream, writer, sequence number and checksum.
pub const SMALLEST: usize = 10;

const ACKNOWLEDGED: u8 = 1;
const SEEN: u8 = 2;

/// What became of each entry of one writer in one stream, by sequence number.
type Page = Mutex<Vec<u8>>;

pub struct Books {
    pages: Vec<Page>,
    /// What should not be, and how often: errors of clients by kind, entries that came again.
    remarks: Mutex<BTreeMap<String, u64>>,
    faults: Mutex<Vec<String>>,
}

/// Whose entry it is, and which.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Label {
    pub stream: usize,
    pub writer: usize,
    pub sequence: usize,
}

pub fn name(stream: usize) -> String {
    format!("soak-{stream:02}")
}

impl Books {
    pub fn new() -> Books {
        Books {
            pages: (0..STREAMS * WRITERS).map(|_| Page::default()).collect(),
            remarks: Mutex::default(),
            faults: Mutex::default(),
        }
    }

    fn page(&self, stream: usize, writer: usize) -> &Page {
        &self.pages[stream * WRITERS + writer]
    }

    /// The next entry of this writer, of `size` bytes.
    pub fn write(&self, stream: usize, writer: usize, size: usize) -> (usize, Vec<u8>) {
        let mut page = self.page(stream, writer).lock().expect("a page");
        let sequence = page.len();
        page.push(0);
        let mut entry = vec![sequence as u8; size.max(SMALLEST)];
        entry[0] = stream as u8;
        entry[1] = writer as u8;
        entry[2..6].copy_from_slice(&(sequence as u32).to_be_bytes());
        let sum = checksum(&entry);
        entry[6..10].copy_from_slice(&sum.to_be_bytes());
        (sequence, entry)
    }

    pub fn acknowledge(&self, stream: usize, writer: usize, sequences: &[usize]) {
        let mut page = self.page(stream, writer).lock().expect("a page");
        sequences.iter().for_each(|sequence| page[*sequence] |= ACKNOWLEDGED);
    }

    pub fn see(&self, label: Label) {
        let mut page = self.page(label.stream, label.writer).lock().expect("a page");
        page[label.sequence] |= SEEN;
    }

    pub fn is_acknowledged(&self, label: Label) -> bool {
        let page = self.page(label.stream, label.writer).lock().expect("a page");
        page[label.sequence] & ACKNOWLEDGED != 0
    }

    /// Whose bytes these are; a fault if they are nobody's, or not as they were sent.
    pub fn read(&self, stream: usize, entry: &[u8]) -> Option<Label> {
        let label = parse(entry);
        let known = label.is_some_and(|label| {
            label.stream == stream
                && label.writer < WRITERS
                && label.sequence < self.page(stream, label.writer).lock().expect("a page").len()
        });
        if !known {
            let start = &entry[..entry.len().min(SMALLEST)];
            self.fault(format!(
                "{} has an entry of {} bytes, {start:?}",
                name(stream),
                entry.len()
            ));
        }
        label.filter(|_| known)
    }

    pub fn remark(&self, what: impl Into<String>) {
        self.remark_many(what, 1);
    }

    pub fn remark_many(&self, what: impl Into<String>, many: u64) {
        *self
            .remarks
            .lock()
            .expect("the remarks")
            .entry(what.into())
            .or_default() += many;
    }

    pub fn fault(&self, what: String) {
        self.faults.lock().expect("the faults").push(what);
    }

    pub fn remarks(&self) -> String {
        format!("{:?}", self.remarks.lock().expect("the remarks"))
    }

    pub fn faults(&self) -> Vec<String> {
        self.faults.lock().expect("the faults").clone()
    }

    /// Entries written, acknowledged, seen by the auditors; and those acknowledged but never seen.
    pub fn close(&self) -> (usize, usize, usize, Vec<Label>) {
        let (mut written, mut acknowledged, mut seen, mut lost) = (0, 0, 0, Vec::new());
        for (index, page) in self.pages.iter().enumerate() {
            for (sequence, state) in page.lock().expect("a page").iter().enumerate() {
                written += 1;
                acknowledged += usize::from(state & ACKNOWLEDGED != 0);
                seen += usize::from(state & SEEN != 0);
                if *state == ACKNOWLEDGED {
                    let (stream, writer) = (index / WRITERS, index % WRITERS);
                    lost.push(Label {
                        stream,
                        writer,
                        sequence,
                    });
                }
            }
        }
        (written, acknowledged, seen, lost)
    }
}

/// One reader's view of a stream: in order, nothing left out that it could have had.
pub struct View {
    stream: usize,
    last_id: (u64, u64),
    /// The highest sequence number seen of each writer.
    highest: [Option<usize>; WRITERS],
    /// What was stepped over. It must turn out not to have been acknowledged.
    pub stepped_over: Vec<Label>,
}

impl View {
    pub fn new(stream: usize) -> View {
        View {
            stream,
            last_id: (0, 0),
            highest: [None; WRITERS],
            stepped_over: Vec::new(),
        }
    }

    pub fn last_id(&self) -> String {
        format!("{}-{}", self.last_id.0, self.last_id.1)
    }

    pub fn take(&mut self, books: &Books, id: &str, entry: &[u8]) -> Option<Label> {
        let label = books.read(self.stream, entry)?;
        let id = parse_id(id);
        if id <= self.last_id {
            books.fault(format!("{label:?} has id {id:?} after {:?}", self.last_id));
        }
        self.last_id = id;
        let highest = &mut self.highest[label.writer];
        match *highest {
            Some(highest) if label.sequence <= highest => {
                // Stored again over a lost Redis: allowed, unless it is here for the first time and so out of order.
                books.remark("entries that came again");
                if self.stepped_over.contains(&label) {
                    books.fault(format!("{label:?} came after {highest}"));
                }
                return Some(label);
            }
            Some(highest) => {
                let missing = highest + 1..label.sequence;
                self.stepped_over
                    .extend(missing.map(|sequence| Label { sequence, ..label }));
            }
            None => {}
        }
        *highest = Some(label.sequence);
        Some(label)
    }
}

fn parse(entry: &[u8]) -> Option<Label> {
    let number = |range| Some(u32::from_be_bytes(<[u8; 4]>::try_from(entry.get(range)?).ok()?));
    let label = Label {
        stream: usize::from(*entry.first()?),
        writer: usize::from(*entry.get(1)?),
        sequence: number(2..6)? as usize,
    };
    (number(6..10)? == checksum(entry)).then_some(label)
}

/// FNV-1a over everything but the checksum itself, eight bytes at a time.
fn checksum(entry: &[u8]) -> u32 {
    let step = |sum: u64, word: u64| (sum ^ word).wrapping_mul(0x0000_0100_0000_01b3);
    let pieces = entry[..6].chunks(8).chain(entry[SMALLEST..].chunks(8));
    let sum = pieces.fold(0xcbf2_9ce4_8422_2325 ^ entry.len() as u64, |sum, piece| {
        let mut word = [0; 8];
        word[..piece.len()].copy_from_slice(piece);
        step(sum, u64::from_le_bytes(word))
    });
    (sum ^ (sum >> 32)) as u32
}

fn parse_id(id: &str) -> (u64, u64) {
    let (ms, seq) = id.split_once('-').expect("an entry id");
    (ms.parse().expect("milliseconds"), seq.parse().expect("a sequence"))
}
