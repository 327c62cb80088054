//! `/data/{id}`: entries in by POST, entries out by GET.

use std::slice;
use std::time::Duration;

use bytes::Bytes;
use serde_json::json;

use crate::limits::{ROOM_PATIENCE, Reservation, UNCOUNTED};
use crate::request::call::Pull;
use crate::request::form::{self, FormKind};
use crate::state::context::Context;
use crate::store::{Nobody, Room, Session, Start};
use crate::words::batch::{Batch, Joined, Names};
use crate::words::cursor::{self, Cursor};
use crate::words::error::{Error, Issue};
use crate::words::http::{Head, LAST_GENERATED_ID, Reply};
use crate::words::ids::{EntryId, StreamId};
use crate::words::shape::{self, Format, LINE_OVERHEAD};
use crate::words::units::Size;

/// The most bytes of the `entry-offset` header. Common clients take heads of 64 KiB.
const MAX_OFFSETS: usize = 32 << 10;

/// The most lines of one reply: what they say besides their entries stays below a few megabytes.
const MOST_LINES: usize = 16_384;

/// The content type of entries joined.
const BYTES: &str = "application/octet-stream";

/// The name of the form parts that are entries.
const ENTRIES: &str = "entries";

/// What is told to those who send none: curl's `-d` and `--data-binary` send a form without parts unless told otherwise.
const HINT: &str = "send each entry as a part of a form: curl -F entries=@FILE; or one entry as the body, with a content type \
    that is no form's: curl --data-binary @FILE -H 'Content-Type: application/octet-stream'";

/// `GET /data/{id}`. What it reads is `held` until the reply has left the worker.
pub fn get(
    session: &mut Session,
    context: &Context,
    head: &Head,
    call: &Pull,
    held: &mut Reservation,
) -> Result<Reply, Error> {
    let names = call.named.then(|| Names::new(&call.streams));
    let joined = read(session, context, call, names.as_ref(), held)?;
    // HEAD looks, and takes nothing out.
    if head.method == "GET" {
        context.metrics.entries_out.rest.add(joined.count() as u64);
        context.metrics.bytes_out.rest.add(joined.bytes.len() as u64);
    }
    let behind = match joined.is_empty() {
        true => behind(session, call)?,
        false => None,
    };
    let mut reply = match call.format {
        Format::Json => lines(call, &joined, held)?,
        Format::Pairs => {
            let offsets = joined.offsets(names.as_ref());
            Reply::of_entries(BYTES, joined.bytes).with("entry-offset", offsets)
        }
        Format::Raw => Reply::of_entries(BYTES, joined.bytes),
    };
    if let Some(ids) = behind {
        reply = reply.with(LAST_GENERATED_ID, ids);
    }
    Ok(reply)
}

/// How far the streams have come, if one of them has not come as far as the entry that the client named: whoever read that
/// entry would wait in vain, because the stream has begun anew since.
fn behind(session: &mut Session, call: &Pull) -> Result<Option<String>, Error> {
    let after = |from: &Cursor| match from {
        Cursor::After(id) => *id,
        _ => EntryId::default(),
    };
    let named: Vec<EntryId> = call.from.iter().map(after).collect();
    if named.iter().all(|id| *id == EntryId::default()) {
        return Ok(None);
    }
    let Some(come) = session.last_generated(&call.streams)? else {
        return Ok(None);
    };
    let is_behind = named.iter().zip(&come).any(|(named, come)| come < named);
    Ok(is_behind.then(|| cursor::joined(&come)))
}

/// The entries of all streams, one stream after the other. Each has its share of the room.
fn read(
    session: &mut Session,
    context: &Context,
    call: &Pull,
    names: Option<&Names>,
    held: &mut Reservation,
) -> Result<Joined, Error> {
    let streams = call.streams.len();
    let count = usize::try_from(call.count).unwrap_or(usize::MAX);
    let max_body = context.config.limits.max_body.0;
    let (bytes, count, offsets) = match call.format {
        Format::Pairs => (max_body, count, MAX_OFFSETS),
        Format::Raw => (max_body, count, usize::MAX),
        // A line is at most twice as long as its entry, and a little.
        Format::Json => (max_body / 2, count.min(MOST_LINES / streams), usize::MAX),
    };
    let now = session.time_for(&call.from, call.until)?;
    let mut all = Joined::default();
    for (index, (stream, from)) in call.streams.iter().zip(&call.from).enumerate() {
        let room = Room {
            count,
            bytes: bytes / streams,
            offsets: offsets / streams,
            each: names.map_or(0, |names| names.length(index)),
        };
        let until = session.end_of(stream, call.until, now)?;
        let mut share = context.bodies.reserve_nothing();
        let mut joined = session.read_span(stream, Start::of(*from, count, now), until, room, &mut share)?;
        joined.items.iter_mut().for_each(|item| item.stream = index);
        held.take(share.bytes());
        all.append(joined);
    }
    Ok(all)
}

/// A line of JSON for each entry, each with its end.
fn lines(call: &Pull, joined: &Joined, held: &mut Reservation) -> Result<Reply, Error> {
    let most = 2 * joined.bytes.len() + joined.count() * LINE_OVERHEAD;
    if most > UNCOUNTED && !held.grow_within(most, ROOM_PATIENCE) {
        let limit = Size(held.limit());
        return Err(Error::Busy(format!(
            "Request bodies and replies use all of {limit} (--max-bodies)."
        )));
    }
    let mut body = Vec::new();
    for (item, entry) in joined.entries() {
        shape::put_line(&call.streams[item.stream], item, entry, &mut body);
        body.push(b'\n');
    }
    Ok(Reply::of_entries(shape::LINES_TYPE, body))
}

/// `POST /data/{id}`: all entries are stored, or none.
pub fn post(
    session: &mut Session,
    context: &Context,
    stream: &StreamId,
    head: &Head,
    body: Bytes,
) -> Result<Reply, Error> {
    let entries = entries(head, body, context.config.limits.max_batch)?;
    let (count, bytes) = (entries.len(), entries.iter().map(Bytes::len).sum::<usize>());
    let writing = session.begin_writing(slice::from_ref(stream), Duration::ZERO, &mut Nobody)?;
    let ids = session.append(stream, &entries, writing.max_lens()[0], &mut Nobody)?;
    drop(writing);
    context.metrics.entries_in.rest.add(count as u64);
    context.metrics.bytes_in.rest.add(bytes as u64);
    Ok(Reply::json(&json!(ids)))
}

fn entries(head: &Head, body: Bytes, limit: usize) -> Result<Batch, Error> {
    let entries: Batch = match FormKind::of(head)? {
        FormKind::Multipart(boundary) => {
            let parts = form::multipart(
                body,
                &boundary,
                &[ENTRIES],
                limit,
                "entries in one request (--max-batch)",
            )?;
            parts.into_iter().map(|(_, data)| data).collect()
        }
        // A form without parts has no entries; curl's --data sends one unless told otherwise.
        FormKind::UrlEncoded => Vec::new(),
        FormKind::Other if head.header("Content-Type").is_none() && body.is_empty() => Vec::new(),
        FormKind::Other => vec![body],
    };
    if entries.is_empty() {
        Err(Error::Invalid(vec![Issue::missing("body", ENTRIES, Some(HINT))]))
    } else {
        Ok(entries)
    }
}
