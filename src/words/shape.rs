//! The shapes in which entries are given out, and the JSON line that tells all about one entry.
//! Pure functions; docs/pulling.md has the grammar.

use std::fmt;
use std::io::Write;

use base64::display::Base64Display;
use base64::engine::general_purpose::STANDARD;
use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::json;

use crate::words::batch::Item;
use crate::words::ids::{EntryId, StreamId};

/// The content type of lines of JSON.
pub const LINES_TYPE: &str = "application/x-ndjson";

/// How deep JSON may nest to be put into a line as it is: what common parsers take.
const DEEPEST: usize = 100;

/// How entries are given out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Format {
    /// Ids and offsets, then the bytes: the seed's.
    #[default]
    Pairs,
    /// The bytes of each entry and nothing else.
    Raw,
    /// A line of JSON an entry.
    Json,
}

/// What was gone before it was read: trimmed, or of a stream that has begun anew since.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gap {
    /// The stream.
    pub stream: StreamId,
    /// The last entry that was read.
    pub after: EntryId,
    /// The oldest that is left; of a stream that has begun anew and has none, the smallest that can come.
    pub before: EntryId,
    /// How many entries were missed, if that is known.
    pub missed: Option<u64>,
    /// Whether the stream has begun anew, so that its ids may have gone back.
    pub anew: bool,
}

/// What the reason of a close says of a stream that has begun anew.
pub const ANEW: &str = "the stream begins anew";

impl Gap {
    /// For a close reason: the two ids in a form that programs can read, then a sentence.
    pub fn reason(&self) -> String {
        let Gap { after, before, .. } = self;
        let cause = match self.anew {
            true => ANEW,
            false => "retention trimmed entries that were not read yet",
        };
        format!("gap after={after} before={before}: {cause}")
    }

    /// The line of JSON that stands where the entries are missing, without its end.
    pub fn line(&self) -> String {
        json!({
            "stream": self.stream.as_str(),
            "gap": { "after": self.after.to_string(), "before": self.before.to_string(), "missed": self.missed },
        })
        .to_string()
    }
}

/// The most bytes that `line` has besides what the entry itself becomes: names are escaped, and no part is longer than this.
pub const LINE_OVERHEAD: usize = 2 * crate::words::ids::MAX_STREAM_ID + 256;

/// The line of JSON that tells all about an entry, without its end. At most twice as long as the entry, and `LINE_OVERHEAD`.
pub fn line(stream: &StreamId, item: &Item, entry: &[u8]) -> Vec<u8> {
    let mut line = Vec::with_capacity(LINE_OVERHEAD + entry.len());
    put_line(stream, item, entry, &mut line);
    line
}

/// Puts that line behind others. No second copy is made on the way: an entry may be large.
pub fn put_line(stream: &StreamId, item: &Item, entry: &[u8], line: &mut Vec<u8>) {
    let time = item.id.time().map_or("null".to_string(), |time| format!("\"{time}\""));
    line.extend_from_slice(b"{\"stream\":");
    put_string(stream.as_str(), line);
    // Writing to a Vec cannot fail.
    let _ = write!(
        line,
        ",\"id\":\"{}\",\"time\":{time},\"size\":{},",
        item.id,
        entry.len()
    );
    if let Some(skipped) = item.skipped {
        let _ = write!(line, "\"skipped\":{skipped},");
    }
    line.extend_from_slice(b"\"data\":");
    put_data(entry, line);
    line.push(b'}');
}

/// JSON as it is, without white space between its tokens; text as a string; anything else in base64.
fn put_data(entry: &[u8], line: &mut Vec<u8>) {
    let text = std::str::from_utf8(entry).ok();
    if text.is_some_and(|text| is_json(text) && put_json(text, line)) {
        return;
    }
    match text.filter(|text| is_text(text)) {
        Some(text) => put_string(text, line),
        None => {
            let _ = write!(line, "{{\"base64\":\"{}\"}}", Base64Display::new(entry, &STANDARD));
        }
    }
}

fn is_json(text: &str) -> bool {
    serde_json::from_str::<Strict>(text).is_ok()
}

/// Whether people could have typed it. Other control characters speak for something else, and most would become six.
fn is_text(text: &str) -> bool {
    let is_odd = |c: char| c.is_control() && !matches!(c, '\t' | '\n' | '\r');
    !text.chars().any(is_odd)
}

/// Copies JSON and leaves out the white space between its tokens, which may be line ends. Numbers keep all their digits and
/// keys their order, which they would not on the way through values. False, and nothing is copied, if it nests so deep that
/// whoever reads the line may not be able to.
fn put_json(json: &str, line: &mut Vec<u8>) -> bool {
    let before = line.len();
    let (mut in_string, mut escaped, mut begun, mut depth) = (false, false, 0, 0);
    for (at, byte) in json.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = in_string,
            b'"' => in_string = !in_string,
            _ if in_string => {}
            b'[' | b'{' if depth == DEEPEST => {
                line.truncate(before);
                return false;
            }
            b'[' | b'{' => depth += 1,
            b']' | b'}' => depth -= 1,
            b' ' | b'\t' | b'\n' | b'\r' => {
                line.extend_from_slice(&json.as_bytes()[begun..at]);
                begun = at + 1;
            }
            _ => {}
        }
    }
    line.extend_from_slice(&json.as_bytes()[begun..]);
    true
}

/// A JSON string.
fn put_string(text: &str, line: &mut Vec<u8>) {
    // A str always has a form in JSON.
    let _ = serde_json::to_writer(line, text);
}

