//! Entries into a stream, in batches whose storing is acknowledged: over one WebSocket, or over as many as it takes.

mod socket;

use std::collections::VecDeque;
use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use ptg_store::words::batch_header::cut_at_starts;
use ptg_store::words::error::close;
use ptg_store::words::ids::EntryId;

use super::shell::quote;
use super::{Failure, Patience, Retry, Store, TICK};
use socket::{foreign, path};

pub use socket::Socket;

/// How much may be under way and not yet acknowledged, unless one batch alone is larger.
const WINDOW: usize = 8 << 20;
const MOST_BATCHES: usize = 64;

/// What Redis says of a stream that has given its last id: see <https://redis.io/docs/latest/commands/xadd/>.
const NO_MORE_IDS: &str = "exhausted the last possible ID";

/// Entries that are stored all or none.
#[derive(Debug, Clone, PartialEq)]
pub struct Batch {
    /// The text message before the bytes: `0,100,256`, or whatever else the store takes there.
    pub header: String,
    /// The bytes of all entries, joined.
    pub bytes: Bytes,
    /// How many entries they are.
    pub entries: usize,
    /// What it is, for messages: a file's name, for example.
    pub name: String,
}

/// A batch that is stored, with the ids of its entries.
#[derive(Debug, PartialEq)]
pub struct Stored {
    /// The batch.
    pub batch: Batch,
    /// The ids, as many as it has entries.
    pub ids: Vec<EntryId>,
}

/// A push that outlives its connections. What was sent and not acknowledged when one breaks is sent again over the next, so that
/// every entry is stored at least once: one whose acknowledgement was lost on the way is there twice.
pub struct Push {
    store: Store,
    stream: String,
    path: String,
    socket: Option<Socket>,
    /// Batches that are not acknowledged, and how many of them were sent over this connection.
    waiting: VecDeque<Batch>,
    sent: usize,
    bytes: usize,
    retry: Retry,
    /// When to try again.
    again: Instant,
    /// Whether there has been a connection.
    began: bool,
    /// Why the last one ended, which is told after what was acknowledged before.
    failure: Option<Failure>,
    /// Since when it was silent, if that is why.
    silent_since: Option<Instant>,
}

impl Batch {
    /// A single entry.
    pub fn single(entry: Bytes, name: impl Into<String>) -> Batch {
        Batch {
            header: "0".into(),
            bytes: entry,
            entries: 1,
            name: name.into(),
        }
    }

    /// These entries.
    pub fn of(entries: &[impl AsRef<[u8]>], name: impl Into<String>) -> Batch {
        let mut bytes = BytesMut::new();
        let mut offsets = Vec::with_capacity(entries.len());
        for entry in entries {
            offsets.push(bytes.len().to_string());
            bytes.extend_from_slice(entry.as_ref());
        }
        Batch {
            header: offsets.join(","),
            bytes: bytes.freeze(),
            entries: entries.len(),
            name: name.into(),
        }
    }

    /// A batch for each of its entries, if it has several and its header is of offsets alone.
    pub fn split(&self) -> Option<Vec<Batch>> {
        if self.entries < 2 {
            return None;
        }
        let entries = cut_at_starts(&self.header, &self.bytes, self.entries).ok()?;
        Some(
            entries
                .into_iter()
                .map(|entry| Batch::single(entry, self.name.as_str()))
                .collect(),
        )
    }
}

impl Push {
    /// To this stream; the parameters are further ones of the wire. Nothing is asked of the store yet.
    pub fn new(store: &Store, stream: &str, parameters: &[(&str, &str)], patience: Patience) -> Push {
        Push {
            store: store.clone(),
            stream: stream.to_owned(),
            path: path(stream, parameters),
            socket: None,
            waiting: VecDeque::new(),
            sent: 0,
            bytes: 0,
            retry: Retry::new(patience),
            again: Instant::now(),
            began: false,
            failure: None,
            silent_since: None,
        }
    }

    /// Whether another batch is welcome now. One that comes all the same only takes memory.
    pub fn has_room(&self) -> bool {
        self.bytes < WINDOW && self.waiting.len() < MOST_BATCHES
    }

    /// Takes a batch, to be sent with the next `step`.
    pub fn add(&mut self, batch: Batch) {
        self.bytes += batch.bytes.len();
        self.waiting.push_back(batch);
    }

    /// How many entries are not acknowledged.
    pub fn unacknowledged(&self) -> usize {
        self.waiting.iter().map(|batch| batch.entries).sum()
    }

    /// The oldest batch that is not acknowledged: after a refusal, the one that was refused.
    pub fn oldest(&self) -> Option<&Batch> {
        self.waiting.front()
    }

    /// Takes the oldest batch back, to put smaller ones in its place with `put_first`.
    pub fn take_oldest(&mut self) -> Option<Batch> {
        let batch = self.waiting.pop_front()?;
        self.bytes -= batch.bytes.len();
        self.forget_connection();
        Some(batch)
    }

    /// Puts a batch before all others.
    pub fn put_first(&mut self, batch: Batch) {
        self.bytes += batch.bytes.len();
        self.waiting.push_front(batch);
        self.forget_connection();
    }

