//! Places in a stream as people type them: `last_entry_id`, where reading begins, and `until`, where it ends.
//! Ids, words, spans back from now, and times.

use std::str::FromStr;
use std::time::Duration;

use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::words::ids::EntryId;
use crate::words::units::Span;

/// What is wrong with a place that does not parse.
const FORMS: &str = "value is not an entry id (ms, ms-seq, 0), one of first, latest, * and $, a span back from now such as \
                     -30s, -5m or -2h, or a time or date such as 2026-11-25T10:00:00Z or 2026-11-25";

/// Stands before an id that is only a place.
pub const UNREAD: char = '~';

/// Where reading begins: the value of `last_entry_id`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cursor {
    /// Everything after this entry; `0` and `first` are the start of the stream.
    After(EntryId),
    /// The same where nobody has read this entry, as an event's id says it: `~` and an id.
    Unread(EntryId),
    /// `*`: the newest `count` entries, then what follows.
    Newest,
    /// `latest`: the newest entry, then what follows.
    Latest,
    /// `$`: only what is added from now on.
    End,
    /// What was added at this moment or later.
    Since(Moment),
}

/// Where reading ends: the value of `until`. Entries up to and with it are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Until {
    /// This id. Without a sequence number it is the last of its millisecond.
    Id(EntryId),
    /// `first`: the oldest entry when reading begins.
    First,
    /// `latest`, `*` and `$`: the newest entry when reading begins.
    Newest,
    /// A moment, which may lie ahead.
    Moment(Moment),
}

/// A moment, by Redis's clock, which gives entries their ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// Milliseconds since 1970, UTC.
    At(u64),
    /// So long before now.
    Ago(Duration),
}

impl Moment {
    /// Milliseconds since 1970, when it is `now` in the same unit.
    pub fn milliseconds(self, now: u64) -> u64 {
        match self {
            Moment::At(ms) => ms,
            Moment::Ago(span) => now.saturating_sub(u64::try_from(span.as_millis()).unwrap_or(u64::MAX)),
        }
    }
}

impl Cursor {
    /// Whether it depends on what time it is.
    pub fn is_relative(&self) -> bool {
        matches!(self, Cursor::Since(Moment::Ago(_)))
    }
}

impl FromStr for Cursor {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Ok(match text {
            "*" => Cursor::Newest,
            "$" => Cursor::End,
            "first" => Cursor::After(EntryId::default()),
            "latest" => Cursor::Latest,
            _ => match (text.parse(), text.strip_prefix(UNREAD).map(str::parse)) {
                (Ok(id), _) => Cursor::After(id),
                (_, Some(Ok(id))) => Cursor::Unread(id),
                _ => Cursor::Since(text.parse()?),
            },
        })
    }
}

impl FromStr for Until {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Ok(match text {
            "*" | "$" | "latest" => Until::Newest,
            "first" => Until::First,
            _ => match text.parse::<EntryId>() {
                Ok(id) if text.contains('-') => Until::Id(id),
                Ok(id) => Until::Id(EntryId::last_of(id.ms)),
                Err(_) => Until::Moment(text.parse()?),
            },
        })
    }
}

impl FromStr for Moment {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        moment(text).ok_or_else(|| FORMS.into())
    }
}

fn moment(text: &str) -> Option<Moment> {
    if let Some(span) = text.strip_prefix('-') {
        // A bare number would look like an id with a slip of the pen.
        let is_whole =
            span.starts_with(|c: char| c.is_ascii_digit()) && span.ends_with(|c: char| c.is_ascii_alphabetic());
        let Span(span) = span.parse().ok().filter(|_| is_whole)?;
        return Some(Moment::Ago(span));
    }
    let timestamp = match text.parse::<jiff::Timestamp>() {
        Ok(timestamp) => timestamp,
        // What is longer is a time that does not say how far it is ahead of UTC, and could mean any hour.
        Err(_) if text.len() > "2026-11-25".len() => return None,
        Err(_) => text.parse::<Date>().ok()?.to_zoned(TimeZone::UTC).ok()?.timestamp(),
    };
    // Nothing was added before 1970.
    Some(Moment::At(u64::try_from(timestamp.as_millisecond()).unwrap_or(0)))
}

/// Takes a list of places apart: joined by a plus, which in a query is also a space. A plus that stands before the offset
/// of a time, as in `2026-11-25T10:00:00+01:00`, joins nothing.
pub fn list(text: &str) -> Vec<String> {
    let mut places: Vec<String> = Vec::new();
    for part in text.split(['+', ' ']) {
        match places.last_mut() {
            Some(time) if is_offset(part) && time.contains(['T', 't']) && !time.contains('+') => {
                time.push('+');
                time.push_str(part);
            }
            _ => places.push(part.to_string()),
        }
    }
    places
}

/// Ids as a list of places, joined by a plus.
pub fn joined(ids: &[EntryId]) -> String {
    let ids: Vec<String> = ids.iter().map(EntryId::to_string).collect();
    ids.join("+")
}

