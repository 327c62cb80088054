//! Entries out of a stream: over one WebSocket, or over as many as it takes.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use bytes::Bytes;
use ptg_store::recording::Record;
use ptg_store::words::ids::EntryId;
use tungstenite::Message;

use super::{Failure, Gap, Patience, Retry, Store, encode, place, websocket};

/// An entry. Its bytes are a part of the reply it came in, which stays in memory as long as any of them does.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// Its id.
    pub id: EntryId,
    /// Its bytes.
    pub bytes: Bytes,
}

/// A pull over one connection.
pub struct Socket {
    socket: websocket::Socket,
    /// Where the entries of a reply begin whose bytes are still to come.
    offsets: Option<Vec<(EntryId, usize)>>,
    /// Entries that have come and were not asked for yet.
    entries: VecDeque<Entry>,
    last: EntryId,
    /// Whether only the newest entries are wanted: where the stream begins anew, their ids go back.
    newest: bool,
    /// Whether each reply is asked for (`ack=true`), and whether the next one is still to be.
    asks: bool,
    due: bool,
}

/// A pull that outlives its connections: it goes on behind the last entry that was given out, so that none comes twice and none
/// is missed.
pub struct Pull {
    store: Store,
    stream: String,
    /// Where to begin, as it was typed, and the further parameters.
    from: String,
    parameters: Vec<(String, String)>,
    begun: Instant,
    /// The entry to go on behind: the last one that was given out.
    last: Option<EntryId>,
    /// Its size and checksum, if it was read: a stream that has begun anew may have another entry with its id.
    record: Option<Record>,
    socket: Option<Socket>,
    retry: Retry,
    /// When to try again.
    again: Instant,
}

impl Socket {
    /// Opens a pull; the parameters are those of the wire, such as `last_entry_id` and `count`.
    pub fn open(store: &Store, stream: &str, parameters: &[(&str, &str)]) -> Result<Socket, Failure> {
        let query: Vec<String> = parameters
            .iter()
            .map(|(name, value)| format!("{name}={}", encode(value)))
            .collect();
        let path = format!("/data/{}/pull?{}", encode(stream), query.join("&"));
        Ok(Socket {
            socket: websocket::Socket::open(store, &path)?,
            offsets: None,
            entries: VecDeque::new(),
            last: EntryId::default(),
            newest: parameters.contains(&("newest", "true")),
            asks: parameters.contains(&("ack", "true")),
            due: false,
        })
    }

    /// The next entry; none if nothing comes for so long. That the store ends the pull is a `Failure` for which `is_end` holds.
    pub fn next(&mut self, wait: Duration) -> Result<Option<Entry>, Failure> {
        if let Some(entry) = self.entries.pop_front() {
            return Ok(Some(entry));
        }
        if std::mem::take(&mut self.due) {
            self.socket.send(Message::Binary(Bytes::new()))?;
            self.socket.flush()?;
        }
        let until = Instant::now() + wait;
        loop {
            match self.socket.next()? {
                Some(message) => self.take(message)?,
                None => {
                    let left = until.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        return Ok(None);
                    }
                    self.socket.wait(left, None)?;
                }
            }
            if let Some(entry) = self.entries.pop_front() {
                return Ok(Some(entry));
            }
        }
    }

    /// Offsets or the bytes that they are about.
    fn take(&mut self, message: Message) -> Result<(), Failure> {
        match (message, self.offsets.take()) {
            (Message::Text(text), None) => {
                if self.newest {
                    self.last = EntryId::default();
                }
                self.offsets = Some(offsets(&text, &mut self.last)?);
            }
            (Message::Binary(blob), Some(offsets)) => {
                self.entries.extend(cut(&offsets, &blob)?);
                self.due = self.asks;
            }
            _ => return Err(foreign("its messages are not offsets and bytes by turns")),
        }
        Ok(())
    }
}

impl Pull {
    /// Begins where `from` says (any `last_entry_id`); the parameters are further ones of the wire. Nothing is asked of the
    /// store yet.
    pub fn new(store: &Store, stream: &str, from: &str, parameters: Vec<(String, String)>, patience: Patience) -> Pull {
        Pull {
            store: store.clone(),
            stream: stream.to_owned(),
            from: from.to_owned(),
            parameters,
            begun: Instant::now(),
            last: None,
            record: None,
            socket: None,
            retry: Retry::new(patience),
            again: Instant::now(),
        }
    }