    /// Sends what is to be sent and takes what is acknowledged, for which it waits so long at most (never longer than a tick), or
    /// until there is something in the file `beside`. Connects as need be: at first, and when there is something to send.
    pub fn step(&mut self, wait: Duration, beside: Option<BorrowedFd<'_>>) -> Result<Vec<Stored>, Failure> {
        self.store.interrupted.check()?;
        // A connection that nothing was under way on is not missed: there will be another when there is something to send.
        let is_missed = |failure: &Failure| !self.waiting.is_empty() || !failure.is_passing();
        if let Some(failure) = self.failure.take().filter(is_missed) {
            let since = self.silent_since.unwrap_or_else(Instant::now);
            self.again = self
                .retry
                .failed(failure, since)
                .map_err(|failure| self.advise(failure))?;
        }
        if !self.waiting.is_empty() {
            self.retry.check()?;
        }
        if self.socket.is_none() {
            self.connect(wait)?;
        }
        let Some(socket) = &mut self.socket else {
            return Ok(Vec::new());
        };
        let mut stored = Vec::new();
        let exchanged = exchange(socket, &mut self.waiting, &mut self.sent, &mut stored, wait, beside);
        for done in &stored {
            self.bytes -= done.batch.bytes.len();
            self.retry.worked();
        }
        self.failure = exchanged.err();
        self.silent_since = socket.silent_since();
        if self.failure.is_some() {
            self.forget_connection();
        }
        Ok(stored)
    }

    /// Waits until everything is acknowledged, and closes. Shows what was stored to `each`.
    pub fn finish(
        mut self,
        mut each: impl FnMut(&mut Push, Vec<Stored>) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        while !self.waiting.is_empty() {
            let stored = self.step(TICK, None)?;
            each(&mut self, stored)?;
        }
        match self.socket.take().map(Socket::close) {
            // Everything is acknowledged: how the connection ends is of no account.
            Some(Err(failure)) if !failure.is_passing() => Err(failure),
            _ => Ok(()),
        }
    }

    /// What the user should know and was not told yet: that the connection broke, or is there again.
    pub fn take_notice(&mut self) -> Option<String> {
        self.retry.take_notice()
    }

    fn connect(&mut self, wait: Duration) -> Result<(), Failure> {
        let pause = self.again.saturating_duration_since(Instant::now());
        if !pause.is_zero() || (self.began && self.waiting.is_empty()) {
            let pause = if pause.is_zero() { wait } else { pause.min(wait) };
            return self.store.interrupted.sleep(pause.min(TICK));
        }
        let begun = Instant::now();
        self.retry.limit(&mut self.store);
        match Socket::at(&self.store, &self.path) {
            Ok(socket) => {
                self.socket = Some(socket);
                self.began = true;
                self.retry.opened();
            }
            Err(failure) => self.again = self.retry.failed(failure, begun)?,
        }
        Ok(())
    }

    /// A failure with what to do about it, where only that helps.
    fn advise(&self, failure: Failure) -> Failure {
        match failure {
            Failure::Closed {
                code: code @ close::STORE_FAILED,
                reason,
            } if reason.contains(NO_MORE_IDS) => {
                let (delete, stream) = (self.store.command("delete"), quote(&self.stream));
                let reason = format!("{reason}; it takes entries again once it is deleted: {delete} -- {stream}");
                Failure::Closed { code, reason }
            }
            failure => failure,
        }
    }

    fn forget_connection(&mut self) {
        self.socket = None;
        self.sent = 0;
    }
}

/// Sends, takes acknowledgements, and waits if there are none.
fn exchange(
    socket: &mut Socket,
    waiting: &mut VecDeque<Batch>,
    sent: &mut usize,
    stored: &mut Vec<Stored>,
    wait: Duration,
    beside: Option<BorrowedFd<'_>>,
) -> Result<(), Failure> {
    for waited in [false, true] {
        while !socket.has_unsent()
            && let Some(batch) = waiting.get(*sent)
        {
            socket.send(&batch.header, &batch.bytes)?;
            *sent += 1;
        }
        while let Some(ids) = socket.acknowledgement()? {
            let batch = waiting.pop_front().filter(|_| *sent > 0);
            let batch = batch.ok_or_else(|| foreign("it acknowledges what was not sent"))?;
            *sent -= 1;
            let ids = parse_ids(&ids, batch.entries)?;
            stored.push(Stored { batch, ids });
        }
        if waited || !stored.is_empty() {
            break;
        }
        socket.wait(wait, beside)?;
    }
    Ok(())
}

fn parse_ids(text: &str, expected: usize) -> Result<Vec<EntryId>, Failure> {
    let ids: Result<Vec<EntryId>, String> = text.split(',').map(str::parse).collect();
    match ids {
        Ok(ids) if ids.len() == expected => Ok(ids),
        _ => Err(foreign("an acknowledgement is not the ids of a batch")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_batch_is_what_the_store_cuts_into_its_entries(entries in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..9), 1..20)) {
            let batch = Batch::of(&entries, "");
            prop_assert_eq!(cut_at_starts(&batch.header, &batch.bytes, entries.len()).unwrap(), entries);
        }

        #[test]
        fn no_acknowledgement_makes_the_parser_panic(text in ".*") {
            let _ = parse_ids(&text, 2);
        }
    }

    #[test]
    fn an_acknowledgement_has_as_many_ids_as_its_batch_has_entries() {
        assert_eq!(parse_ids("1-0,1-1", 2).unwrap().len(), 2);
        for bad in ["", "1-0", "1-0,x", "1-0,1-1,1-2"] {
            assert!(parse_ids(bad, 2).is_err(), "{bad}");
        }
    }
}
