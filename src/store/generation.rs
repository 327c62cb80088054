//! Which generation of a stream there is. A stream that is deleted, renamed over, restored or flushed begins anew under its
//! old name, and so does one whose Redis lost what it had last: its ids go back, and whoever waits behind an old id would
//! wait for ever. Here is what tells generations apart, and what this process learned of them lately, for all readers of a stream.

use std::collections::HashMap;
use std::io::IoSlice;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, Weak};
use std::time::Instant;

use redis::{ServerError, Value};

use super::describe::info_or_error;
use super::link::Beside;
use super::{DATA_FIELD, Session, StreamInfo, unexpected, value};
use crate::error::StoreError;
use crate::ids::{EntryId, StreamId};
use crate::limits::lock;

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

/// How many bytes of each end of an entry tell it from another.
const END: usize = 32;

/// What tells an entry from another one with the same id: its size, and a checksum of its two ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Print {
    size: u64,
    ends: u32,
}

/// What tells one generation of a stream from the next, as it was in one instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    /// The largest id that it ever gave.
    pub last_generated: EntryId,
    /// Entries in it.
    pub length: u64,
    /// Entries ever added; unknown before Redis 7.
    pub entries_added: Option<u64>,
    /// The oldest entry.
    pub first: Option<EntryId>,
    /// The newest, if a look brought it.
    pub newest: Option<(EntryId, Print)>,
}

/// What a look at a stream brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    /// Redis does not tell, because the key is no stream or not for this user.
    Unknown,
    /// There is no such key.
    Gone,
    /// There is.
    There(Mark),
}

/// When a stream began anew: its former generation was there at the first moment, and not any more at the second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change {
    /// Still there.
    pub before: Instant,
    /// There no longer.
    pub after: Instant,
}

/// What was learned of a stream lately.
#[derive(Debug, Clone, Copy, Default)]
pub struct Lately {
    /// The last look, and when Redis was asked.
    pub look: Option<(Instant, Look)>,
    /// When the stream began anew last, if it did.
    pub change: Option<Change>,
}

/// A stream that somebody reads, and what this process learned of it lately.
#[derive(Debug)]
pub struct Watched {
    stream: StreamId,
    lately: Mutex<Lately>,
    /// Rises with everything that is learned, so that readers need not look in vain.
    version: AtomicU64,
    /// Bytes that Redis copied for the last look, once there was one.
    weight: AtomicU64,
}

/// All streams that somebody reads.
#[derive(Debug, Default)]
pub struct Generations(Mutex<HashMap<StreamId, Weak<Watched>>>);

impl Print {
    /// That of an entry.
    pub fn of(entry: &[u8]) -> Print {
        let end = END.min(entry.len());
        let mut ends = crc32fast::Hasher::new();
        ends.update(&entry[..end]);
        ends.update(&entry[entry.len() - end..]);
        Print {
            size: entry.len() as u64,
            ends: ends.finalize(),
        }
    }
}

impl Mark {
    /// How many entries were ever trimmed or deleted; unknown before Redis 7.
    pub fn trimmed(&self) -> Option<u64> {
        Some(self.entries_added?.saturating_sub(self.length))
    }

    /// Whether this stream can have become that one without beginning anew: its numbers only grow, its oldest entry only goes
    /// by being trimmed or deleted, and no entry changes.
    pub fn can_become(&self, later: &Mark) -> bool {
        let grew = |now: Option<u64>, then: Option<u64>, least: u64| match now.zip(then) {
            Some((now, then)) => now >= then + least,
            None => true,
        };
        let oldest_fits = match (self.first, later.first) {
            (_, None) => true,
            (None, Some(first)) => first > self.last_generated,
            (Some(then), Some(first)) => first >= then,
        };
        let oldest_went = self.first.is_some() && self.first != later.first;
        let is_other = self
            .newest
            .zip(later.newest)
            .is_some_and(|(then, now)| then.0 == now.0 && then.1 != now.1);
        later.last_generated >= self.last_generated
            && oldest_fits
            && !is_other
            && grew(later.entries_added, self.entries_added, 0)
            && grew(later.trimmed(), self.trimmed(), oldest_went.into())
    }
}

impl From<&StreamInfo> for Mark {
    fn from(info: &StreamInfo) -> Mark {
        Mark {
            last_generated: info.last_generated,
            length: info.length,
            entries_added: info.entries_added,
            first: info.first,
            newest: None,
        }
    }
}

