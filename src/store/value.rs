//! Redis replies become our types. A reply of an unexpected shape is an error, never a panic.

use std::collections::HashMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use redis::Value;
use serde_json::json;

use super::DATA_FIELD;
use crate::words::ids::EntryId;

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

/// The bytes of an entry with these fields, `[name, value, …]`: those of the first field `d`; without one, JSON from which every
/// byte of the fields can be had again.
///
/// It is the object of the fields, in their order: a value is a string, `{"base64":"…"}` if it is not UTF-8, and a list of all
/// values if its name occurs more than once. If a name is not UTF-8, which no name in JSON can be, it is `{"fields":[[name, value], …]}`,
/// with names in the same two forms: no value of a field `fields` looks like that.
pub fn data(mut fields: Vec<Vec<u8>>) -> Vec<u8> {
    let named_d = |pair: &[Vec<u8>]| pair[0] == DATA_FIELD.as_bytes();
    if let Some(index) = fields.chunks_exact(2).position(named_d) {
        return fields.swap_remove(2 * index + 1);
    }
    let pairs = fields
        .chunks_exact(2)
        .map(|pair| (pair[0].as_slice(), pair[1].as_slice()));
    let json = match fields.iter().step_by(2).all(|name| std::str::from_utf8(name).is_ok()) {
        true => object(pairs),
        false => {
            let pairs = pairs.map(|(name, value)| format!("[{},{}]", json_of(name), json_of(value)));
            format!(r#"{{"fields":[{}]}}"#, listed(pairs))
        }
    };
    json.into_bytes()
}

/// The object of fields whose names are UTF-8.
fn object<'a>(pairs: impl Iterator<Item = (&'a [u8], &'a [u8])>) -> String {
    let mut names = Vec::new();
    let mut values: HashMap<&[u8], Vec<String>> = HashMap::new();
    for (name, value) in pairs {
        let values = values.entry(name).or_default();
        if values.is_empty() {
            names.push(name);
        }
        values.push(json_of(value));
    }
    let members = names
        .into_iter()
        .map(|name| match values.remove(name).unwrap_or_default() {
            list if list.len() > 1 => format!("{}:[{}]", json_of(name), listed(list)),
            one => format!("{}:{}", json_of(name), listed(one)),
        });
    format!("{{{}}}", listed(members))
}

/// A string, or an object with the bytes in base64.
fn json_of(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => json!(text).to_string(),
        Err(_) => json!({ "base64": STANDARD.encode(bytes) }).to_string(),
    }
}

fn listed(items: impl IntoIterator<Item = String>) -> String {
    items.into_iter().collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of<const N: usize>(fields: [&[u8]; N]) -> String {
        let bytes = data(fields.iter().map(|field| field.to_vec()).collect());
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn field_d_is_the_entry_wherever_it_stands() {
        assert_eq!(of([b"a", b"d", b"d", b"bytes"]), "bytes");
        assert_eq!(of([b"d", b"first", b"d", b"second"]), "first");
        assert_eq!(of([b"\xff", b"x", b"d", b"bytes"]), "bytes");
    }

    #[test]
    fn an_entry_without_field_d_is_the_json_object_of_its_fields_in_their_order() {
        assert_eq!(of([b"y", b"1", b"x", b"\"two\""]), r#"{"y":"1","x":"\"two\""}"#);
        assert_eq!(of([b"", b""]), r#"{"":""}"#);
    }

    #[test]
    fn bytes_that_are_not_utf_8_are_base64_and_a_name_that_occurs_again_has_a_list() {
        assert_eq!(of([b"image", b"\xff\xd8\xff\0"]), r#"{"image":{"base64":"/9j/AA=="}}"#);
        assert_eq!(
            of([b"a", b"1", b"b", b"2", b"a", b"\xff", b"a", b"1"]),
            r#"{"a":["1",{"base64":"/w=="},"1"],"b":"2"}"#
        );
        assert_eq!(of([b"a", b"1", b"a", b"2"]), r#"{"a":["1","2"]}"#);
        // A text that looks like it is a string all the same.
        assert_eq!(of([b"a", br#"{"base64":"/w=="}"#]), r#"{"a":"{\"base64\":\"/w==\"}"}"#);
    }

    #[test]
    fn with_a_name_that_is_not_utf_8_it_has_the_list_of_the_pairs() {
        assert_eq!(
            of([b"a", b"1", b"\xe4", b"\xff", b"a", b"2"]),
            r#"{"fields":[["a","1"],[{"base64":"5A=="},{"base64":"/w=="}],["a","2"]]}"#
        );
    }

    /// The bytes of a string or a `{"base64":…}`.
    fn bytes_of(json: &serde_json::Value) -> Vec<u8> {
        match json.as_str() {
            Some(text) => text.as_bytes().to_vec(),
            None => STANDARD.decode(json["base64"].as_str().unwrap()).unwrap(),
        }
    }

    proptest! {
        #[test]
        fn no_byte_of_other_programs_fields_is_lost(fields in prop::collection::vec(("[ab]|.*", any::<Vec<u8>>()), 0..8), odd: bool) {
            let mut pairs: Vec<(Vec<u8>, Vec<u8>)> = fields.into_iter().map(|(name, value)| (name.into_bytes(), value)).collect();
            pairs.retain(|(name, _)| name != b"d");
            if odd {
                pairs.push((vec![0xff], vec![]));
            }
            let json = data(pairs.iter().flat_map(|(name, value)| [name.clone(), value.clone()]).collect());
            let json: serde_json::Value = serde_json::from_slice(&json).unwrap();
            if odd {
                let list = json["fields"].as_array().unwrap().iter();
                prop_assert_eq!(list.map(|pair| (bytes_of(&pair[0]), bytes_of(&pair[1]))).collect::<Vec<_>>(), pairs);
                return Ok(());
            }
            for (name, value) in json.as_object().unwrap() {
                let sent = pairs.iter().filter(|(sent, _)| sent == name.as_bytes());
                let sent: Vec<&Vec<u8>> = sent.map(|(_, value)| value).collect();
                let came: Vec<Vec<u8>> = match value.as_array() {
                    Some(list) => list.iter().map(bytes_of).collect(),
                    None => vec![bytes_of(value)],
                };
                prop_assert_eq!(came.iter().collect::<Vec<_>>(), sent);
            }
            let names: std::collections::HashSet<_> = pairs.iter().map(|(name, _)| name).collect();
            prop_assert_eq!(json.as_object().unwrap().len(), names.len());
        }
    }
}
