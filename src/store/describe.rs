//! Streams as things: their list, their description at `XMETA:<id>`, what Redis knows of them, and their end.

use std::collections::BTreeSet;
use std::io::{self, IoSlice};
use std::time::Instant;

use redis::{ServerError, Value};
use serde_json::{Map, json};

use super::link::{END_OF_LINE, Link, broken};
use super::{Beside, Nobody, Session, meta_key, unexpected, value};
use crate::words::error::StoreError;
use crate::words::ids::{EntryId, META_PREFIX, StreamId};
use crate::words::object::Object;

/// How many keys one step of a scan looks at: few steps for a lab's store, none of them long.
const SCAN_STEP: u32 = 1000;

/// How often a description is made anew because others changed it meanwhile: more often than there are others.
const MOST_CHANGES: usize = 100;

/// Stores a description in the place of the one that it was made of. Nil if that is not there any more.
const SET_IF_UNCHANGED: &str = "
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return false end
return redis.call('SET', KEYS[1], ARGV[2])";

/// The largest `max_len`: what Redis takes as a count.
pub const LARGEST_MAX_LEN: u64 = i64::MAX as u64;

/// How many entries a description says that its stream keeps. None if it does not say: others may have put anything there.
pub fn own_max_len(description: &Object) -> Option<u64> {
    let max_len = description.read("max_len");
    max_len.filter(|max_len| (1..=LARGEST_MAX_LEN).contains(max_len))
}

/// What Redis knows of a stream.
#[derive(Debug, Clone, PartialEq)]
pub struct StreamInfo {
    /// The fields of `XINFO STREAM`, with times and ids for the first and last entries.
    pub fields: Map<String, serde_json::Value>,
    /// Entries in it now.
    pub length: u64,
    /// Entries ever added; unknown before Redis 7.
    pub entries_added: Option<u64>,
    /// The oldest entry.
    pub first: Option<EntryId>,
    /// The newest that is left; never told together with entries.
    pub last: Option<EntryId>,
    /// The largest id it ever gave.
    pub last_generated: EntryId,
    /// Bytes of the entries that Redis copied to tell all this.
    pub copied: u64,
}

impl StreamInfo {
    /// How many entries were ever trimmed; unknown before Redis 7.
    pub fn trimmed(&self) -> Option<u64> {
        Some(self.entries_added?.saturating_sub(self.length))
    }
}

impl Session {
    /// Every stream there is, and every stream that was created but is still empty.
    /// Keys that no request could name are left out: those that are not UTF-8, or break another rule of `StreamId`.
    pub fn streams(&mut self) -> Result<BTreeSet<StreamId>, StoreError> {
        let streams = self.scan(&["TYPE", "stream"])?;
        let described = self.scan(&["MATCH", &format!("{META_PREFIX}*")])?;
        let described = described.iter().filter_map(|key| key.strip_prefix(META_PREFIX));
        let names = streams.iter().map(String::as_str).chain(described);
        Ok(names.filter_map(|name| StreamId::new(name).ok()).collect())
    }

    /// What Redis knows of a stream; none if there is no such key.
    /// See <https://redis.io/docs/latest/commands/xinfo-stream/>. Redis sends the first and last entries whole; they may be
    /// large, and are read past.
    pub fn info(&mut self, stream: &StreamId, beside: &mut dyn Beside) -> Result<Option<StreamInfo>, StoreError> {
        let command = redis::cmd("XINFO")
            .arg("STREAM")
            .arg(stream.as_str())
            .get_packed_command();
        let read = self.converse(|link| {
            link.send(&mut [IoSlice::new(&command)], beside)?;
            info_or_error(link, beside)
        })?;
        read.map_err(|error| self.stream_refusal(stream, &error))
    }

    /// The description that `PUT` stored. None if there is none, or if other programs put something else there:
    /// a damaged description must not keep entries out.
    pub fn description(&mut self, stream: &StreamId, beside: &mut dyn Beside) -> Result<Option<Object>, StoreError> {
        let get = redis::cmd("GET").arg(meta_key(stream)).get_packed_command();
        match self.exchange(&get, 1, beside)?.first() {
            Some(reply) => self.described(reply),
            None => Err(unexpected("GET")),
        }
    }

