//! What a request wants to read: which streams, from where to where, in which shape and at which pace.

use std::time::Duration;

use crate::request::params::Params;
use crate::words::cursor::{self, Cursor, Until};
use crate::words::dialect::Dialect;
use crate::words::http::Head;
use crate::words::ids::StreamId;
use crate::words::shape::Format;

/// The slowest and the fastest `max_rate`, in entries a second. Slower ones would wait longer than anybody.
const RATES: (f64, f64) = (0.001, 1e9);

/// The longest `timeout`, in milliseconds: a year.
const LONGEST_TIMEOUT: u64 = 365 * 86_400_000;

/// The parameters of a pull, whether over a WebSocket, as one reply or as one that stays open.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs)]
pub struct Pull {
    pub streams: Vec<StreamId>,
    /// Where each stream begins.
    pub from: Vec<Cursor>,
    pub until: Option<Until>,
    /// The most entries of a stream in one reply.
    pub count: u64,
    pub format: Format,
    /// Whether offsets name their streams.
    pub named: bool,
    /// Whether only the newest entry counts whenever the client is ready.
    pub newest: bool,
    /// Most entries a second.
    pub max_rate: Option<f64>,
    /// Whether each reply but the first waits for a message from the client.
    pub ack: bool,
    /// After how long a silence the pull ends.
    pub timeout: Option<Duration>,
    /// Whether a gap ends the pull.
    pub close_on_gap: bool,
    /// Whether the client has read the entries that it names in `from`.
    pub resume: bool,
}

/// How a reply that stays open is framed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// Entries or lines, one after the other.
    Plain,
    /// Server-Sent Events (<https://html.spec.whatwg.org/multipage/server-sent-events.html>).
    Events,
    /// `multipart/x-mixed-replace`: one picture replaces the other.
    Mjpeg,
}

impl Pull {
    /// Those of `/data/{id}/pull`.
    pub fn socket(segment: &str, params: &mut Params, dialect: Dialect) -> Pull {
        let mut pull = Pull::read(segment, params, dialect, Cursor::End);
        pull.ack = params.boolean("ack", false);
        pull
    }

    /// Those of `GET /data/{id}`, and how the reply is framed if it is to stay open.
    pub fn get(segment: &str, params: &mut Params, head: &Head, dialect: Dialect) -> (Pull, Option<Framing>) {
        let events = head.accepts("text/event-stream");
        let mut pull = Pull::read(segment, params, dialect, Cursor::Newest);
        let follow = params.boolean("follow", false);
        let format = params.text("format").is_some();
        let in_query = params
            .text("lastEventId")
            .filter(|id| !id.is_empty())
            .map(str::to_owned);
        match (events, follow) {
            (true, _) => {
                if format && pull.format != Format::Json {
                    params.refuse("format", "server-sent events are json", "value_error.const");
                }
                pull.format = Format::Json;
                // Some substitutes for `EventSource` cannot set the header, and say it in the query.
                let in_header = head.header("Last-Event-ID").filter(|id| !id.is_empty());
                if let Some(last) = in_header.or(in_query.as_deref()) {
                    // A browser sends back what it was sent.
                    pull.resume = true;
                    pull.from = cursors(last, pull.streams.len()).unwrap_or_else(|message| {
                        match in_header {
                            Some(_) => params.refuse_header("Last-Event-ID", message, "value_error.entry_id"),
                            None => params.refuse("lastEventId", message, "value_error.entry_id"),
                        }
                        vec![Cursor::Newest; pull.streams.len()]
                    });
                }
                (pull, Some(Framing::Events))
            }
            (false, true) => {
                if format && pull.format == Format::Pairs {
                    let message =
                        "a reply that stays open is raw or json: offsets are in a header, which cannot follow";
                    params.refuse("format", message, "value_error.const");
                }
                if !format {
                    pull.format = Format::Raw;
                }
                (pull, Some(Framing::Plain))
            }
            (false, false) => (pull, None),
        }
    }

    /// Those of `GET /mjpeg/{id}`.
    pub fn mjpeg(segment: &str, params: &mut Params) -> Pull {
        let streams = vec![params.stream(segment)];
        Pull {
            from: from(params, streams.len(), Cursor::Latest),
            until: until(params),
            max_rate: max_rate(params),
            timeout: timeout(params),
            newest: true,
            ..Pull::all_of(streams)
        }
    }

