//! The books of a long test: what was sent, acknowledged and pulled of each stream, and the audit against Redis itself.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use redis::streams::StreamRangeReply;
use redis::{Commands, Connection, RedisResult};

use crate::harness::{PATIENCE, holds_within};

/// Entries read from Redis in one go for an audit.
const PAGE: usize = 10_000;

/// Which entry has which id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line {
    pub id: (u64, u64),
    pub number: u64,
}

/// What the clients of one stream know, and what was taken out of it by force.
pub struct Account {
    pub stream: String,
    /// So many entries are stored together or not at all: the size of a batch.
    pub batch: u64,
    /// The numbers below were sent, some of them again and again.
    sent: AtomicU64,
    acked: Mutex<Vec<Line>>,
    /// The numbers below were told to be stored by the answer to a close.
    confirmed: AtomicU64,
    pulled: [Mutex<Vec<Line>>; 2],
    wiped: Mutex<Vec<Vec<Line>>>,
}

/// What an audit adds up.
#[derive(Debug, Default)]
pub struct Totals {
    pub sent: u64,
    pub acked: u64,
    pub pulled: usize,
    pub stored: usize,
    pub stored_again: usize,
    pub pulled_again: usize,
}

/// The entry with this number: its stream, its number, and bytes that follow from both, so that any change shows.
pub fn entry(stream: &str, number: u64) -> Vec<u8> {
    let size = if number % 64 == 63 { 20_000 } else { 20 + number % 100 };
    let mut bytes = format!("{stream} {number} ").into_bytes();
    let salt = stream
        .bytes()
        .fold(number, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
    bytes.extend((0..size).map(|at| (salt.wrapping_add(at).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 56) as u8));
    bytes
}

/// The line for an entry that came back, which must be as it was sent.
#[track_caller]
pub fn line(stream: &str, id: &str, bytes: &[u8]) -> Line {
    let number = bytes
        .split(|byte| *byte == b' ')
        .nth(1)
        .and_then(|word| std::str::from_utf8(word).ok());
    let number = number.and_then(|word| word.parse().ok());
    let number = number.unwrap_or_else(|| panic!("{stream} {id}: not an entry of ours"));
    assert!(
        bytes == entry(stream, number),
        "{stream} {id}: entry {number} was changed"
    );
    let (milliseconds, sequence) = id.split_once('-').expect("an entry id");
    let id = (
        milliseconds.parse().expect("milliseconds"),
        sequence.parse().expect("a sequence"),
    );
    Line { id, number }
}

impl Account {
    pub fn new(stream: &str, batch: u64) -> Self {
        Self {
            stream: stream.to_owned(),
            batch,
            sent: AtomicU64::new(0),
            acked: Mutex::default(),
            confirmed: AtomicU64::new(0),
            pulled: Default::default(),
            wiped: Mutex::default(),
        }
    }

    /// The entry with this number, which is about to be sent.
    pub fn send(&self, number: u64) -> Vec<u8> {
        self.sent.fetch_max(number + 1, Relaxed);
        entry(&self.stream, number)
    }

    /// The first number that is not known to be stored.
    pub fn next(&self) -> u64 {
        let acked = self.acked.lock().expect("the acks").len() as u64;
        acked + self.confirmed.load(Relaxed)
    }

    /// The next number was acknowledged with this id.
    pub fn ack(&self, id: &str) {
        let mut acked = self.acked.lock().expect("the acks");
        let number = acked.len() as u64;
        acked.push(line(&self.stream, id, &entry(&self.stream, number)));
    }

    /// All numbers below are stored.
    pub fn confirm(&self, below: u64) {
        self.confirmed.store(below, Relaxed);
    }

    pub fn pull(&self, puller: usize, id: &str, bytes: &[u8]) {
        let line = line(&self.stream, id, bytes);
        self.pulled[puller].lock().expect("the entries").push(line);
    }

    /// How many entries this puller has, and the id of the last one.
    pub fn pulled(&self, puller: usize) -> (usize, String) {
        let pulled = self.pulled[puller].lock().expect("the entries");
        let id = pulled.last().map_or((0, 0), |line| line.id);
        (pulled.len(), format!("{}-{}", id.0, id.1))
    }

    /// These entries were in the stream when it was emptied by force.
    pub fn wipe(&self, entries: StreamRangeReply) {
        self.wiped.lock().expect("the wiped").push(self.lines(entries));
    }

    /// Waits until both pullers have come to the end of what is there. Nobody pushes any more.
    #[track_caller]
    pub fn wait_for_pulls(&self, redis: &mut Connection) {
        let mut newest = String::new();
        let all = holds_within(6 * PATIENCE, || {
            let last: RedisResult<StreamRangeReply> = redis.xrevrange_count(&self.stream, "+", "-", 1);
            let last = last.expect("the newest entry");
            newest = last.ids.first().map_or("0-0".to_owned(), |entry| entry.id.clone());
            (0..2).all(|puller| self.pulled(puller).1 == newest)
        });
        let pulled = [self.pulled(0), self.pulled(1)];
        assert!(all, "{}: the newest is {newest}, but pulled is {pulled:?}", self.stream);
    }

    /// Balances the books against what Redis holds; pulls must have come to the end.
    #[track_caller]
    pub fn audit(&self, redis: &mut Connection) -> Totals {
        let mut epochs = std::mem::take(&mut *self.wiped.lock().expect("the wiped"));
        epochs.push(self.stored(redis));
        let stored: Vec<Line> = epochs.iter().flatten().copied().collect();
        self.audit_stored(&stored);
        let acked = self.acked.lock().expect("the acks");
        let by_id: HashMap<_, _> = stored.iter().map(|line| (line.id, line.number)).collect();
        let lost: Vec<_> = acked
            .iter()
            .filter(|line| by_id.get(&line.id) != Some(&line.number))
            .collect();
        assert!(lost.is_empty(), "{}: acknowledged but not there: {lost:?}", self.stream);
        assert!(
            acked.is_sorted_by(|a, b| a.id < b.id),
            "{}: acks out of order",
            self.stream
        );
        let mut totals = Totals {
            sent: self.sent.load(Relaxed),
            acked: acked.len() as u64 + self.confirmed.load(Relaxed),
            stored: stored.len(),
            ..Totals::default()
        };
        let distinct = stored
            .iter()
            .map(|line| line.number)
            .collect::<std::collections::HashSet<_>>();
        totals.stored_again = stored.len() - distinct.len();
        let confirmed = self.confirmed.load(Relaxed);
        let lost: Vec<_> = (0..confirmed).filter(|number| !distinct.contains(number)).collect();
        assert!(lost.is_empty(), "{}: confirmed but not there: {lost:?}", self.stream);
        for pulled in &self.pulled {
            let pulled = pulled.lock().expect("the entries");
            totals.pulled += pulled.len();
            totals.pulled_again += self.audit_pulled(&pulled, &epochs);
        }
        totals
    }

    /// Everything that is there was sent, in this order but for repeats, and batches are whole.
    fn audit_stored(&self, stored: &[Line]) {
        let sent = self.sent.load(Relaxed);
        let mut next = 0;
        for line in stored {
            assert!(
                line.number <= next,
                "{}: {} came before {next}",
                self.stream,
                line.number
            );
            assert!(line.number < sent, "{}: {} was never sent", self.stream, line.number);
            next = next.max(line.number + 1);
        }
        for batch in stored.chunks(self.batch as usize) {
            let first = batch[0].number;
            let whole = (first..first + self.batch).eq(batch.iter().map(|line| line.number));
            assert!(
                whole && first % self.batch == 0,
                "{}: a batch in pieces: {batch:?}",
                self.stream
            );
        }
    }

    /// What was pulled is what is there; of what was wiped, its end may be missing. Returns how often an entry came again.
    fn audit_pulled(&self, pulled: &[Line], epochs: &[Vec<Line>]) -> usize {
        let mut once: Vec<Line> = Vec::with_capacity(pulled.len());
        for line in pulled {
            match once.last() {
                Some(last) if line.id <= last.id => {
                    assert!(once.contains(line), "{}: pulled out of order: {line:?}", self.stream);
                }
                _ => once.push(*line),
            }
        }
        let mut rest = once.as_slice();
        for (number, epoch) in epochs.iter().enumerate() {
            let same = rest
                .iter()
                .zip(epoch)
                .take_while(|(pulled, there)| pulled == there)
                .count();
            let is_last = number + 1 == epochs.len();
            assert!(
                !is_last || same == epoch.len(),
                "{}: never pulled: {:?}",
                self.stream,
                epoch.get(same)
            );
            rest = &rest[same..];
        }
        assert!(rest.is_empty(), "{}: pulled but not there: {:?}", self.stream, rest[0]);
        pulled.len() - once.len()
    }

    fn stored(&self, redis: &mut Connection) -> Vec<Line> {
        let mut lines: Vec<Line> = Vec::new();
        loop {
            let after = lines
                .last()
                .map_or("-".to_owned(), |line| format!("({}-{}", line.id.0, line.id.1));
            let page = redis.xrange_count(&self.stream, &after, "+", PAGE).expect("entries");
            let page = self.lines(page);
            if page.is_empty() {
                return lines;
            }
            lines.extend(page);
        }
    }

    fn lines(&self, entries: StreamRangeReply) -> Vec<Line> {
        let entries = entries.ids.into_iter();
        entries
            .map(|entry| line(&self.stream, &entry.id, &entry.get::<Vec<u8>>("d").expect("a field d")))
            .collect()
    }
}

impl std::iter::Sum for Totals {
    fn sum<I: Iterator<Item = Totals>>(all: I) -> Totals {
        all.fold(Totals::default(), |a, b| Totals {
            sent: a.sent + b.sent,
            acked: a.acked + b.acked,
            pulled: a.pulled + b.pulled,
            stored: a.stored + b.stored,
            stored_again: a.stored_again + b.stored_again,
            pulled_again: a.pulled_again + b.pulled_again,
        })
    }
}