    /// How many entries each of these streams keeps, in one round trip.
    pub(super) fn retentions(
        &mut self,
        streams: &[&StreamId],
        beside: &mut dyn Beside,
    ) -> Result<Vec<u64>, StoreError> {
        let mut packed = Vec::new();
        for stream in streams {
            redis::cmd("GET")
                .arg(meta_key(stream))
                .write_packed_command(&mut packed);
        }
        let replies = self.exchange(&packed, streams.len(), beside)?;
        let kept = replies.iter().map(|reply| {
            let description = self.described(reply)?;
            Ok(self.max_len_of(description.as_ref()))
        });
        kept.collect()
    }

    /// How many entries a stream with this description keeps: what it says, else the server's.
    fn max_len_of(&self, description: Option<&Object>) -> u64 {
        description.and_then(own_max_len).unwrap_or(self.store.max_len)
    }

    /// The description in a reply to `GET`.
    fn described(&mut self, reply: &Value) -> Result<Option<Object>, StoreError> {
        match reply {
            Value::ServerError(error) if error.code() == "WRONGTYPE" => Ok(None),
            Value::ServerError(error) => Err(self.refusal(error)),
            stored => Ok(value::text(stored).and_then(Object::stored)),
        }
    }

    /// Whether the key is free or a stream; `NotAStream` if it is something else.
    pub fn check_is_stream(&mut self, stream: &StreamId) -> Result<(), StoreError> {
        let kind = self.command(redis::cmd("TYPE").arg(stream.as_str()))?;
        match value::text(&kind) {
            Some("stream" | "none") => Ok(()),
            _ => Err(StoreError::NotAStream(stream.to_string())),
        }
    }

    /// Stores the description that `changed` makes of the present one, and returns it. None, and nothing is stored, if there is
    /// one already and it is not to be replaced.
    ///
    /// What others store meanwhile is not lost: then it is made anew out of theirs. (Where scripts are not allowed it can be.)
    pub fn describe(
        &mut self,
        stream: &StreamId,
        replace: bool,
        changed: impl Fn(Option<&Object>) -> Object,
    ) -> Result<Option<Object>, StoreError> {
        let key = meta_key(stream);
        for _ in 0..MOST_CHANGES {
            let found = self.exchange(&redis::cmd("GET").arg(&key).get_packed_command(), 1, &mut Nobody)?;
            let found = found.first().ok_or_else(|| unexpected("GET"))?;
            let stored = self.described(found)?;
            if *found != Value::Nil && !replace {
                return Ok(None);
            }
            let description = changed(stored.as_ref());
            let mut set = redis::cmd("SET");
            set.arg(&key).arg(description.to_string());
            let mut script = None;
            match found {
                Value::Nil => {
                    set.arg("NX");
                }
                Value::BulkString(before) if stored.is_some() => {
                    let mut eval = redis::cmd("EVAL");
                    eval.arg(SET_IF_UNCHANGED).arg(1).arg(&key);
                    eval.arg(before).arg(description.to_string());
                    script = Some(eval);
                }
                // Of what is no description nothing can be lost.
                _ => {}
            }
            let store = |session: &mut Session| match script.map(|script| session.command(&script)) {
                // Not everybody may run scripts. The last of several at once wins then.
                None | Some(Err(StoreError::Refused(_))) => session.command(&set),
                Some(told) => told,
            };
            let max_len = self.max_len_of(Some(&description));
            let is_stored = |reply: &Value| *reply != Value::Nil;
            let reply = self.changing_retention(stream, max_len, is_stored, store)?;
            if is_stored(&reply) {
                return Ok(Some(description));
            }
        }
        Err(StoreError::Refused(format!(
            "others change the description of '{stream}' all the time"
        )))
    }

    /// Removes the entries and the description together; whether there were any. Redis frees the memory in its own time.
    pub fn delete(&mut self, stream: &StreamId) -> Result<bool, StoreError> {
        let usual = self.store.max_len;
        self.changing_retention(stream, usual, |_| true, |session| session.unlink(stream))
    }