    /// The next entry; none if nothing comes for so long. Connects, and connects again, as need be. That the store ends the pull
    /// is a `Failure` for which `is_end` holds.
    pub fn next(&mut self, wait: Duration) -> Result<Option<Entry>, Failure> {
        let until = Instant::now() + wait;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let (failure, since) = match &mut self.socket {
                Some(socket) => match socket.next(left) {
                    Ok(Some(entry)) => {
                        if let Some(last) = self.last.filter(|last| entry.id <= *last) {
                            // A pull of the newest is not told of gaps; it is asked for again behind this one.
                            return Err(Gap::told(last, entry.id));
                        }
                        (self.last, self.record) = (Some(entry.id), Some(Record::of(entry.id, 0, &entry.bytes)));
                        self.retry.worked();
                        return Ok(Some(entry));
                    }
                    Ok(None) => return Ok(None),
                    Err(failure) => {
                        self.retry.ended(&failure);
                        (failure, socket.socket.silent_since())
                    }
                },
                None => {
                    let pause = self.again.saturating_duration_since(Instant::now());
                    self.store.interrupted.sleep(pause.min(left))?;
                    if pause > left {
                        return Ok(None);
                    }
                    let begun = Instant::now();
                    self.retry.limit(&mut self.store);
                    match self.open() {
                        Ok(socket) => {
                            self.socket = Some(socket);
                            self.retry.opened();
                            continue;
                        }
                        Err(failure) => (failure, Some(begun)),
                    }
                }
            };
            self.socket = None;
            self.again = self.retry.failed(failure, since.unwrap_or_else(Instant::now))?;
            if self.retry.has_notice() {
                return Ok(None);
            }
        }
    }

    /// An attempt to connect takes no longer than this, or about as long.
    pub fn shorten_attempts(&mut self, time: Duration) {
        self.retry.shorten(time);
    }

    /// Whether the stream has no entries, so that there may be no such stream.
    pub fn stream_is_empty(&self) -> Result<bool, Failure> {
        place::is_empty(&self.store, &self.stream)
    }

    /// What the user should know and was not told yet: that the connection broke, or is there again.
    pub fn take_notice(&mut self) -> Option<String> {
        self.retry.take_notice()
    }

    /// Begins behind an entry that was read of this stream before, instead of where it was told to. With its record it is
    /// compared with what the store has.
    pub fn go_on_behind(&mut self, last: EntryId, record: Option<Record>) {
        (self.last, self.record) = (Some(last), record);
    }

    /// Goes on behind entries that are gone, after a failure that is a `Gap`.
    pub fn pass(&mut self, gap: &Gap) {
        (self.last, self.record) = (Some(gap.end()), None);
        self.socket = None;
    }

    /// Opens a connection that begins where the last one ended. The first one fixes the places that were typed.
    fn open(&mut self) -> Result<Socket, Failure> {
        if self.last.is_none() {
            self.last = place::begin(&self.store, &self.stream, &self.from)?;
        }
        for (_, until) in self.parameters.iter_mut().filter(|(name, _)| name == "until") {
            if let Some(id) = place::end(&self.store, &self.stream, until)? {
                *until = id.to_string();
            }
        }
        let since = self.begun.elapsed();
        let from = match self.last {
            Some(last) => last.to_string(),
            None => place::shifted(&self.from, since),
        };
        let mut parameters = vec![("last_entry_id", from)];
        if self.last.is_some() {
            // The store is to tell whether the stream has begun anew since.
            parameters.push(("resume", "true".into()));
        }
        for (name, value) in &self.parameters {
            let value = if name == "until" {
                place::shifted(value, since)
            } else {
                value.clone()
            };
            parameters.push((name, value));
        }
        let parameters: Vec<_> = parameters.iter().map(|(name, value)| (*name, &**value)).collect();
        let socket = Socket::open(&self.store, &self.stream, &parameters)?;
        // Once the pull has begun: of what changes from then on the store tells.
        self.compare()?;
        Ok(socket)
    }

    /// Compares the last entry with the one that the store has under its id: a gap if that is another, because the stream has
    /// begun anew. That it has none may be retention's doing. Who waited for a stream's very first entry has no entry to
    /// compare, and the store takes 0-0 for nobody's: a gap if entries of it are gone by now.
    fn compare(&self) -> Result<(), Failure> {
        if self.last == Some(EntryId::default()) && self.parameters.iter().any(|(name, _)| name == "on_gap") {
            return match place::first_if_trimmed(&self.store, &self.stream)? {
                Some(first) => Err(Gap::trimmed(EntryId::default(), first)),
                None => Ok(()),
            };
        }
        let Some(record) = self.record else { return Ok(()) };
        let (stream, id) = (encode(&self.stream), record.id);
        let path = format!("/data/{stream}?last_entry_id={}&until={id}&count=1", id.before());
        let reply = self.store.ask("GET", &path, &[], b"")?;
        if reply.status != 200 {
            return Err(self.store.advise(Failure::refused(reply.status, &reply.body)));
        }
        let offsets = offsets(
            reply.header("entry-offset").unwrap_or_default(),
            &mut EntryId::default(),
        )?;
        if offsets != [(id, 0)] || record.is_of(&reply.body) {
            return Ok(());
        }
        Err(Gap::told(id, place::first(&self.store, &self.stream)?))
    }
}

/// Reads `[["<id>",<offset>],…]`. Ids rise, also from one reply to the next.
fn offsets(text: &str, last: &mut EntryId) -> Result<Vec<(EntryId, usize)>, Failure> {
    let pairs: Vec<(&str, usize)> = serde_json::from_str(text)
        .map_err(|error| foreign(&format!("the offsets of a reply are not as agreed: {error}")))?;
    let mut offsets = Vec::with_capacity(pairs.len());
    for (id, offset) in pairs {
        let id: EntryId = id
            .parse()
            .map_err(|_| foreign(&format!("'{id}' came instead of an entry id")))?;
        if id <= *last {
            return Err(foreign(&format!("entry {id} came after {last}")));
        }
        *last = id;
        offsets.push((id, offset));
    }
    Ok(offsets)
}

/// Cuts a blob at its offsets: an entry reaches to the next one's, the last to the end.
fn cut(offsets: &[(EntryId, usize)], blob: &Bytes) -> Result<Vec<Entry>, Failure> {
    let ends = offsets.iter().skip(1).map(|(_, offset)| *offset).chain([blob.len()]);
    let entries = offsets.iter().zip(ends).map(|(&(id, start), end)| {
        (start <= end && end <= blob.len()).then(|| Entry {
            id,
            bytes: blob.slice(start..end),
        })
    });
    entries
        .collect::<Option<Vec<Entry>>>()
        .ok_or_else(|| foreign("the offsets of a reply do not fit its bytes"))
}

fn foreign(why: &str) -> Failure {
    Failure::Foreign(format!("the store does not speak as agreed: {why}"))
}

#[cfg(test)]
mod tests;
