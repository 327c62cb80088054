//! Entries as they arrive from Redis, one after the other: a reply may be far larger than what is kept of it.

use std::io::{self, IoSlice};
use std::time::Duration;

use redis::{Cmd, ServerError, Value};

use super::link::{Beside, END_OF_LINE, Link, Nobody, broken};
use super::{DATA_FIELD, Session, StreamInfo, describe, unexpected, value};
use crate::error::StoreError;
use crate::ids::{EntryId, StreamId};

/// How much of a reply is read past when the rest of it is not wanted; beyond that a new connection is cheaper.
const READ_PAST: usize = 1 << 20;

/// The entries of one reply, and behind them the lengths of the streams that were asked for.
///
/// Until it is finished the session is in the middle of a reply, so dropping it earlier costs the connection.
pub struct Entries<'a> {
    session: &'a mut Session,
    /// The names of the streams that were asked for, in their order; of a single one none is needed.
    names: Vec<Vec<u8>>,
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

/// A stream and the last entry that was read of it.
pub type Place<'a> = (&'a StreamId, EntryId);

/// What Redis knew of each stream when it was read; none where there is no such key.
pub type Infos = Vec<Option<StreamInfo>>;

impl Session {
    /// At most `count` entries of each stream after its place, oldest first, stream by stream. Waits for the first one for as
    /// long as `block` says; the session's reply timeout must be longer. See <https://redis.io/docs/latest/commands/xread/>.
    pub fn read_after(
        &mut self,
        places: &[Place<'_>],
        count: usize,
        block: Option<Duration>,
        beside: &mut dyn Beside,
    ) -> Result<Entries<'_>, StoreError> {
        let streams = streams_of(places);
        let read = xread(places, count, block);
        self.begin(&streams, &read, Shape::OfStreams, beside)
    }

    /// The same without waiting, and what Redis knew of each stream in the same instant.
    pub fn read_after_with_info(
        &mut self,
        places: &[Place<'_>],
        count: usize,
        beside: &mut dyn Beside,
    ) -> Result<(Infos, Entries<'_>), StoreError> {
        let streams = streams_of(places);
        let read = xread(places, count, None);
        self.begin_with_info(&streams, &read, Shape::OfStreams, beside)
    }

    /// The newest entry of a stream after its place, up to and with `until`, and what Redis knew of the stream in the same
    /// instant.
    pub fn newest_with_info(
        &mut self,
        (stream, after): Place<'_>,
        until: Option<EntryId>,
        beside: &mut dyn Beside,
    ) -> Result<(Infos, Entries<'_>), StoreError> {
        let end = until.map_or("+".to_string(), |id| id.to_string());
        let mut read = redis::cmd("XREVRANGE");
        read.arg(stream.as_str()).arg(end).arg(format!("({after}"));
        read.arg("COUNT").arg(1);
        self.begin_with_info(&[stream], &read, Shape::OfOne, beside)
    }

    /// Waits until one of the streams has an entry after its place, for so long at most; whether one has.
    pub fn wait_after(
        &mut self,
        places: &[Place<'_>],
        block: Duration,
        beside: &mut dyn Beside,
    ) -> Result<bool, StoreError> {
        let mut entries = self.read_after(places, 1, Some(block), beside)?;
        let mut some = false;
        while let Some(arrival) = entries.next(beside)? {
            entries.skip(&arrival, beside)?;
            some = true;
        }
        entries.finish(beside)?;
        Ok(some)
    }

    /// At most `count` entries before an end, newest first.
    /// See <https://redis.io/docs/latest/commands/xrevrange/>.
    pub(super) fn read_before(
        &mut self,
        stream: &StreamId,
        before: Before,
        count: usize,
    ) -> Result<Entries<'_>, StoreError> {
        let end = match before {
            Before::End => "+".to_string(),
            Before::Entry(id) => format!("({id}"),
            Before::Through(id) => id.to_string(),
        };
        let mut read = redis::cmd("XREVRANGE");
        read.arg(stream.as_str()).arg(end).arg("-").arg("COUNT").arg(count);
        self.begin(&[stream], &read, Shape::OfOne, &mut Nobody)
    }

    fn begin(
        &mut self,
        streams: &[&StreamId],
        read: &Cmd,
        shape: Shape,
        beside: &mut dyn Beside,
    ) -> Result<Entries<'_>, StoreError> {
        let mut packed = read.get_packed_command();
        for stream in streams {
            redis::cmd("XLEN")
                .arg(stream.as_str())
                .write_packed_command(&mut packed);
        }
        let begun = self.converse(|link| {
            link.send(&mut [IoSlice::new(&packed)], beside)?;
            let begun = link.array_or_error(beside)?;
            if begun.is_err() {
                // Those of XLEN, whatever they say.
                for _ in streams {
                    link.reply(beside)?;
                }
            }
            Ok(begun)
        })?;
        let count = begun.map_err(|error| self.refusal_of_one(streams, &error))?;
        Ok(self.entries(streams, shape, count, streams.len()))
    }

