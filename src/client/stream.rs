//! What a store knows of one stream, and of all of them together.

use ptg_store::words::ids::EntryId;
use ptg_store::words::object::Object;
use serde_json::Value;

use super::{Failure, Store, TICK, description};

/// What a store says of the activity that it is looking up, and how often it is asked again: for a second.
const FIRST_TIME: &str = "just being looked up for the first time";
const MOST_TRIES: u32 = 4;

/// A stream, as `GET /streams/{id}` has it.
#[derive(Debug, Clone, PartialEq)]
pub struct Stream {
    /// Its description, which may be empty: id, description, metadata, max_len, and whatever others put there.
    pub meta: Object,
    /// Entries in it now.
    pub entries: u64,
    /// The ids of its oldest and newest entries.
    pub reach: Option<(EntryId, EntryId)>,
    /// The largest id that it ever had.
    pub last_id: EntryId,
    /// Whether there is such a stream: one that was described, or that has entries.
    pub is_there: bool,
}

/// What is the same for all streams: the store's clock, which may be another than that of this machine, and how many entries a
/// stream keeps that does not say it itself.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Present {
    /// Milliseconds since 1970.
    pub now: u64,
    /// `max_len` of streams that have none of their own.
    pub default_max_len: u64,
}

impl Stream {
    /// Asks the store.
    pub fn of(store: &Store, name: &str) -> Result<Stream, Failure> {
        let reply = store.ask("GET", &description::path(name), &[], b"")?;
        if reply.status != 200 {
            return Err(store.advise(Failure::refused(reply.status, &reply.body)));
        }
        // Not as a `Value`: the numbers of metadata keep all their digits.
        let reply = str::from_utf8(&reply.body).ok().and_then(Object::stored);
        let stream = reply.as_ref().and_then(Stream::read);
        stream
            .ok_or_else(|| Failure::Foreign("this is no store: its reply to GET /streams/… tells of no stream".into()))
    }

    fn read(reply: &Object) -> Option<Stream> {
        let meta: Object = reply.read("meta")?;
        // Without entries it is a text that says so.
        let Some(info) = reply.get("info").and_then(Object::stored) else {
            return reply.read::<String>("info").map(|_| Stream {
                entries: 0,
                reach: None,
                last_id: EntryId::default(),
                is_there: !meta.is_empty(),
                meta,
            });
        };
        let id = |name: &str| -> Option<EntryId> { info.read::<String>(name)?.parse().ok() };
        Some(Stream {
            meta,
            entries: info.read("length")?,
            reach: id("first-entry-id").zip(id("last-entry-id")),
            last_id: id("last-generated-id").unwrap_or_default(),
            is_there: true,
        })
    }

    /// How many entries it keeps, if it says so itself.
    pub fn own_max_len(&self) -> Option<u64> {
        self.meta.read("max_len")
    }
}

/// What all streams did lately: the reply of `GET /activity`. When several ask a store for the first time, it tells only one of
/// them, and the others to ask again.
pub fn activity(store: &Store) -> Result<Value, Failure> {
    let mut tries = 0;
    loop {
        match store.get("/activity") {
            Err(Failure::Refused {
                status: 503, detail, ..
            }) if detail.contains(FIRST_TIME) && tries < MOST_TRIES => {
                tries += 1;
                store.interrupted.sleep(TICK)?;
            }
            reply => return reply,
        }
    }
}

/// The names of all streams.
pub fn names(store: &Store) -> Result<Vec<String>, Failure> {
    let names = serde_json::from_value(store.get("/streams/")?);
    names.map_err(|_| Failure::Foreign("this is no store: its reply to GET /streams/ is no list of names".into()))
}

impl Present {
    /// Asks the store.
    pub fn of(store: &Store) -> Result<Present, Failure> {
        Present::read(&activity(store)?)
    }

    /// The same in a reply of `GET /activity` that is there.
    pub fn read(activity: &Value) -> Result<Present, Failure> {
        // Not `time`, when the streams were looked at: that may be seconds ago.
        let now = activity["now"].as_str().and_then(|now| now.parse().ok());
        let now = now.and_then(|now: jiff::Timestamp| u64::try_from(now.as_millisecond()).ok());
        let default_max_len = activity["default_max_len"].as_u64();
        match (now, default_max_len) {
            (Some(now), Some(default_max_len)) => Ok(Present { now, default_max_len }),
            _ => Err(Failure::Foreign(
                "this is no store: its reply to GET /activity has no now or no default_max_len".into(),
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(reply: &str) -> Option<Stream> {
        Stream::read(&Object::stored(reply)?)
    }

    #[test]
    fn a_stream_is_there_if_it_is_described_or_has_entries() {
        let info = r#"{"length":2,"first-entry-id":"1-0","last-entry-id":"7-3","last-generated-id":"7-3"}"#;
        let filled = read(&format!(r#"{{"meta":{{}},"info":{info}}}"#)).unwrap();
        assert!(filled.is_there && filled.own_max_len().is_none());
        assert_eq!(filled.reach.map(|(_, newest)| newest), "7-3".parse().ok());
        let described = read(r#"{"meta":{"max_len":5},"info":"no such key"}"#).unwrap();
        assert!(described.is_there && described.own_max_len() == Some(5) && described.reach.is_none());
        assert!(!read(r#"{"meta":{},"info":"no such key"}"#).unwrap().is_there);
    }

    #[test]
    fn what_is_no_store_is_told_from_an_empty_stream() {
        for reply in [
            "{}",
            r#"{"meta":{}}"#,
            r#"{"meta":{},"info":{}}"#,
            r#"{"meta":[],"info":"x"}"#,
        ] {
            assert_eq!(read(reply), None, "{reply}");
        }
    }
}
