//! Names on the wire: stream ids and entry ids.
//! They are checked here, so that nothing doubtful ever reaches Redis.

use std::fmt;
use std::str::FromStr;

/// The most streams that one request joins. Redis looks at each of them whenever the request is served.
pub const MOST_STREAMS: usize = 256;

/// Keys that begin so hold descriptions, so no stream may.
pub const META_PREFIX: &str = "XMETA:";

/// Ids before the year 2000, in milliseconds since 1970, are no times: whoever pushed them counts.
pub const EARLIEST_MS: u64 = 946_684_800_000;

/// The longest stream id, in bytes of UTF-8.
pub const MAX_STREAM_ID: usize = 256;

/// The name of a stream, which is also its Redis key.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamId(String);

/// The id that Redis gives an entry: milliseconds since 1970 and a sequence number, written `ms-seq`.
/// See <https://redis.io/docs/latest/develop/data-types/streams/#entry-ids>.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct EntryId {
    /// Milliseconds since 1970, UTC.
    pub ms: u64,
    /// Tells entries of one millisecond apart.
    pub seq: u64,
}

impl StreamId {
    /// Checks a name; the error is a sentence about what is wrong with it.
    pub fn new(name: impl Into<String>) -> Result<StreamId, String> {
        let name = name.into();
        if name.is_empty() || name.len() > MAX_STREAM_ID {
            return Err(format!(
                "a stream id has 1 to {MAX_STREAM_ID} bytes, this one has {}",
                name.len()
            ));
        }
        if name.starts_with(META_PREFIX) {
            return Err(format!("a stream id does not begin with {META_PREFIX}"));
        }
        if name.contains('/') {
            return Err("a stream id has no /".into());
        }
        if name.chars().any(char::is_control) {
            return Err("a stream id has no control characters".into());
        }
        Ok(StreamId(name))
    }

    /// The name, as it is in Redis.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for EntryId {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // `u64::from_str` would take a leading plus, Redis would not.
        let number = |digits: &str| {
            let all_digits = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
            all_digits.then(|| digits.parse::<u64>().ok()).flatten()
        };
        let (ms, seq) = text.split_once('-').unwrap_or((text, "0"));
        match (number(ms), number(seq)) {
            (Some(ms), Some(seq)) => Ok(EntryId { ms, seq }),
            _ => Err("value is not an entry id: ms or ms-seq".into()),
        }
    }
}

impl fmt::Display for EntryId {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{}-{}", self.ms, self.seq)
    }
}

impl EntryId {
    /// The largest id that there can be.
    pub const MAX: EntryId = EntryId {
        ms: u64::MAX,
        seq: u64::MAX,
    };

    /// The first id that a millisecond can have.
    pub fn first_of(ms: u64) -> EntryId {
        EntryId { ms, seq: 0 }
    }

    /// The last id that a millisecond can have.
    pub fn last_of(ms: u64) -> EntryId {
        EntryId { ms, seq: u64::MAX }
    }

    /// The id right before this one; `0-0` has none and stays.
    pub fn before(self) -> EntryId {
        match (self.ms, self.seq) {
            (0, 0) => self,
            (ms, 0) => EntryId {
                ms: ms - 1,
                seq: u64::MAX,
            },
            (ms, seq) => EntryId { ms, seq: seq - 1 },
        }
    }

    /// The id right after this one; the largest has none and stays.
    pub fn after(self) -> EntryId {
        match (self.ms, self.seq) {
            (u64::MAX, u64::MAX) => self,
            (ms, u64::MAX) => EntryId::first_of(ms + 1),
            (ms, seq) => EntryId { ms, seq: seq + 1 },
        }
    }

    /// The time of the id as RFC 3339 in UTC, always with its milliseconds, so that times sort as texts do; none if it
    /// lies beyond the year 9999.
    pub fn time(self) -> Option<String> {
        let ms = i64::try_from(self.ms).ok()?;
        Some(format!("{:.3}", jiff::Timestamp::from_millisecond(ms).ok()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn stream_ids_are_checked() {
        for good in ["a", "cam:0", "a+b", "käse", "流", " ", "XMETA", &"x".repeat(256)] {
            assert!(StreamId::new(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "a/b",
            "XMETA:a",
            "a\nb",
            "a\0",
            "\u{85}",
            &"x".repeat(257),
            &"流".repeat(86),
        ] {
            assert!(StreamId::new(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn entry_ids_reach_to_the_last_number() {
        let last = "18446744073709551615-18446744073709551615";
        assert_eq!(last.parse(), Ok(EntryId::MAX));
        assert_eq!("7".parse(), Ok(EntryId { ms: 7, seq: 0 }));
        for bad in [
            "",
            "-",
            "1-",
            "-1",
            "+1",
            "1-2-3",
            "1.5",
            "a",
            "18446744073709551616",
            " 1",
            "1-*",
            ">",
        ] {
            assert!(bad.parse::<EntryId>().is_err(), "{bad}");
        }
    }

    #[test]
    fn the_id_before_crosses_milliseconds() {
        let id = |ms, seq| EntryId { ms, seq };
        assert_eq!(id(5, 1).before(), id(5, 0));
        assert_eq!(id(5, 0).before(), id(4, u64::MAX));
        assert_eq!(id(0, 0).before(), id(0, 0));
    }

    #[test]
    fn times_are_rfc_3339_in_utc() {
        let time = EntryId {
            ms: 1_650_000_000_123,
            seq: 4,
        }
        .time();
        assert_eq!(time.as_deref(), Some("2022-04-15T05:20:00.123Z"));
        let whole = EntryId { ms: 1_000, seq: 0 };
        assert_eq!(whole.time().as_deref(), Some("1970-01-01T00:00:01.000Z"));
        assert_eq!(EntryId::MAX.time(), None);
    }

    proptest! {
        #[test]
        fn entry_ids_survive_the_wire(ms: u64, seq: u64) {
            let id = EntryId { ms, seq };
            prop_assert_eq!(id.to_string().parse(), Ok(id));
            prop_assert!(id == EntryId::default() || (id.before() < id && id.before().after() == id));
        }

        #[test]
        fn no_text_makes_the_parsers_panic(text in ".*") {
            let _ = text.parse::<EntryId>();
            let _ = StreamId::new(text);
        }
    }
}