impl Look {
    /// The look that brought this.
    pub fn of(info: Option<&StreamInfo>) -> Look {
        info.map_or(Look::Gone, |info| Look::There(info.into()))
    }

    /// What is known, if anything is there.
    pub fn mark(&self) -> Option<Mark> {
        match self {
            Look::There(mark) => Some(*mark),
            Look::Gone | Look::Unknown => None,
        }
    }

    /// The largest id that the stream ever gave; `0-0` of none, nothing if that is not known.
    pub fn last_generated(&self) -> Option<EntryId> {
        match self {
            Look::There(mark) => Some(mark.last_generated),
            Look::Gone => Some(EntryId::default()),
            Look::Unknown => None,
        }
    }

    fn can_become(&self, later: &Look) -> bool {
        match (self, later) {
            (Look::There(then), Look::There(now)) => then.can_become(now),
            (Look::There(_), Look::Gone) => false,
            _ => true,
        }
    }
}

impl Watched {
    /// Its name.
    pub fn stream(&self) -> &StreamId {
        &self.stream
    }

    fn is_light(&self) -> bool {
        self.weight() <= LIGHT
    }

    /// Bytes that Redis copied for the last look; as many as there can be before there was one.
    pub(super) fn weight(&self) -> u64 {
        self.weight.load(Relaxed)
    }

    /// A number that rises with everything that is learned.
    pub fn version(&self) -> u64 {
        self.version.load(Relaxed)
    }

    /// What was learned lately.
    pub fn lately(&self) -> Lately {
        *lock(&self.lately)
    }

    /// Notes a look. Looks must be noted in the order in which Redis was asked.
    pub(super) fn looked(&self, asked: Instant, look: Look) {
        if look == Look::Unknown {
            return;
        }
        let mut lately = lock(&self.lately);
        if let Some((before, known)) = lately.look
            && !known.can_become(&look)
        {
            let after = Instant::now();
            lately.change = Some(Change { before, after });
        }
        lately.look = Some((asked, look));
        self.version.fetch_add(1, Relaxed);
    }

    /// Notes that this process deleted it, at this moment or a little later.
    fn deleted(&self, before: Instant) {
        let mut lately = lock(&self.lately);
        let after = Instant::now();
        *lately = Lately {
            look: None,
            change: Some(Change { before, after }),
        };
        self.version.fetch_add(1, Relaxed);
    }
}

impl Generations {
    /// The stream, which is watched as long as somebody holds it.
    pub fn watch(&self, stream: &StreamId) -> Arc<Watched> {
        let mut all = lock(&self.0);
        if let Some(watched) = all.get(stream).and_then(Weak::upgrade) {
            return watched;
        }
        let watched = Arc::new(Watched {
            stream: stream.clone(),
            lately: Mutex::default(),
            version: AtomicU64::new(0),
            weight: AtomicU64::new(u64::MAX),
        });
        all.insert(stream.clone(), Arc::downgrade(&watched));
        watched
    }

    /// All that are watched. The others are forgotten.
    pub(super) fn watched(&self) -> Vec<Arc<Watched>> {
        let mut all = lock(&self.0);
        all.retain(|_, watched| watched.strong_count() > 0);
        all.values().filter_map(Weak::upgrade).collect()
    }

    /// Notes that this process deleted a stream, at this moment or a little later.
    pub(super) fn deleted(&self, stream: &StreamId, before: Instant) {
        let watched = lock(&self.0).get(stream).and_then(Weak::upgrade);
        if let Some(watched) = watched {
            watched.deleted(before);
        }
    }
}

impl Session {
    /// The stream, for whoever begins to read it.
    pub fn watch(&self, stream: &StreamId) -> Arc<Watched> {
        self.store.generations.watch(stream)
    }

