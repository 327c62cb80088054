//! What all streams did lately, in as few round trips as possible: `GET /activity` calls this, at most about once a second.

use std::cmp::Ordering;
use std::collections::HashMap;

use redis::Value;

use super::rhythm::{INTERVALS, Pulse, Rhythm, SKEW_MS, came_at};
use super::{Nobody, Session, meta_key, unexpected, value};
use crate::words::error::StoreError;
use crate::words::ids::{EARLIEST_MS, EntryId, StreamId};
use crate::words::object::Object;

/// Of a stream: its length, entries ever added (-1 before Redis 7), its newest entry's id and bytes, and behind them, newest
/// first, the seconds before that one's in which entries came, as far back as the second that is known (`ARGV[1]`), or as many
/// as make a rhythm (`ARGV[2]`). For each it takes one step back in the stream, and no more once the entries that were copied
/// for this are `ARGV[3]` bytes; none if the newest id lies before `ARGV[4]` or behind `ARGV[5]`, and so is no time. Nil if
/// there is no such key.
const ACTIVITY_SCRIPT: &str = "
if redis.call('TYPE', KEYS[1]).ok == 'none' then return false end
local info = redis.call('XINFO', 'STREAM', KEYS[1])
local length, added, id, bytes = 0, -1, '', 0
local function weigh(entry)
  local bytes = 0
  for i = 2, #entry[2], 2 do bytes = bytes + #entry[2][i] end
  return bytes
end
for i = 1, #info, 2 do
  if info[i] == 'length' then length = info[i + 1] end
  if info[i] == 'entries-added' then added = info[i + 1] end
  if info[i] == 'last-entry' and info[i + 1] then
    id = info[i + 1][1]
    bytes = weigh(info[i + 1])
  end
end
local found = { length, added, id, bytes }
local ms = tonumber(string.match(id, '^%d+')) or 0
if ms < tonumber(ARGV[4]) or ms > tonumber(ARGV[5]) then return found end
local second, copied = math.floor(ms / 1000), 0
for step = 1, tonumber(ARGV[2]) do
  if second <= tonumber(ARGV[1]) + 1 or copied > tonumber(ARGV[3]) then break end
  local entry = redis.call('XREVRANGE', KEYS[1], string.format('%.0f', second * 1000 - 1), '-', 'COUNT', 1)[1]
  if not entry then break end
  copied = copied + weigh(entry)
  second = math.floor(tonumber(string.match(entry[1], '^%d+')) / 1000)
  found[#found + 1] = second
end
return found";

/// Bytes of entries that Redis may copy to find out the rhythm of a stream that was not looked at lately.
const COPIED_AT_MOST: u64 = 1 << 20;

/// How many streams are asked about in one round trip.
const STREAMS_AT_ONCE: usize = 64;

/// What a stream did lately, as far as it could be read.
#[derive(Debug, Clone, PartialEq)]
pub struct Activity {
    /// Its name.
    pub stream: StreamId,
    /// Its description, if it has one.
    pub description: Option<Object>,
    /// What is in it; as if it were empty if that could not be read.
    pub contents: Contents,
    /// Whether entries come to it as they used to.
    pub pulse: Pulse,
    /// Why its entries or its description could not be read.
    pub error: Option<StoreError>,
}

/// What looks remember of the streams that there are, for the next look: a few numbers each.
#[derive(Default)]
pub struct Looks {
    streams: HashMap<StreamId, Seen>,
}

/// What the last look saw of a stream.
struct Seen {
    contents: Contents,
    at_ms: u64,
    rhythm: Rhythm,
}

/// What is in a stream.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Contents {
    /// Entries in it now.
    pub entries: u64,
    /// Entries ever added; unknown before Redis 7.
    pub entries_added: Option<u64>,
    /// The newest entry and its bytes.
    pub newest: Option<(EntryId, u64)>,
    /// Seconds since 1970, newest first, in which entries came before the newest and after those that were known.
    seconds: Vec<u64>,
}

impl Contents {
    /// Of a stream that nothing was ever added to.
    const NOTHING: Contents = Contents {
        entries: 0,
        entries_added: Some(0),
        newest: None,
        seconds: Vec::new(),
    };

    /// Compares what was ever added with what it was before; where Redis does not tell, the newest ids. More: entries came.
    /// Less: it began anew.
    fn compare(&self, before: &Contents) -> Ordering {
        match (self.entries_added, before.entries_added) {
            (Some(now), Some(then)) => now.cmp(&then),
            _ => self.newest.cmp(&before.newest),
        }
    }
}

impl Looks {
    /// The last second in which entries came to a stream, as far as that is known.
    fn last_second(&self, stream: &StreamId) -> Option<u64> {
        self.streams.get(stream)?.rhythm.last_second()
    }

