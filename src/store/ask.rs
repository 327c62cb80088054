//! What Redis is asked for entries with: of one stream or several, waiting or not, alone or together with what it knows of
//! the streams.

use std::io::IoSlice;
use std::time::Duration;

use redis::{Cmd, ServerError, Value};

use super::beside::{Beside, Nobody};
use super::entries::{Entries, Shape};
use super::{Session, StreamInfo, describe};
use crate::words::error::StoreError;
use crate::words::ids::{EntryId, StreamId};

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
        self.begin(&streams, &read, Shape::OfStreams, &streams, beside)
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
        // After the largest id there is nothing, and Redis refuses to look.
        let (start, count) = match after {
            EntryId::MAX => (after.to_string(), 0),
            after => (format!("({after}"), 1),
        };
        let mut read = redis::cmd("XREVRANGE");
        read.arg(stream.as_str()).arg(end).arg(start);
        read.arg("COUNT").arg(count);
        self.begin_with_info(&[stream], &read, Shape::OfOne, beside)
    }

    /// Which of the streams have an entry after their place. Waits for the first one for as long as `block` says.
    pub fn with_news(
        &mut self,
        places: &[Place<'_>],
        block: Option<Duration>,
        beside: &mut dyn Beside,
    ) -> Result<Vec<usize>, StoreError> {
        let streams = streams_of(places);
        let read = xread(places, 1, block);
        let mut entries = self.begin(&streams, &read, Shape::OfStreams, &[], beside)?;
        let mut ready = Vec::new();
        while let Some(arrival) = entries.next(beside)? {
            entries.skip(&arrival, beside)?;
            ready.push(arrival.stream);
        }
        entries.finish(beside)?;
        Ok(ready)
    }

    /// Whether a stream has entries after its place, up to and with `until`.
    pub fn has_some(&mut self, (stream, after): Place<'_>, until: EntryId) -> Result<bool, StoreError> {
        let mut read = redis::cmd("XRANGE");
        read.arg(stream.as_str())
            .arg(format!("({after}"))
            .arg(until.to_string());
        read.arg("COUNT").arg(1);
        let entries = self.begin(&[stream], &read, Shape::OfOne, &[], &mut Nobody)?;
        entries.pass(&mut Nobody).map(|passed| passed > 0)
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
        self.begin(&[stream], &read, Shape::OfOne, &[], &mut Nobody)
    }

    /// Reads of these streams, and behind the entries the lengths of those that are `measured`.
    fn begin(
        &mut self,
        streams: &[&StreamId],
        read: &Cmd,
        shape: Shape,
        measured: &[&StreamId],
        beside: &mut dyn Beside,
    ) -> Result<Entries<'_>, StoreError> {
        let mut packed = read.get_packed_command();
        for stream in measured {
            redis::cmd("XLEN")
                .arg(stream.as_str())
                .write_packed_command(&mut packed);
        }
        let begun = self.converse(|link| {
            link.send(&mut [IoSlice::new(&packed)], beside)?;
            let begun = link.array_or_error(beside)?;
            if begun.is_err() {
                // Those of XLEN, whatever they say.
                for _ in measured {
                    link.reply(beside)?;
                }
            }
            Ok(begun)
        })?;
        let count = begun.map_err(|error| self.refusal_of_one(streams, &error))?;
        Ok(Entries::new(self, streams, shape, count, measured.len()))
    }

    /// Reads together with `XINFO STREAM` of each stream, in one transaction. Redis copies an entry of each for that, and
    /// without `FULL` it copies two.
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
                .arg(&["FULL", "COUNT", "1"])
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
            Ok((infos, count)) => Ok((infos, Entries::new(self, streams, shape, count, 0))),
            Err(error) => {
                // Entries may come behind the refusal.
                self.lose();
                Err(self.refusal_of_one(streams, &error))
            }
        }
    }

    /// What an error reply to a command about several streams means.
    fn refusal_of_one(&mut self, streams: &[&StreamId], error: &ServerError) -> StoreError {
        let names: Vec<&str> = streams.iter().map(|stream| stream.as_str()).collect();
        self.refusal_about(&names.join("' or '"), error)
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