    /// Looks at streams in one round trip; a look for each.
    pub fn look(&mut self, streams: &[&Watched], beside: &mut dyn Beside) -> Result<Vec<Look>, StoreError> {
        // Decided once: another thread may learn their weight meanwhile.
        let light: Vec<bool> = streams.iter().map(|watched| watched.is_light()).collect();
        let mut packed = Vec::new();
        for (watched, light) in streams.iter().zip(&light) {
            let key = watched.stream.as_str();
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
                watched.weight.store(0, Relaxed);
                return Ok(Look::Gone);
            }
            Answer::Info(Ok(Some(info))) => {
                watched.weight.store(info.copied, Relaxed);
                return Ok(Look::There((&info).into()));
            }
            Answer::Marks(Value::ServerError(error)) | Answer::Info(Err(error)) => error,
            Answer::Marks(reply) => {
                let (look, copied) = mark_of(&reply).ok_or_else(|| unexpected("XINFO STREAM"))?;
                watched.weight.store(copied, Relaxed);
                return Ok(look);
            }
        };
        match self.stream_refusal(&watched.stream, &error) {
            StoreError::Unreachable(cause) => Err(StoreError::Unreachable(cause)),
            // Not everybody may run scripts. The entries come with it then.
            _ if error.code() == "NOPERM" => Ok(self
                .info(&watched.stream, beside)
                .map_or(Look::Unknown, |info| Look::of(info.as_ref()))),
            _ => {
                watched.weight.store(0, Relaxed);
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

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(first: u64, last: u64, length: u64, added: u64) -> Mark {
        let id = |ms| EntryId { ms, seq: 0 };
        Mark {
            last_generated: id(last),
            length,
            entries_added: Some(added),
            first: (length > 0).then(|| id(first)),
            newest: None,
        }
    }

    #[test]
    fn a_stream_that_only_grew_or_was_trimmed_is_the_same() {
        let known = mark(3, 12, 8, 12);
        for later in [
            known,
            mark(3, 13, 9, 13),
            mark(7, 12, 4, 12),
            // All trimmed, or deleted one by one, also the last.
            mark(0, 12, 0, 12),
            mark(3, 12, 1, 12),
            mark(40, 45, 6, 45),
        ] {
            assert!(known.can_become(&later), "{later:?}");
        }
        assert!(mark(0, 12, 0, 12).can_become(&mark(13, 13, 1, 13)));
        assert!(mark(0, 0, 0, 0).can_become(&mark(1, 9, 9, 9)));
    }

    #[test]
    fn a_stream_of_which_anything_went_back_is_another() {
        let known = mark(3, 12, 8, 12);
        for later in [
            mark(1, 4, 4, 4),
            // Ids that go on, but fewer entries than there were.
            mark(20, 23, 4, 4),
            // More entries than there were, but the oldest went without being trimmed.
            mark(20, 39, 16, 20),
            // An oldest entry that is older than the oldest.
            mark(1, 20, 20, 20),
        ] {
            assert!(!known.can_become(&later), "{later:?}");
        }
        // What is there now was not there when nothing was.
        assert!(!mark(0, 12, 0, 12).can_become(&mark(5, 20, 10, 22)));
    }

    #[test]
    fn a_newest_entry_that_is_another_than_it_was_tells() {
        let with = |entry: &[u8]| Mark {
            newest: Some((EntryId { ms: 12, seq: 0 }, Print::of(entry))),
            ..mark(3, 12, 8, 12)
        };
        assert!(with(b"same").can_become(&with(b"same")));
        assert!(!with(b"same").can_become(&with(b"other")));
        assert!(!with(&[0; 100]).can_become(&with(&[0; 101])));
        assert!(with(b"same").can_become(&mark(3, 12, 8, 12)));
    }

    #[test]
    fn before_redis_7_ids_alone_tell() {
        let old = |first, last| Mark {
            entries_added: None,
            ..mark(first, last, 5, 0)
        };
        assert!(old(3, 12).can_become(&old(8, 12)));
        assert!(!old(3, 12).can_become(&old(3, 11)));
        assert!(!old(3, 12).can_become(&old(2, 13)));
    }

    #[test]
    fn a_change_lies_between_the_looks_that_showed_it() {
        let generations = Generations::default();
        let watched = generations.watch(&StreamId::new("s").unwrap());
        let moments: Vec<Instant> = (0..3).map(|_| Instant::now()).collect();
        watched.looked(moments[0], Look::There(mark(1, 9, 9, 9)));
        watched.looked(moments[1], Look::There(mark(1, 10, 10, 10)));
        assert_eq!(watched.lately().change, None);
        watched.looked(moments[2], Look::Gone);
        assert_eq!(watched.lately().change.map(|change| change.before), Some(moments[1]));
        let version = watched.version();
        generations.deleted(watched.stream(), moments[0]);
        assert!(watched.version() > version && watched.lately().look.is_none());
        drop(watched);
        assert!(generations.watched().is_empty());
    }
}