    fn unlink(&mut self, stream: &StreamId) -> Result<bool, StoreError> {
        let begun = Instant::now();
        let keys = [stream.to_string(), meta_key(stream)];
        // In cluster mode a command takes keys of one slot only, and these two are hardly ever in one.
        let together = if self.ready()?.is_cluster { 1 } else { keys.len() };
        let mut removed = false;
        for keys in keys.chunks(together) {
            removed |= self.command(redis::cmd("UNLINK").arg(keys))? != Value::Int(0);
        }
        if removed {
            // Whoever reads it is to know at once.
            self.store.generations.deleted(stream, begun);
        }
        Ok(removed)
    }

    fn scan(&mut self, filter: &[&str]) -> Result<Vec<String>, StoreError> {
        let mut keys = Vec::new();
        let mut cursor = "0".to_string();
        loop {
            let mut scan = redis::cmd("SCAN");
            scan.arg(&cursor).arg("COUNT").arg(SCAN_STEP).arg(filter);
            let mut reply = value::list(self.command(&scan)?)
                .ok_or_else(|| unexpected("SCAN"))?
                .into_iter();
            let (next, found) = (reply.next(), reply.next());
            let next = next.as_ref().and_then(value::text).ok_or_else(|| unexpected("SCAN"))?;
            let found = found.and_then(value::list).ok_or_else(|| unexpected("SCAN"))?;
            keys.extend(found.iter().filter_map(value::text).map(str::to_string));
            if next == "0" {
                return Ok(keys);
            }
            cursor = next.to_string();
        }
    }
}

/// The reply to `XINFO STREAM`, short or full: none if there is no such key, or an error reply.
pub(super) fn info_or_error(
    link: &mut Link,
    beside: &mut dyn Beside,
) -> io::Result<Result<Option<StreamInfo>, ServerError>> {
    match link.array_or_error(beside)? {
        Ok(items) => info(link, items, beside).map(|info| Ok(Some(info))),
        Err(error) if error.details() == Some("no such key") => Ok(Ok(None)),
        Err(error) => Ok(Err(error)),
    }
}

/// The fields of `XINFO STREAM`, `[name, value, …]`, as they arrive.
fn info(link: &mut Link, items: usize, beside: &mut dyn Beside) -> io::Result<StreamInfo> {
    let mut info = StreamInfo {
        fields: Map::new(),
        length: 0,
        entries_added: None,
        first: None,
        last: None,
        last_generated: EntryId::default(),
        copied: 0,
    };
    for _ in 0..items / 2 {
        let name = String::from_utf8(link.string(beside)?).map_err(|_| broken("a field's name in it is no text"))?;
        if name == "first-entry" || name == "last-entry" {
            let id = id_of_entry(link, &mut info.copied, beside)?;
            if name == "first-entry" {
                info.first = id;
            } else {
                info.last = id;
            }
            info.fields
                .insert(format!("{name}-id"), json!(id.map(|id| id.to_string())));
            info.fields.insert(name, json!(id.and_then(EntryId::time)));
            continue;
        }
        // The full form has them instead, oldest first.
        if name == "entries" {
            for _ in 0..link.count(b'*', beside)? {
                info.first = info.first.or(id_of_entry(link, &mut info.copied, beside)?);
            }
            continue;
        }
        let value = link.reply(beside)?;
        match name.as_str() {
            "last-generated-id" => {
                info.last_generated = value::entry_id(&value).ok_or_else(|| broken("an id of it is none"))?;
            }
            "length" => info.length = value::number(&value).unwrap_or(0),
            "entries-added" => info.entries_added = value::number(&value),
            _ => {}
        }
        let field = match &value {
            Value::Int(number) => json!(number),
            other => json!(value::text(other)),
        };
        info.fields.insert(name, field);
    }
    Ok(info)
}

/// The id of an entry that is read past, and its bytes are counted; none for nil.
fn id_of_entry(link: &mut Link, bytes: &mut u64, beside: &mut dyn Beside) -> io::Result<Option<EntryId>> {
    let Some(_) = link.count_or_nil(b'*', beside)? else {
        return Ok(None);
    };
    let id = link.id(beside)?;
    for _ in 0..link.count(b'*', beside)? {
        let length = link.count(b'$', beside)?;
        link.skip(length + END_OF_LINE, beside)?;
        *bytes += length as u64;
    }
    Ok(Some(id))
}
