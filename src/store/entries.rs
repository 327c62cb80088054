//! Entries as they arrive from Redis, one after the other: a reply may be far larger than what is kept of it.

use std::io;

use redis::Value;

use super::beside::{Beside, Nobody};
use super::link::{END_OF_LINE, Link, broken};
use super::{DATA_FIELD, Session, unexpected, value};
use crate::words::error::StoreError;
use crate::words::ids::{EntryId, StreamId};

/// How much of a reply is read past when the rest of it is not wanted; beyond that a new connection is cheaper.
const READ_PAST: usize = 1 << 20;

/// The entries of one reply, and behind them the lengths of the streams that were asked for.
///
/// Until it is finished the session is in the middle of a reply, so dropping it earlier costs the connection.
pub struct Entries<'a> {
    session: &'a mut Session,
    /// The names of the streams that were asked for, in their order; of a single one none is needed.
    names: Vec<String>,
    /// Which of them the next entry is from.
    stream: usize,
    /// How many streams are still to come, and how many entries of the present one.
    streams_left: usize,
    left: usize,
    /// How many lengths come behind the entries.
    lengths: usize,
    finished: bool,
}

/// An entry whose bytes are still to be taken.
#[derive(Debug)]
pub struct Arrival {
    /// Which of the streams that were asked for it is from, counted from 0.
    pub stream: usize,
    /// Its id.
    pub id: EntryId,
    /// Its bytes.
    pub size: usize,
    /// The bytes of an entry that other programs wrote in a form of their own; all others are still with Redis.
    made: Option<Vec<u8>>,
}

/// The two forms in which commands return entries.
#[derive(Clone, Copy)]
pub(super) enum Shape {
    /// `XREAD`: nil, or `[[key, entries], …]`.
    OfStreams,
    /// `XRANGE` and its kin: the entries.
    OfOne,
}

impl<'a> Entries<'a> {
    /// Those of a reply whose first line said `count`: of the streams that have any, or of entries.
    pub(super) fn new(
        session: &'a mut Session,
        streams: &[&StreamId],
        shape: Shape,
        count: usize,
        lengths: usize,
    ) -> Entries<'a> {
        let (streams_left, left) = match shape {
            Shape::OfStreams => (count, 0),
            Shape::OfOne => (0, count),
        };
        let names = match streams {
            [_] => Vec::new(),
            streams => streams.iter().map(|stream| stream.as_str().into()).collect(),
        };
        Entries {
            session,
            names,
            stream: 0,
            streams_left,
            left,
            lengths,
            finished: false,
        }
    }
}

impl Entries<'_> {
    /// The next entry, whose bytes must be taken or skipped before the one after it; none at the end.
    pub fn next(&mut self, beside: &mut dyn Beside) -> Result<Option<Arrival>, StoreError> {
        while self.left == 0 {
            if self.streams_left == 0 {
                return Ok(None);
            }
            self.streams_left -= 1;
            self.begin_stream(beside)?;
        }
        self.left -= 1;
        let stream = self.stream;
        self.session.go_on(|link| arrival(link, stream, beside)).map(Some)
    }

    /// Reads the name of the next stream, and how many entries follow. Redis leaves out streams that have none.
    fn begin_stream(&mut self, beside: &mut dyn Beside) -> Result<(), StoreError> {
        let (name, left) = self.session.go_on(|link| {
            link.count(b'*', beside)?;
            Ok((link.string(beside)?, link.count(b'*', beside)?))
        })?;
        self.left = left;
        if !self.names.is_empty() {
            let found = self.names.iter().position(|known| known.as_bytes() == name);
            self.stream = found.ok_or_else(|| unexpected("XREAD"))?;
        }
        Ok(())
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

    /// The lengths of the streams right after, once all entries have been taken. None are told of what was read together with
    /// more about them.
    pub fn finish(mut self, beside: &mut dyn Beside) -> Result<Vec<u64>, StoreError> {
        let mut lengths = Vec::with_capacity(self.lengths);
        for index in 0..self.lengths {
            let length = self.session.go_on(|link| link.reply(beside))?;
            if let Value::ServerError(error) = &length {
                // The key became something else while the stream was waited for.
                return Err(match self.names.get(index) {
                    Some(name) => self.session.refusal_about(name, error),
                    None => self.session.refusal(error),
                });
            }
            lengths.push(value::number(&length).ok_or_else(|| unexpected("XLEN"))?);
        }
        self.finished = true;
        Ok(lengths)
    }

    /// Reads past all of them; how many they were.
    pub(super) fn pass(mut self, beside: &mut dyn Beside) -> Result<usize, StoreError> {
        let mut passed = 0;
        while let Some(arrival) = self.next(beside)? {
            self.skip(&arrival, beside)?;
            passed += 1;
        }
        self.finish(beside).map(|_| passed)
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
fn arrival(link: &mut Link, stream: usize, beside: &mut dyn Beside) -> io::Result<Arrival> {
    link.count(b'*', beside)?;
    let id = link.id(beside)?;
    let strings = link.count(b'*', beside)?;
    if strings < 2 {
        return Err(broken("an entry of it has no fields"));
    }
    let name = link.string(beside)?;
    if strings == 2 && name == DATA_FIELD.as_bytes() {
        let size = link.count(b'$', beside)?;
        return Ok(Arrival {
            stream,
            id,
            size,
            made: None,
        });
    }
    let mut fields = vec![name];
    for _ in 1..strings {
        fields.push(link.string(beside)?);
    }
    let made = value::data(fields);
    Ok(Arrival {
        stream,
        id,
        size: made.len(),
        made: Some(made),
    })
}
