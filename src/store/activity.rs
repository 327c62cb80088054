//! What all streams did lately, in as few round trips as possible.

use redis::Value;

use super::{Nobody, Session, meta_key, unexpected, value};
use crate::error::StoreError;
use crate::ids::{EntryId, StreamId};
use crate::object::Object;

/// Of a stream: its length, entries ever added (-1 before Redis 7), and its newest entry's id and bytes. Nil if there is no
/// such key.
const ACTIVITY_SCRIPT: &str = "
if redis.call('TYPE', KEYS[1]).ok == 'none' then return false end
local info = redis.call('XINFO', 'STREAM', KEYS[1])
local length, added, id, bytes = 0, -1, '', 0
for i = 1, #info, 2 do
  if info[i] == 'length' then length = info[i + 1] end
  if info[i] == 'entries-added' then added = info[i + 1] end
  if info[i] == 'last-entry' and info[i + 1] then
    id = info[i + 1][1]
    for j = 2, #info[i + 1][2], 2 do bytes = bytes + #info[i + 1][2][j] end
  end
end
return { length, added, id, bytes }";

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
    /// Why its entries or its description could not be read.
    pub error: Option<StoreError>,
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
}

impl Contents {
    /// Of a stream that nothing was ever added to.
    const NOTHING: Contents = Contents {
        entries: 0,
        entries_added: Some(0),
        newest: None,
    };
}

impl Session {
    /// What every stream did lately. Costs Redis one command for each stream, and one for each description. What is wrong with
    /// one key is told with that key; an error is one that concerns all of them.
    pub fn activity(&mut self) -> Result<Vec<Activity>, StoreError> {
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
                activity.push(Activity {
                    stream: stream.clone(),
                    description,
                    contents: contents.unwrap_or_default(),
                    error,
                });
            }
        }
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
        let [length, added, id, bytes] = fields else {
            return Err(unexpected("XINFO STREAM"));
        };
        Ok(Some(Contents {
            entries: value::number(length).ok_or_else(|| unexpected("XINFO STREAM"))?,
            entries_added: value::number(added),
            newest: value::entry_id(id).zip(value::number(bytes)),
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
