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
mod tests {
    use super::*;
    use crate::words::ids::EntryId;

    fn socket(segment: &str, query: &str, dialect: Dialect) -> Option<Pull> {
        let mut params = Params::new(query);
        let pull = Pull::socket(segment, &mut params, dialect);
        params.finish().ok().map(|()| pull)
    }

    #[test]
    fn one_place_serves_all_streams_or_each_has_its_own() {
        let from = |query: &str| socket("a+b", query, Dialect::Seed).map(|pull| pull.from);
        let after = |ms| Cursor::After(EntryId { ms, seq: 0 });
        assert_eq!(from(""), Some(vec![Cursor::End; 2]));
        assert_eq!(from("last_entry_id=5"), Some(vec![after(5); 2]));
        assert_eq!(from("last_entry_id=5+$"), Some(vec![after(5), Cursor::End]));
        assert_eq!(from("last_entry_id=5%2B7"), Some(vec![after(5), after(7)]));
        for bad in ["1+2+3", "5+", "+", "x", "5,6"] {
            assert_eq!(from(&format!("last_entry_id={bad}")), None, "{bad}");
        }
    }

    #[test]
    fn offsets_name_their_streams_where_there_are_several() {
        let named = |segment, dialect| socket(segment, "", dialect).unwrap().named;
        assert!(!named("a", Dialect::Seed));
        assert!(!named("a%2Bb", Dialect::Seed));
        assert!(named("a+b", Dialect::Seed));
        assert!(named("a", Dialect::V2));
    }

    #[test]
    fn the_later_dialect_is_for_the_newest_unless_told_otherwise() {
        let v2 = |query: &str| {
            let pull = socket("a", query, Dialect::V2).unwrap();
            (pull.from[0], pull.newest)
        };
        let after = Cursor::After(EntryId { ms: 5, seq: 0 });
        for (query, expected) in [
            ("", (Cursor::End, true)),
            ("last_entry_id=$", (Cursor::End, true)),
            ("last_entry_id=-", (Cursor::Latest, true)),
            ("last_entry_id=-&latest=False", (Cursor::Latest, false)),
            ("latest=false&last=3&batch=True", (Cursor::End, false)),
            ("last_entry_id=5", (after, false)),
            ("last_entry_id=5&latest=True", (after, false)),
        ] {
            assert_eq!(v2(query), expected, "{query}");
        }
    }

    #[test]
    fn what_does_not_parse_is_refused() {
        for bad in [
            "format=xml",
            "until=yesterday",
            "until=1+2",
            "timeout=0",
            "timeout=5s",
            "timeout=99999999999999",
            "max_rate=0",
            "max_rate=-1",
            "max_rate=NaN",
            "max_rate=inf",
            "max_rate=x",
            "on_gap=explode",
            "on_gap=close&newest=true",
            "newest=maybe",
            "ack=2",
        ] {
            assert_eq!(socket("a", bad, Dialect::Seed), None, "{bad}");
        }
        let good = "format=json&until=2026-11-25T10:00:00+01:00&timeout=1500&max_rate=0.5&newest=1&ack=1";
        assert!(socket("a", good, Dialect::Seed).is_some());
    }

    #[test]
    fn an_open_reply_is_raw_or_json_and_events_are_json() {
        let get = |query: &str, headers: &[(&str, &str)]| {
            let head = Head {
                headers: headers
                    .iter()
                    .map(|(name, value)| (name.to_string(), value.to_string()))
                    .collect(),
                ..Head::default()
            };
            let mut params = Params::new(query);
            let (pull, framing) = Pull::get("a+b", &mut params, &head, Dialect::Seed);
            params.finish().ok().map(|()| (pull.format, framing, pull.from))
        };
        let newest = vec![Cursor::Newest; 2];
        let events = ("Accept", "text/event-stream");
        assert_eq!(get("", &[]), Some((Format::Pairs, None, newest.clone())));
        assert_eq!(
            get("follow=1", &[]),
            Some((Format::Raw, Some(Framing::Plain), newest.clone()))
        );
        assert_eq!(get("follow=1&format=pairs", &[]), None);
        assert_eq!(get("", &[events]), Some((Format::Json, Some(Framing::Events), newest)));
        assert_eq!(get("format=raw", &[events]), None);
        let after = |ms| Cursor::After(EntryId { ms, seq: 1 });
        let resumed = get("last_entry_id=0", &[events, ("Last-Event-ID", "7-1+8-1")]);
        assert_eq!(
            resumed,
            Some((Format::Json, Some(Framing::Events), vec![after(7), after(8)]))
        );
        assert_eq!(get("", &[events, ("Last-Event-ID", "nonsense")]), None);
        let from =
            |query: &str, header: &str| get(query, &[events, ("Last-Event-ID", header)]).map(|(_, _, from)| from);
        for query in ["lastEventId=7-1+8-1", "lastEventId=7-1%2B8-1&last_entry_id=0"] {
            assert_eq!(from(query, ""), Some(vec![after(7), after(8)]), "{query}");
            assert_eq!(from(query, "9-1"), Some(vec![after(9); 2]), "the header comes first");
        }
        assert_eq!(from("lastEventId=nonsense", ""), None);
        // Only events have it.
        assert!(get("lastEventId=nonsense", &[]).is_some());
    }
}