    /// Reads together with `XINFO STREAM` of each stream, in one transaction.
    fn begin_with_info(
        &mut self,
        streams: &[&StreamId],
        read: &Cmd,
        shape: Shape,
        beside: &mut dyn Beside,
    ) -> Result<(Infos, Entries<'_>), StoreError> {
        let mut packed = redis::cmd("MULTI").get_packed_command();
        for stream in streams {
            redis::cmd("XINFO")
                .arg("STREAM")
                .arg(stream.as_str())
                .write_packed_command(&mut packed);
        }
        read.write_packed_command(&mut packed);
        redis::cmd("EXEC").write_packed_command(&mut packed);
        let begun = self.converse(|link| {
            link.send(&mut [IoSlice::new(&packed)], beside)?;
            let mut refused = None;
            // The replies to MULTI and to everything that it gathers.
            for _ in 0..streams.len() + 2 {
                if let Value::ServerError(error) = link.reply(beside)? {
                    refused.get_or_insert(error);
                }
            }
            if let Err(error) = link.array_or_error(beside)? {
                return Ok(Err(refused.unwrap_or(error)));
            }
            let mut infos = Infos::new();
            for _ in streams {
                match describe::info_or_error(link, beside)? {
                    Ok(info) => infos.push(info),
                    Err(error) => drop(refused.get_or_insert(error)),
                }
            }
            match (link.array_or_error(beside)?, refused) {
                (Ok(count), None) => Ok(Ok((infos, count))),
                (Ok(_), Some(error)) => Ok(Err(error)),
                (Err(error), refused) => Ok(Err(refused.unwrap_or(error))),
            }
        })?;
        match begun {
            Ok((infos, count)) => Ok((infos, self.entries(streams, shape, count, 0))),
            Err(error) => {
                // Entries may come behind the refusal.
                self.lose();
                Err(self.refusal_of_one(streams, &error))
            }
        }
    }

    fn entries(&mut self, streams: &[&StreamId], shape: Shape, count: usize, lengths: usize) -> Entries<'_> {
        let (streams_left, left) = match shape {
            Shape::OfStreams => (count, 0),
            Shape::OfOne => (0, count),
        };
        let names = match streams {
            [_] => Vec::new(),
            streams => streams.iter().map(|stream| stream.as_str().into()).collect(),
        };
        Entries {
            session: self,
            names,
            stream: 0,
            streams_left,
            left,
            lengths,
            finished: false,
        }
    }

    /// What an error reply to a command about several streams means.
    fn refusal_of_one(&self, streams: &[&StreamId], error: &ServerError) -> StoreError {
        match streams {
            [stream] => self.stream_refusal(stream, error),
            _ => match self.refusal(error) {
                StoreError::Refused(text) if text.contains("WRONGTYPE") => {
                    let names: Vec<&str> = streams.iter().map(|stream| stream.as_str()).collect();
                    StoreError::NotAStream(names.join("' or '"))
                }
                other => other,
            },
        }
    }
}

/// Where reading backwards begins.
#[derive(Debug, Clone, Copy)]
pub(super) enum Before {
    /// At the end of the stream.
    End,
    /// Before this entry.
    Entry(EntryId),
    /// With this entry.
    Through(EntryId),
}

fn streams_of<'a>(places: &[Place<'a>]) -> Vec<&'a StreamId> {
    places.iter().map(|(stream, _)| *stream).collect()
}

fn xread(places: &[Place<'_>], count: usize, block: Option<Duration>) -> Cmd {
    let mut read = redis::cmd("XREAD");
    read.arg("COUNT").arg(count);
    if let Some(block) = block {
        read.arg("BLOCK").arg(block.as_millis() as u64);
    }
    read.arg("STREAMS");
    for (stream, _) in places {
        read.arg(stream.as_str());
    }
    for (_, after) in places {
        read.arg(after.to_string());
    }
    read
}

/// The two forms in which commands return entries.
#[derive(Clone, Copy)]
enum Shape {
    /// `XREAD`: nil, or `[[key, entries], …]`.
    OfStreams,
    /// `XRANGE` and its kin: the entries.
    OfOne,
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
            let found = self.names.iter().position(|known| *known == name);
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
        for _ in 0..self.lengths {
            let length = self.session.go_on(|link| link.reply(beside))?;
            lengths.push(value::number(&length).ok_or_else(|| unexpected("XLEN"))?);
        }
        self.finished = true;
        Ok(lengths)
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
