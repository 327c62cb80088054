//! Entries into several streams, or with ids of their own: one script that checks everything before it adds anything.
//! See <https://redis.io/docs/latest/develop/programmability/eval-intro/>.

use std::fmt::Write;

use bytes::Bytes;
use redis::Value;

use super::abilities::Abilities;
use super::beside::Beside;
use super::packed::Packed;
use super::{Session, unexpected, value};
use crate::words::destination::{Destination, Destinations};
use crate::words::error::StoreError;

/// The most entries of one call: Redis 6.2 takes no command of more than 1024 × 1024 arguments.
pub const MOST_PLACED: usize = 1_000_000;

/// Written for Redis 6.2, which has no `XADD <ms>-*`.
const SCRIPT: &str = include_str!("place.lua");

/// Its arguments besides streams and entries: `EVAL`, itself, their number; and what its `ARGV` begins with.
const BEFORE_STREAMS: usize = 3;
const BEFORE_ENTRIES: usize = 3;

impl Session {
    /// Stores entries where they are to go, in order, all or none of them; their ids. Each stream keeps `max_lens` entries.
    ///
    /// `Unreachable` is as with `append`. Whoever says the same again because of it is `repeating`: if all destinations are exact,
    /// entries that turn out to be there already are as good as stored now.
    pub fn place(
        &mut self,
        entries: &[Bytes],
        destinations: &Destinations,
        max_lens: &[u64],
        repeating: bool,
        beside: &mut dyn Beside,
    ) -> Result<Vec<String>, StoreError> {
        if entries.is_empty() {
            return Ok(Vec::new());
        }
        self.check_able(Abilities::check_scripts)?;
        let is_exact = destinations.are_exact();
        let script = script(entries, destinations, max_lens, repeating && is_exact);
        let reply = self.converse(|link| script.send(link, 1, beside))?.pop();
        let mut fields = match reply {
            Some(Value::ServerError(error)) => return Err(self.refusal(&error)),
            Some(Value::Array(fields)) => fields.into_iter(),
            _ => return Err(unexpected("EVAL")),
        };
        let outcome = fields.next().and_then(value::into_text).unwrap_or_default();
        let outcome = match outcome.as_str() {
            "stored" => {
                let ids: Option<Vec<String>> = fields.map(value::into_text).collect();
                ids.filter(|ids| ids.len() == entries.len()).map(Ok)
            }
            "not larger" => not_larger(fields, destinations, repeating && !is_exact).map(Err),
            "not a stream" => not_a_stream(fields, destinations).map(Err),
            _ => None,
        };
        outcome.unwrap_or_else(|| Err(unexpected("EVAL")))
    }
}

fn script<'a>(entries: &'a [Bytes], destinations: &Destinations, max_lens: &[u64], repeating: bool) -> Packed<'a> {
    let max_lens: Vec<String> = max_lens.iter().map(u64::to_string).collect();
    let max_lens = max_lens.join(",");
    let mut asked = String::new();
    for Destination { stream, id } in &destinations.of_entries {
        let separator = if asked.is_empty() { "" } else { "," };
        // Writing to memory does not fail. Lua counts from 1.
        let _ = write!(asked, "{separator}{} {id}", stream + 1);
    }
    let names: usize = destinations.streams.iter().map(|stream| stream.as_str().len()).sum();
    let beside = SCRIPT.len() + names + 32 * destinations.streams.len() + max_lens.len() + asked.len() + 64;
    let mut script = Packed::with_room_for(entries, 0, beside);
    script.begin(BEFORE_STREAMS + destinations.streams.len() + BEFORE_ENTRIES + entries.len());
    script.argument(b"EVAL");
    script.argument(SCRIPT.as_bytes());
    script.argument(destinations.streams.len().to_string().as_bytes());
    for stream in &destinations.streams {
        script.argument(stream.as_str().as_bytes());
    }
    script.argument(max_lens.as_bytes());
    script.argument(asked.as_bytes());
    script.argument(if repeating { b"1" } else { b"0" });
    for entry in entries {
        script.entry(entry);
    }
    script
}

/// The number of the entry and the newest id of its stream become an error.
fn not_larger(
    mut fields: impl Iterator<Item = Value>,
    destinations: &Destinations,
    unsure: bool,
) -> Option<StoreError> {
    let number = usize::try_from(value::number(&fields.next()?)?).ok()?;
    let newest = value::into_text(fields.next()?)?;
    let place = destinations.of_entries.get(number.checked_sub(1)?)?;
    Some(StoreError::IdNotLarger {
        stream: destinations.streams.get(place.stream)?.to_string(),
        id: place.id.to_string(),
        newest,
        unsure,
    })
}

fn not_a_stream(mut fields: impl Iterator<Item = Value>, destinations: &Destinations) -> Option<StoreError> {
    let number = usize::try_from(value::number(&fields.next()?)?).ok()?;
    let stream = destinations.streams.get(number.checked_sub(1)?)?;
    Some(StoreError::NotAStream(stream.to_string()))
}