/// `01:00`: how far a time is ahead of UTC (RFC 3339, 5.6).
fn is_offset(text: &str) -> bool {
    matches!(text.as_bytes(), [a, b, b':', c, d] if [a, b, c, d].iter().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TEN: u64 = 1_795_600_800_000;

    fn id(ms: u64, seq: u64) -> EntryId {
        EntryId { ms, seq }
    }

    #[test]
    fn a_cursor_is_an_id_a_word_a_span_or_a_time() {
        let at = |ms| Cursor::Since(Moment::At(ms));
        let ago = |seconds| Cursor::Since(Moment::Ago(Duration::from_secs(seconds)));
        for (text, cursor) in [
            ("0", Cursor::After(id(0, 0))),
            ("first", Cursor::After(id(0, 0))),
            ("7-3", Cursor::After(id(7, 3))),
            ("2026-11", Cursor::After(id(2026, 11))),
            ("20261125", Cursor::After(id(20_261_125, 0))),
            ("*", Cursor::Newest),
            ("latest", Cursor::Latest),
            ("$", Cursor::End),
            ("~7-3", Cursor::Unread(id(7, 3))),
            ("-30s", ago(30)),
            ("-5m", ago(300)),
            ("-2h", ago(7200)),
            ("-1.5h", ago(5400)),
            ("-1d", ago(86_400)),
            ("-250ms", Cursor::Since(Moment::Ago(Duration::from_millis(250)))),
            ("2026-11-25T10:00:00Z", at(TEN)),
            ("2026-11-25t10:00:00z", at(TEN)),
            ("2026-11-25T10:00:00.25Z", at(TEN + 250)),
            ("2026-11-25T11:00:00+01:00", at(TEN)),
            ("2026-11-25T05:00:00-05:00", at(TEN)),
            ("2026-11-25", at(TEN - 36_000_000)),
            ("1969-07-20", at(0)),
        ] {
            assert_eq!(text.parse(), Ok(cursor), "{text}");
        }
        for bad in [
            "",
            "-",
            "-1",
            "-30",
            "- 30s",
            "--30s",
            "~",
            "~~7",
            "~-30s",
            "-30x",
            "-s",
            "+30s",
            "30s",
            "-99999999999h",
            "Latest",
            "now",
            "2026-13-01",
            "2026-11-25T10:00:00",
            "2026-11-25T25:00:00Z",
            "1-2-3",
            "*-1",
        ] {
            assert!(bad.parse::<Cursor>().is_err(), "{bad}");
            assert!(bad.parse::<Until>().is_err(), "{bad}");
        }
    }

    #[test]
    fn an_end_without_a_sequence_number_is_the_last_of_its_millisecond() {
        assert_eq!("7".parse(), Ok(Until::Id(id(7, u64::MAX))));
        assert_eq!("7-0".parse(), Ok(Until::Id(id(7, 0))));
        assert_eq!("first".parse(), Ok(Until::First));
        assert_eq!("$".parse(), Ok(Until::Newest));
        assert_eq!("2026-11-25T10:00:00Z".parse(), Ok(Until::Moment(Moment::At(TEN))));
    }

    #[test]
    fn spans_go_back_from_now_but_not_before_the_beginning() {
        let span = Moment::Ago(Duration::from_secs(5));
        assert_eq!(span.milliseconds(7000), 2000);
        assert_eq!(span.milliseconds(3000), 0);
        assert_eq!(Moment::At(9).milliseconds(3), 9);
    }

    #[test]
    fn a_plus_or_a_space_joins_places_but_not_a_time_and_its_offset() {
        assert_eq!(list("0"), ["0"]);
        assert_eq!(list("0+$+-30s"), ["0", "$", "-30s"]);
        assert_eq!(list("0 7-1"), ["0", "7-1"]);
        assert_eq!(
            list("2026-11-25T11:00:00 01:00+2026-11-25T11:00:00+01:00 $"),
            ["2026-11-25T11:00:00+01:00", "2026-11-25T11:00:00+01:00", "$"]
        );
        assert_eq!(list(""), [""]);
        assert_eq!(list("0+"), ["0", ""]);
        assert_eq!(list("5 01:00"), ["5", "01:00"]);
    }

    proptest! {
        #[test]
        fn no_text_makes_the_parsers_panic(text in ".*") {
            for place in list(&text) {
                let _ = place.parse::<Cursor>();
                let _ = place.parse::<Until>();
            }
        }

        #[test]
        fn ids_and_times_mean_what_they_say(ms in 0u64..253_402_300_799_000, seq: u64) {
            let id = EntryId { ms, seq };
            prop_assert_eq!(id.to_string().parse(), Ok(Cursor::After(id)));
            prop_assert_eq!(id.to_string().parse(), Ok(Until::Id(id)));
            let time = id.time().unwrap();
            prop_assert_eq!(time.parse(), Ok(Cursor::Since(Moment::At(ms))), "{}", time);
        }
    }
}