    /// How a stream is, now that this was seen of it.
    fn learn(&mut self, stream: &StreamId, contents: &Contents, now_ms: u64) -> Pulse {
        let before = self.streams.remove(stream);
        let before = before.filter(|before| contents.compare(&before.contents).is_ge());
        let looked_ms = before.as_ref().map(|before| before.at_ms);
        let came = before
            .as_ref()
            .is_none_or(|before| contents.compare(&before.contents).is_gt());
        let mut rhythm = before.map(|before| before.rhythm).unwrap_or_default();
        if came
            && let Some((id, _)) = contents.newest
            && let Some(ms) = came_at(id, looked_ms, now_ms)
        {
            // What lies before an id that was chosen says nothing.
            let before = if ms == id.ms { contents.seconds.as_slice() } else { &[] };
            rhythm.came(ms, before);
        }
        let pulse = rhythm.pulse(now_ms);
        let seen = Seen {
            contents: contents.clone(),
            at_ms: now_ms,
            rhythm,
        };
        self.streams.insert(stream.clone(), seen);
        pulse
    }

    /// Forgets the streams that this look, at `now_ms`, did not see.
    fn forget_others(&mut self, now_ms: u64) {
        self.streams.retain(|_, seen| seen.at_ms == now_ms);
    }
}

impl Session {
    /// What every stream did lately, at `now_ms` (since 1970). Costs Redis one command for each stream, and one for each
    /// description; of streams that were not looked at lately a few steps back as well. What is wrong with one key is told with
    /// that key; an error is one that concerns all of them.
    pub fn activity(&mut self, looks: &mut Looks, now_ms: u64) -> Result<Vec<Activity>, StoreError> {
        let streams: Vec<StreamId> = self.streams()?.into_iter().collect();
        let mut activity = Vec::with_capacity(streams.len());
        for streams in streams.chunks(STREAMS_AT_ONCE) {
            let mut packed = Vec::new();
            for stream in streams {
                let key = stream.as_str();
                redis::cmd("EVAL")
                    .arg(ACTIVITY_SCRIPT)
                    .arg(1)
                    .arg(key)
                    .arg(looks.last_second(stream).unwrap_or(0))
                    .arg(INTERVALS)
                    .arg(COPIED_AT_MOST)
                    .arg(EARLIEST_MS)
                    .arg(now_ms.saturating_add(SKEW_MS))
                    .write_packed_command(&mut packed);
                redis::cmd("GET")
                    .arg(meta_key(stream))
                    .write_packed_command(&mut packed);
            }
            let replies = self.exchange(&packed, 2 * streams.len(), &mut Nobody)?;
            for (stream, replies) in streams.iter().zip(replies.chunks_exact(2)) {
                let contents = self.contents_in(stream, &replies[0]);
                let description = self.description_in(stream, &replies[1]);
                // It has gone since it was listed.
                if matches!((&contents, &description), (Ok(None), Ok(None))) {
                    continue;
                }
                let mut error = None;
                let contents = own_error(contents, &mut error)?.map(|found| found.unwrap_or(Contents::NOTHING));
                let description = own_error(description, &mut error)?.flatten();
                let pulse = contents.as_ref().map(|contents| looks.learn(stream, contents, now_ms));
                activity.push(Activity {
                    stream: stream.clone(),
                    description,
                    contents: contents.unwrap_or_default(),
                    pulse: pulse.unwrap_or_default(),
                    error,
                });
            }
        }
        looks.forget_others(now_ms);
        Ok(activity)
    }

    /// The contents in a reply to the script; none if there is no such key.
    fn contents_in(&mut self, stream: &StreamId, reply: &Value) -> Result<Option<Contents>, StoreError> {
        let fields = match reply {
            Value::ServerError(error) => return Err(self.stream_refusal(stream, error)),
            Value::Nil => return Ok(None),
            Value::Array(fields) => fields.as_slice(),
            _ => &[],
        };
        let [length, added, id, bytes, seconds @ ..] = fields else {
            return Err(unexpected("XINFO STREAM"));
        };
        Ok(Some(Contents {
            entries: value::number(length).ok_or_else(|| unexpected("XINFO STREAM"))?,
            entries_added: value::number(added),
            newest: value::entry_id(id).zip(value::number(bytes)),
            seconds: seconds.iter().filter_map(value::number).collect(),
        }))
    }

    /// The description in a reply to `GET`; none if there is none.
    fn description_in(&mut self, stream: &StreamId, reply: &Value) -> Result<Option<Object>, StoreError> {
        let key = meta_key(stream);
        match reply {
            Value::Nil => Ok(None),
            Value::ServerError(error) if error.code() == "WRONGTYPE" => Err(StoreError::Refused(format!(
                "{key} holds no text, and so no description"
            ))),
            Value::ServerError(error) => match self.refusal(error) {
                StoreError::Refused(cause) => Err(StoreError::Refused(format!("{key} cannot be read: {cause}"))),
                other => Err(other),
            },
            text => {
                let description = value::text(text).and_then(Object::stored);
                let damaged = || StoreError::Refused(format!("{key} holds no JSON object, and so no description"));
                description.map(Some).ok_or_else(damaged)
            }
        }
    }
}

/// Sets an error that one key has aside; the first one is kept. Others concern all keys.
fn own_error<T>(read: Result<T, StoreError>, first: &mut Option<StoreError>) -> Result<Option<T>, StoreError> {
    match read {
        Ok(value) => Ok(Some(value)),
        Err(error @ (StoreError::Refused(_) | StoreError::NotAStream(_))) => {
            first.get_or_insert(error);
            Ok(None)
        }
        Err(error) => Err(error),
    }
}
