//! `/data/{id}`: entries in by POST, entries out by GET.

use bytes::Bytes;
use serde_json::json;

use crate::batch::{Batch, Joined};
use crate::context::Context;
use crate::error::Error;
use crate::form::{self, FormKind};
use crate::http::{Head, Reply};
use crate::ids::{Cursor, StreamId};
use crate::limits::Reservation;
use crate::store::{Nobody, Room, Session};

/// The most bytes of the `entry-offset` header. Common clients take heads of 64 KiB.
const MAX_OFFSETS: usize = 32 << 10;

/// The name of the form parts that are entries.
const ENTRIES: &str = "entries";

/// `GET /data/{id}`. What it reads is `held` until the reply has left the worker.
pub fn get(
    session: &mut Session,
    context: &Context,
    head: &Head,
    stream: &StreamId,
    count: u64,
    from: Cursor,
    held: &mut Reservation,
) -> Result<Reply, Error> {
    let span = Room {
        count: usize::try_from(count).unwrap_or(usize::MAX),
        bytes: context.config.limits.max_body.0,
        offsets: MAX_OFFSETS,
    };
    let Joined { offsets, bytes, count } = session.read_span(stream, from, span, held)?;
    // HEAD looks, and takes nothing out.
    if head.method == "GET" {
        context.metrics.entries_out.rest.add(count as u64);
        context.metrics.bytes_out.rest.add(bytes.len() as u64);
    }
    Ok(Reply::typed(200, "application/octet-stream", bytes).with("entry-offset", offsets.finish()))
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
    let max_len = session.retention(stream, &mut Nobody)?;
    let ids = session.append(stream, &entries, max_len, &mut Nobody)?;
    context.metrics.entries_in.rest.add(count as u64);
    context.metrics.bytes_in.rest.add(bytes as u64);
    Ok(Reply::json(&json!(ids)))
}

fn entries(head: &Head, body: Bytes, limit: usize) -> Result<Batch, Error> {
    let content_type = head.header("Content-Type");
    let entries: Batch = match FormKind::of(content_type)? {
        FormKind::Multipart(boundary) => {
            let parts = form::multipart(body, &boundary, &[ENTRIES], limit)?;
            parts.into_iter().map(|(_, data)| data).collect()
        }
        // A form without parts has no entries; curl's --data sends one unless told otherwise.
        FormKind::UrlEncoded => Vec::new(),
        FormKind::Other if content_type.is_none() && body.is_empty() => Vec::new(),
        FormKind::Other => vec![body],
    };
    if entries.is_empty() {
        Err(Error::missing("body", ENTRIES))
    } else {
        Ok(entries)
    }
}
