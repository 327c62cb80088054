//! Redis replies become our types. A reply of an unexpected shape is an error, never a panic.

use redis::Value;

use super::DATA_FIELD;
use crate::ids::EntryId;

/// Text out of a string reply.
pub fn text(value: &Value) -> Option<&str> {
    match value {
        Value::BulkString(bytes) => std::str::from_utf8(bytes).ok(),
        Value::SimpleString(text) => Some(text),
        Value::Okay => Some("OK"),
        _ => None,
    }
}

/// The same, without a copy.
pub fn into_text(value: Value) -> Option<String> {
    match value {
        Value::BulkString(bytes) => String::from_utf8(bytes).ok(),
        other => text(&other).map(str::to_string),
    }
}

/// An entry id out of a string reply.
pub fn entry_id(value: &Value) -> Option<EntryId> {
    text(value)?.parse().ok()
}

/// A count out of an integer reply.
pub fn number(value: &Value) -> Option<u64> {
    match value {
        Value::Int(number) => u64::try_from(*number).ok(),
        _ => None,
    }
}

/// The list in an array reply; nil is an empty one.
pub fn list(value: Value) -> Option<Vec<Value>> {
    match value {
        Value::Array(items) => Some(items),
        Value::Nil => Some(Vec::new()),
        _ => None,
    }
}

/// The bytes of an entry with these fields, `[name, value, …]`: those of field `d`; without one, the JSON object of its
/// fields.
pub fn data(mut fields: Vec<Vec<u8>>) -> Vec<u8> {
    let named_d = |pair: &[Vec<u8>]| pair[0] == DATA_FIELD.as_bytes();
    if let Some(index) = fields.chunks_exact(2).position(named_d) {
        return fields.swap_remove(2 * index + 1);
    }
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let object: serde_json::Map<_, _> = fields
        .chunks_exact(2)
        .map(|pair| (text(&pair[0]), serde_json::Value::String(text(&pair[1]))))
        .collect();
    serde_json::Value::Object(object).to_string().into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(fields: &[&str]) -> Vec<u8> {
        data(fields.iter().map(|field| field.as_bytes().to_vec()).collect())
    }

    #[test]
    fn field_d_is_the_entry_wherever_it_stands() {
        assert_eq!(of(&["a", "d", "d", "bytes"]), b"bytes");
        assert_eq!(of(&["d", "first", "d", "second"]), b"first");
    }

    #[test]
    fn an_entry_without_field_d_is_the_json_object_of_its_fields() {
        assert_eq!(of(&["x", "1", "y", "two"]), br#"{"x":"1","y":"two"}"#);
    }
}