    fn read(segment: &str, params: &mut Params, dialect: Dialect, default: Cursor) -> Pull {
        let streams = params.streams(segment);
        let named = streams.len() > 1 || dialect == Dialect::V2;
        // Complaints come in this order: what the seed has first.
        let count = params.positive("count", 1, u64::MAX);
        let (from, newest) = match dialect {
            Dialect::Seed => (from(params, streams.len(), default), params.boolean("newest", false)),
            Dialect::V2 => from_v2(params, streams.len(), default),
        };
        let close_on_gap = params.one_of("on_gap", &[("ignore", false), ("close", true)], false);
        if newest && close_on_gap {
            params.refuse(
                "on_gap",
                "newest=true skips entries on purpose, so no gap can end it",
                "value_error.const",
            );
        }
        Pull {
            from,
            until: until(params),
            count,
            format: params.one_of(
                "format",
                &[("pairs", Format::Pairs), ("raw", Format::Raw), ("json", Format::Json)],
                Format::Pairs,
            ),
            named,
            newest,
            max_rate: max_rate(params),
            timeout: timeout(params),
            close_on_gap,
            resume: params.boolean("resume", false),
            ..Pull::all_of(streams)
        }
    }

    /// Everything of these streams, one entry at a time, in the default shape and at full speed.
    fn all_of(streams: Vec<StreamId>) -> Pull {
        Pull {
            from: vec![Cursor::After(Default::default()); streams.len()],
            streams,
            until: None,
            count: 1,
            format: Format::Pairs,
            named: false,
            newest: false,
            max_rate: None,
            ack: false,
            timeout: None,
            close_on_gap: false,
            resume: false,
        }
    }
}

/// `last_entry_id`: one place for all streams, or one for each.
fn from(params: &mut Params, streams: usize, default: Cursor) -> Vec<Cursor> {
    match params.text("last_entry_id").map(|text| cursors(text, streams)) {
        None => vec![default; streams],
        Some(Ok(cursors)) => cursors,
        Some(Err(message)) => {
            params.refuse("last_entry_id", message, "value_error.entry_id");
            vec![default; streams]
        }
    }
}

/// The same in the later dialect, and whether only the newest entries are wanted: so it is unless an id says where to begin,
/// or `latest=false`. A dash begins with the newest entry that there is.
fn from_v2(params: &mut Params, streams: usize, default: Cursor) -> (Vec<Cursor>, bool) {
    let latest = params.boolean("latest", true);
    match params.text("last_entry_id") {
        None | Some("$") if default == Cursor::End => (vec![Cursor::End; streams], latest),
        Some("-") => (vec![Cursor::Latest; streams], latest),
        _ => (from(params, streams, default), false),
    }
}

fn cursors(text: &str, streams: usize) -> Result<Vec<Cursor>, String> {
    let cursors: Vec<Cursor> = cursor::list(text)
        .iter()
        .map(|place| place.parse())
        .collect::<Result<_, _>>()?;
    match cursors.len() {
        1 => Ok(vec![cursors[0]; streams]),
        count if count == streams => Ok(cursors),
        count => Err(format!(
            "these are {count} places, and {streams} stream(s) to read; give one place, or one for each"
        )),
    }
}

fn until(params: &mut Params) -> Option<Until> {
    // A time whose offset begins with a plus that the query turned into a space.
    let text = params.text("until")?;
    let places = cursor::list(text);
    let parsed = match places.as_slice() {
        [place] => place.parse(),
        _ => Err("one place ends the reading of all streams".to_string()),
    };
    parsed
        .map_err(|message| params.refuse("until", message, "value_error.entry_id"))
        .ok()
}

fn timeout(params: &mut Params) -> Option<Duration> {
    params.text("timeout")?;
    let millis = params.positive("timeout", 1, LONGEST_TIMEOUT);
    Some(Duration::from_millis(millis))
}

fn max_rate(params: &mut Params) -> Option<f64> {
    let (least, most) = RATES;
    match params.text("max_rate")?.parse::<f64>() {
        Ok(rate) if (least..=most).contains(&rate) => Some(rate),
        Ok(rate) if rate.is_finite() => {
            let message = format!("ensure this value is from {least} to {most} entries a second");
            params.refuse("max_rate", message, "value_error.number");
            None
        }
        _ => {
            params.refuse("max_rate", "value is not a valid float", "type_error.float");
            None
        }
    }
}

#[cfg(test)]
mod tests;
