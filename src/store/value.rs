//! Redis replies become our types. A reply of an unexpected shape is an error, never a panic.

use redis::Value;

use super::DATA_FIELD;
use crate::batch::Entry;
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

/// The entries in the reply of `XRANGE` and its kin: `[[id, [field, value, …]], …]`.
pub fn entries(value: Value) -> Option<Vec<Entry>> {
    list(value)?.into_iter().map(entry).collect()
}

/// The entries of the one stream in the reply of `XREAD`: nil, or `[[key, entries]]`.
pub fn entries_of_one_stream(value: Value) -> Option<Vec<Entry>> {
    match list(value)?.pop() {
        None => Some(Vec::new()),
        Some(stream) => entries(list(stream)?.pop()?),
    }
}

fn entry(value: Value) -> Option<Entry> {
    let mut parts = list(value)?.into_iter();
    let id = entry_id(&parts.next()?)?;
    let fields = list(parts.next()?)?;
    Some(Entry {
        id,
        data: data(fields)?,
    })
}

/// The bytes of field `d`; an entry that other programs wrote without it is the JSON object of its fields.
fn data(mut fields: Vec<Value>) -> Option<Vec<u8>> {
    let named_d = |pair: &[Value]| matches!(&pair[0], Value::BulkString(name) if name == DATA_FIELD.as_bytes());
    if let Some(index) = fields.chunks_exact(2).position(named_d) {
        return match fields.swap_remove(2 * index + 1) {
            Value::BulkString(bytes) => Some(bytes),
            _ => None,
        };
    }
    let lossy = |value: &Value| match value {
        Value::BulkString(bytes) => Some(String::from_utf8_lossy(bytes).into_owned()),
        _ => None,
    };
    let object: Option<serde_json::Map<_, _>> = fields
        .chunks_exact(2)
        .map(|pair| Some((lossy(&pair[0])?, serde_json::Value::String(lossy(&pair[1])?))))
        .collect();
    Some(serde_json::Value::Object(object?).to_string().into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bulk(text: &str) -> Value {
        Value::BulkString(text.as_bytes().to_vec())
    }

    fn one(fields: &[&str]) -> Value {
        let fields = fields.iter().map(|field| bulk(field)).collect();
        Value::Array(vec![Value::Array(vec![bulk("1-2"), Value::Array(fields)])])
    }

    #[test]
    fn field_d_is_the_entry_wherever_it_stands() {
        let read = entries(one(&["a", "d", "d", "bytes"])).unwrap();
        assert_eq!(
            read,
            [Entry {
                id: EntryId { ms: 1, seq: 2 },
                data: b"bytes".to_vec()
            }]
        );
    }

    #[test]
    fn an_entry_without_field_d_is_the_json_object_of_its_fields() {
        let read = entries(one(&["x", "1", "y", "two"])).unwrap();
        assert_eq!(read[0].data, br#"{"x":"1","y":"two"}"#);
    }

    #[test]
    fn unexpected_shapes_are_no_entries() {
        for value in [
            Value::Int(1),
            bulk("x"),
            Value::Array(vec![Value::Nil]),
            Value::Array(vec![bulk("1-2")]),
        ] {
            assert_eq!(entries(value.clone()), None, "{value:?}");
        }
        assert_eq!(entries_of_one_stream(Value::Nil), Some(vec![]));
    }
}
