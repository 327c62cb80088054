//! Looks at streams, many in one round trip, to see which generation of each there is.

use std::io::IoSlice;

use redis::{ServerError, Value};

use super::beside::{Beside, Nobody};
use super::describe::info_or_error;
use super::generation::Watched;
use super::mark::{END, Look, Mark, Print};
use super::{DATA_FIELD, Session, StreamInfo, unexpected, value};
use crate::words::error::StoreError;
use crate::words::ids::{EntryId, StreamId};

/// Of a stream: its last generated id, its length, entries ever added (-1 before Redis 7), the id of its oldest entry (empty
/// if it has none), the bytes of both entries that were copied for this, and of the newest its id, its size (-1 unless its only
/// field is `d`) and its ends. Nil if there is no such key. The entries themselves do not leave Redis.
const MARK_SCRIPT: &str = "
if redis.call('EXISTS', KEYS[1]) == 0 then return false end
local info = redis.call('XINFO', 'STREAM', KEYS[1])
local mark = { '0-0', 0, -1, '', 0, '', -1, '' }
local function weigh(entry)
  for i = 1, #entry[2] do mark[5] = mark[5] + #entry[2][i] end
end
for i = 1, #info, 2 do
  local name, value = info[i], info[i + 1]
  if name == 'last-generated-id' then mark[1] = value end
  if name == 'length' then mark[2] = value end
  if name == 'entries-added' then mark[3] = value end
  if name == 'first-entry' and value then
    mark[4] = value[1]
    weigh(value)
  end
  if name == 'last-entry' and value then
    mark[6] = value[1]
    weigh(value)
    local data = value[2][2]
    if #value[2] == 2 and value[2][1] == ARGV[1] then
      mark[7], mark[8] = #data, data:sub(1, ARGV[2]) .. data:sub(-ARGV[2])
    end
  end
end
return mark";

/// The most bytes that a look may have copied last time for the script to be used again: within a script Redis copies each
/// entry three times. Of heavier streams the oldest entry alone is copied, and comes with the answer.
const LIGHT: u64 = 128 << 10;

/// The largest id that a stream ever gave. Redis copies its oldest entry for that, and sends nothing of it.
const LAST_GENERATED_SCRIPT: &str = "
if redis.call('EXISTS', KEYS[1]) == 0 then return '0-0' end
local info = redis.call('XINFO', 'STREAM', KEYS[1], 'FULL', 'COUNT', 1)
for i = 1, #info, 2 do
  if info[i] == 'last-generated-id' then return info[i + 1] end
end";

impl Session {
    /// The largest id that each stream ever gave, `0-0` where there is none, in one round trip. None if Redis does not tell one
    /// of them: not everybody may run scripts, and without one it sends entries along, however large.
    pub fn last_generated(&mut self, streams: &[StreamId]) -> Result<Option<Vec<EntryId>>, StoreError> {
        let mut packed = Vec::new();
        for stream in streams {
            redis::cmd("EVAL")
                .arg(LAST_GENERATED_SCRIPT)
                .arg(1)
                .arg(stream.as_str())
                .write_packed_command(&mut packed);
        }
        let replies = self.exchange(&packed, streams.len(), &mut Nobody)?;
        for (stream, reply) in streams.iter().zip(&replies) {
            let Value::ServerError(error) = reply else { continue };
            let refused = self.stream_refusal(stream, error);
            if refused.is_passing() {
                return Err(refused);
            }
        }
        Ok(replies.iter().map(value::entry_id).collect())
    }

    /// Looks at streams in one round trip; a look for each.
    pub fn look(&mut self, streams: &[&Watched], beside: &mut dyn Beside) -> Result<Vec<Look>, StoreError> {
        // Decided once: another thread may learn their weight meanwhile.
        let light: Vec<bool> = streams.iter().map(|watched| watched.weight() <= LIGHT).collect();
        let mut packed = Vec::new();
        for (watched, light) in streams.iter().zip(&light) {
            let key = watched.stream().as_str();
            match light {
                true => redis::cmd("EVAL")
                    .arg(MARK_SCRIPT)
                    .arg(1)
                    .arg(key)
                    .arg(DATA_FIELD)
                    .arg(END)
                    .write_packed_command(&mut packed),
                false => redis::cmd("XINFO")
                    .arg("STREAM")
                    .arg(key)
                    .arg(&["FULL", "COUNT", "1"])
                    .write_packed_command(&mut packed),
            }
        }
        let replies: Vec<Answer> = self.converse(|link| {
            link.send(&mut [IoSlice::new(&packed)], beside)?;
            let answer = |light: &bool| match light {
                true => link.reply(beside).map(Answer::Marks),
                false => info_or_error(link, beside).map(Answer::Info),
            };
            light.iter().map(answer).collect()
        })?;
        let answers = streams.iter().zip(replies);
        answers
            .map(|(watched, answer)| self.look_in(watched, answer, beside))
            .collect()
    }

    fn look_in(&mut self, watched: &Watched, answer: Answer, beside: &mut dyn Beside) -> Result<Look, StoreError> {
        let error = match answer {
            Answer::Marks(Value::Nil) | Answer::Info(Ok(None)) => {
                watched.set_weight(0);
                return Ok(Look::Gone);
            }
            Answer::Info(Ok(Some(info))) => {
                watched.set_weight(info.copied);
                return Ok(Look::There((&info).into()));
            }
            Answer::Marks(Value::ServerError(error)) | Answer::Info(Err(error)) => error,
            Answer::Marks(reply) => {
                let (look, copied) = mark_of(&reply).ok_or_else(|| unexpected("XINFO STREAM"))?;
                watched.set_weight(copied);
                return Ok(look);
            }
        };
        match self.stream_refusal(watched.stream(), &error) {
            StoreError::Unreachable(cause) => Err(StoreError::Unreachable(cause)),
            // Not everybody may run scripts. The entries come with it then.
            _ if error.code() == "NOPERM" => Ok(self
                .info(watched.stream(), beside)
                .map_or(Look::Unknown, |info| Look::of(info.as_ref()))),
            _ => {
                watched.set_weight(0);
                Ok(Look::Unknown)
            }
        }
    }
}

/// What came of one look.
enum Answer {
    /// Of the script.
    Marks(Value),
    /// Of Redis itself.
    Info(Result<Option<StreamInfo>, ServerError>),
}

fn mark_of(reply: &Value) -> Option<(Look, u64)> {
    let Value::Array(fields) = reply else { return None };
    let [last_generated, length, added, first, bytes, newest, size, ends] = fields.as_slice() else {
        return None;
    };
    let print = match (value::number(size), ends) {
        (Some(size), Value::BulkString(ends)) => Some(Print {
            size,
            ends: crc32fast::hash(ends),
        }),
        _ => None,
    };
    let mark = Mark {
        last_generated: value::entry_id(last_generated)?,
        length: value::number(length)?,
        entries_added: value::number(added),
        first: value::entry_id(first),
        newest: value::entry_id(newest).zip(print),
    };
    Some((Look::There(mark), value::number(bytes)?))
}
