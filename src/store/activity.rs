//! What all streams did lately, in as few round trips as possible.

use redis::Value;

use super::{Nobody, Session, meta_key, unexpected, value};
use crate::error::StoreError;
use crate::ids::{EntryId, StreamId};
use crate::object::Object;

/// Of a stream: its length, entries ever added (-1 before Redis 7), and its newest entry's id and bytes. Nil for other keys.
const ACTIVITY_SCRIPT: &str = "
if redis.call('TYPE', KEYS[1]).ok ~= 'stream' then return false end
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

/// What a stream did lately.
#[derive(Debug, Clone, PartialEq)]
pub struct Activity {
    /// Its name.
    pub stream: StreamId,
    /// Its description, if it has one.
    pub description: Option<Object>,
    /// Entries in it now.
    pub entries: u64,
    /// Entries ever added; unknown before Redis 7.
    pub entries_added: Option<u64>,
    /// The newest entry and its bytes.
    pub newest: Option<(EntryId, u64)>,
}

impl Session {
    /// What every stream did lately. Costs Redis one command for each stream, and one for each description.
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
                self.check(stream, &replies[..1])?;
                activity.push(activity_of(stream, &replies[0], &replies[1]).ok_or_else(|| unexpected("XINFO STREAM"))?);
            }
        }
        Ok(activity)
    }
}

fn activity_of(stream: &StreamId, reply: &Value, described: &Value) -> Option<Activity> {
    let (mut entries, mut entries_added, mut newest) = (0, Some(0), None);
    if let Value::Array(fields) = reply {
        let [length, added, id, bytes] = fields.as_slice() else {
            return None;
        };
        entries = value::number(length)?;
        entries_added = value::number(added);
        newest = value::entry_id(id).zip(value::number(bytes));
    }
    let description = value::text(described).and_then(Object::stored);
    Some(Activity {
        stream: stream.clone(),
        description,
        entries,
        entries_added,
        newest,
    })
}
