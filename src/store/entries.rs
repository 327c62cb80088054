//! Entries as they arrive from Redis, one after the other: a reply may be far larger than what is kept of it.

use std::io::{self, IoSlice};
use std::time::Duration;

use redis::Cmd;

use super::link::{Beside, END_OF_LINE, Link, Nobody, broken};
use super::{DATA_FIELD, Session, unexpected, value};
use crate::error::StoreError;
use crate::ids::{EntryId, StreamId};

/// How much of a reply is read past when the rest of it is not wanted; beyond that a new connection is cheaper.
const READ_PAST: usize = 1 << 20;

/// The entries of one reply, and behind them the length of the stream.
///
/// Until it is finished the session is in the middle of a reply, so dropping it earlier costs the connection.
pub struct Entries<'a> {
    session: &'a mut Session,
    left: usize,
    finished: bool,
}

/// An entry whose bytes are still to be taken.
#[derive(Debug)]
pub struct Arrival {
    /// Its id.
    pub id: EntryId,
    /// Its bytes.
    pub size: usize,
    /// The bytes of an entry that other programs wrote in a form of their own; all others are still with Redis.
    made: Option<Vec<u8>>,
}

impl Session {
    /// At most `count` entries after `after`, oldest first. Waits for the first one for as long as `block` says;
    /// the session's reply timeout must be longer. See <https://redis.io/docs/latest/commands/xread/>.
    pub fn read_after(
        &mut self,
        stream: &StreamId,
        after: EntryId,
        count: usize,
        block: Option<Duration>,
        beside: &mut dyn Beside,
    ) -> Result<Entries<'_>, StoreError> {
        let mut read = redis::cmd("XREAD");
        read.arg("COUNT").arg(count);
        if let Some(block) = block {
            read.arg("BLOCK").arg(block.as_millis() as u64);
        }
        read.arg("STREAMS").arg(stream.as_str()).arg(after.to_string());
        self.begin(stream, &read, Shape::OfStreams, beside)
    }

    /// At most `count` entries before an id, or the newest ones, newest first.
    /// See <https://redis.io/docs/latest/commands/xrevrange/>.
    pub(super) fn read_before(
        &mut self,
        stream: &StreamId,
        before: Option<EntryId>,
        count: usize,
    ) -> Result<Entries<'_>, StoreError> {
        let end = before.map_or("+".to_string(), |id| format!("({id}"));
        let mut read = redis::cmd("XREVRANGE");
        read.arg(stream.as_str()).arg(end).arg("-").arg("COUNT").arg(count);
        self.begin(stream, &read, Shape::OfOne, &mut Nobody)
    }

    fn begin(
        &mut self,
        stream: &StreamId,
        read: &Cmd,
        shape: Shape,
        beside: &mut dyn Beside,
    ) -> Result<Entries<'_>, StoreError> {
        let mut packed = read.get_packed_command();
        redis::cmd("XLEN")
            .arg(stream.as_str())
            .write_packed_command(&mut packed);
        let begun = self.converse(|link| {
            link.send(&mut [IoSlice::new(&packed)], beside)?;
            let begun = link.array_or_error(beside)?;
            match (&begun, shape) {
                (Err(_), _) => {
                    // That of XLEN, whatever it says.
                    link.reply(beside)?;
                    Ok(begun)
                }
                (Ok(1..), Shape::OfStreams) => {
                    // One stream: its name and its entries.
                    link.count(b'*', beside)?;
                    link.string(beside)?;
                    link.count(b'*', beside).map(Ok)
                }
                _ => Ok(begun),
            }
        })?;
        let left = begun.map_err(|error| self.stream_refusal(stream, &error))?;
        Ok(Entries {
            session: self,
            left,
            finished: false,
        })
    }
}

/// The two forms in which commands return entries.
#[derive(Clone, Copy)]
enum Shape {
    /// `XREAD`: nil, or `[[key, entries]]`.
    OfStreams,
    /// `XRANGE` and its kin: the entries.
    OfOne,
}

impl Entries<'_> {
    /// The next entry, whose bytes must be taken or skipped before the one after it; none at the end.
    pub fn next(&mut self, beside: &mut dyn Beside) -> Result<Option<Arrival>, StoreError> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        self.session.go_on(|link| arrival(link, beside)).map(Some)
    }

    /// Appends an entry's bytes to `blob`.
    pub fn take(&mut self, arrival: Arrival, blob: &mut Vec<u8>, beside: &mut dyn Beside) -> Result<(), StoreError> {
        match arrival.made {
            Some(bytes) => {
                blob.extend_from_slice(&bytes);
                Ok(())
            }
            None => self.session.go_on(|link| link.payload(arrival.size, blob, beside)),
        }
    }

    /// Reads past an entry's bytes.
    pub fn skip(&mut self, arrival: &Arrival, beside: &mut dyn Beside) -> Result<(), StoreError> {
        match arrival.made {
            Some(_) => Ok(()),
            None => self.session.go_on(|link| link.skip(arrival.size + END_OF_LINE, beside)),
        }
    }

    /// The length of the stream right after, once all its entries have been taken.
    pub fn finish(mut self, beside: &mut dyn Beside) -> Result<u64, StoreError> {
        let length = self.session.go_on(|link| link.reply(beside))?;
        self.finished = true;
        value::number(&length).ok_or_else(|| unexpected("XLEN"))
    }

    /// Reads past an entry and all after it, unless that is so much that a new connection is cheaper.
    pub(super) fn abandon(mut self, arrival: Arrival) -> Result<(), StoreError> {
        let mut next = Some(arrival);
        let mut bytes = 0;
        while let Some(arrival) = next {
            bytes += arrival.size;
            if bytes > READ_PAST {
                return Ok(());
            }
            self.skip(&arrival, &mut Nobody)?;
            next = self.next(&mut Nobody)?;
        }
        self.finish(&mut Nobody).map(|_| ())
    }
}

impl Drop for Entries<'_> {
    fn drop(&mut self) {
        if !self.finished {
            self.session.lose();
        }
    }
}

/// An entry up to where its bytes begin: `[id, [field, value, …]]`.
fn arrival(link: &mut Link, beside: &mut dyn Beside) -> io::Result<Arrival> {
    link.count(b'*', beside)?;
    let id = link.id(beside)?;
    let strings = link.count(b'*', beside)?;
    if strings < 2 {
        return Err(broken("an entry of it has no fields"));
    }
    let name = link.string(beside)?;
    if strings == 2 && name == DATA_FIELD.as_bytes() {
        let size = link.count(b'$', beside)?;
        return Ok(Arrival { id, size, made: None });
    }
    let mut fields = vec![name];
    for _ in 1..strings {
        fields.push(link.string(beside)?);
    }
    let made = value::data(fields);
    Ok(Arrival {
        id,
        size: made.len(),
        made: Some(made),
    })
}
