//! An entry as one line of JSON.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use serde_json::{Value, json};

use crate::client::Entry;

/// The members, in this order.
#[derive(Serialize)]
struct Line<'a> {
    stream: &'a str,
    id: String,
    /// Of its id; none beyond the year 9999.
    time: Option<String>,
    size: usize,
    data: Value,
}

/// The line, without its end: `data` is the entry itself if it is JSON, a string if it is other text, else its bytes in base64.
pub fn line(stream: &str, entry: &Entry) -> String {
    let line = Line {
        stream,
        id: entry.id.to_string(),
        time: entry.id.time(),
        size: entry.bytes.len(),
        data: data(&entry.bytes),
    };
    serde_json::to_string(&line).unwrap_or_default()
}

fn data(bytes: &[u8]) -> Value {
    if let Ok(value) = serde_json::from_slice(bytes) {
        return value;
    }
    match std::str::from_utf8(bytes) {
        Ok(text) => json!(text),
        Err(_) => json!({ "base64": STANDARD.encode(bytes) }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ptg_store::ids::EntryId;

    #[test]
    fn data_is_json_or_text_or_base64() {
        let line = |bytes: &'static [u8]| {
            let id = EntryId {
                ms: 1_650_000_000_123,
                seq: 4,
            };
            let line = line(
                "a \"b\"",
                &Entry {
                    id,
                    bytes: bytes.into(),
                },
            );
            let head = r#"{"stream":"a \"b\"","id":"1650000000123-4","time":"2022-04-15T05:20:00.123Z","#;
            line.strip_prefix(head).map(str::to_owned)
        };
        let expected = |rest: &str| Some(rest.to_owned());
        assert_eq!(line(b"{\n \"t\": 21.5\n}"), expected(r#""size":15,"data":{"t":21.5}}"#));
        assert_eq!(line(b"17"), expected(r#""size":2,"data":17}"#));
        assert_eq!(line(b"two\nlines"), expected(r#""size":9,"data":"two\nlines"}"#));
        assert_eq!(line(b""), expected(r#""size":0,"data":""}"#));
        assert_eq!(line(b"\xff\xd8"), expected(r#""size":2,"data":{"base64":"/9g="}}"#));
    }
}