/// JSON that every parser takes. The grammar also allows halves of surrogate pairs, and numbers that no double holds; one of
/// them would spoil the whole line.
struct Strict;

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Strict, D::Error> {
        deserializer.deserialize_any(Strict)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Strict;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Strict, E> {
        Ok(Strict)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Strict, E> {
        Ok(Strict)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Strict, E> {
        Ok(Strict)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Strict, E> {
        Ok(Strict)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Strict, E> {
        Ok(Strict)
    }

    fn visit_str<E>(self, _: &str) -> Result<Strict, E> {
        Ok(Strict)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Strict, A::Error> {
        while items.next_element::<Strict>()?.is_some() {}
        Ok(Strict)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut items: A) -> Result<Strict, A::Error> {
        while items.next_entry::<Strict, Strict>()?.is_some() {}
        Ok(Strict)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::Engine;
    use proptest::prelude::*;
    use serde_json::Value;

    fn item() -> Item {
        Item {
            stream: 0,
            id: EntryId {
                ms: 1_650_000_000_123,
                seq: 4,
            },
            start: 0,
            skipped: None,
        }
    }

    fn of(entry: &[u8]) -> String {
        of_item(&item(), entry)
    }

    fn of_item(item: &Item, entry: &[u8]) -> String {
        String::from_utf8(line(&StreamId::new("cam \"1\"").unwrap(), item, entry)).unwrap()
    }

    fn data(entry: &[u8]) -> String {
        let line = of(entry);
        let start = line.find("\"data\":").unwrap() + "\"data\":".len();
        line[start..line.len() - 1].to_string()
    }

    #[test]
    fn a_line_tells_all_about_an_entry() {
        assert_eq!(
            of(b"{\"t\": 21.5}"),
            "{\"stream\":\"cam \\\"1\\\"\",\"id\":\"1650000000123-4\",\"time\":\"2022-04-15T05:20:00.123Z\",\
             \"size\":11,\"data\":{\"t\":21.5}}"
        );
        let skipping = Item {
            skipped: Some(7),
            ..item()
        };
        assert!(of_item(&skipping, b"").contains("\"skipped\":7,"));
        let distant = Item {
            id: EntryId::MAX,
            ..item()
        };
        assert!(of_item(&distant, b"").contains("\"time\":null,"));
    }

    #[test]
    fn json_keeps_its_digits_and_its_order_and_loses_only_white_space() {
        assert_eq!(
            data(b"{\n  \"b\": 1.0,\t\"a\" : [ 1, 2 ]\r\n}\n"),
            "{\"b\":1.0,\"a\":[1,2]}"
        );
        assert_eq!(data(b"12345678901234567890123"), "12345678901234567890123");
        assert_eq!(data(br#" "a \" b \\" "#), r#""a \" b \\""#);
        assert_eq!(data(b"null"), "null");
    }

    #[test]
    fn text_is_a_string_and_anything_else_base64() {
        assert_eq!(data(b"hello\n\"you\""), r#""hello\n\"you\"""#);
        assert_eq!(data(b""), r#""""#);
        assert_eq!(data(b"{broken"), r#""{broken""#);
        assert_eq!(data(b"\xff\xd8"), r#"{"base64":"/9g="}"#);
        assert_eq!(data(b"nul\0"), r#"{"base64":"bnVsAA=="}"#);
        assert_eq!(data(b"del\x7f"), r#"{"base64":"ZGVsfw=="}"#);
    }

    #[test]
    fn json_that_some_parsers_refuse_is_text() {
        for odd in [r#""\ud800""#, r#"{"\udc00\ud800":1}"#, "1e999", "[-1e400]"] {
            assert_eq!(data(odd.as_bytes()), Value::from(odd).to_string());
        }
        assert_eq!(data(br#""\ud83d\ude00""#), r#""\ud83d\ude00""#);
        assert_eq!(data(b"1e-999"), "1e-999");
    }

    #[test]
    fn json_that_nests_too_deep_is_text() {
        let deep = "[".repeat(1000) + &"]".repeat(1000);
        assert_eq!(data(deep.as_bytes()), format!("\"{deep}\""));
    }

    proptest! {
        #[test]
        fn every_line_is_one_line_of_json_that_gives_the_entry_back(entry in prop::collection::vec(any::<u8>(), 0..200)) {
            let text = of(&entry);
            prop_assert!(!text.contains('\n'));
            prop_assert!(text.len() <= 2 * entry.len() + LINE_OVERHEAD);
            let line: Value = serde_json::from_str(&text).unwrap();
            prop_assert_eq!(line["size"].as_u64(), Some(entry.len() as u64));
            match &line["data"] {
                Value::String(text) if !is_json(std::str::from_utf8(&entry).unwrap_or("")) => prop_assert_eq!(text.as_bytes(), entry),
                Value::Object(object) if object.contains_key("base64") =>
                    prop_assert_eq!(STANDARD.decode(object["base64"].as_str().unwrap()).unwrap(), entry),
                value => prop_assert_eq!(value, &serde_json::from_slice::<Value>(&entry).unwrap()),
            }
        }

        #[test]
        fn text_comes_back_as_it_was(text in "[^\\x00-\\x08\\x0b\\x0c\\x0e-\\x1f\\x7f-\\x{9f}]*") {
            let line: Value = serde_json::from_str(&of(text.as_bytes())).unwrap();
            if !is_json(&text) {
                prop_assert_eq!(line["data"].as_str(), Some(text.as_str()));
            }
        }

        #[test]
        fn compact_json_means_the_same(number: i64, text in ".*", list in prop::collection::vec(any::<u32>(), 0..5)) {
            let value = json!({ "number": number, text.clone(): text, "list": list });
            let pretty = serde_json::to_string_pretty(&value).unwrap();
            let mut line = Vec::new();
            prop_assert!(put_json(&pretty, &mut line));
            prop_assert_eq!(String::from_utf8(line).unwrap(), value.to_string());
        }
    }
}
