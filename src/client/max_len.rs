//! The request that gives a stream another `max_len`.

use serde_json::Value;

use super::encode;

/// The path of a stream's description.
pub fn path(stream: &str) -> String {
    format!("/streams/{}", encode(stream))
}

/// The path and query of a PUT that changes `max_len` alone. `meta` is what GET says of the stream, null if it says nothing.
pub fn put(stream: &str, meta: &Value, max_len: u64) -> String {
    let mut path = format!("{}?override=true&max_len={max_len}", path(stream));
    if let Some(description) = meta["description"].as_str() {
        path += &format!("&desc={}", encode(description));
    }
    let metadata = &meta["metadata"];
    if metadata.as_object().is_some_and(|metadata| !metadata.is_empty()) {
        path += &format!("&meta={}", encode(&metadata.to_string()));
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn everything_else_stays_as_it_was() {
        let meta = json!({"id": "a b", "description": "left & right", "metadata": {"fps": 30}, "max_len": 10});
        assert_eq!(
            put("a b", &meta, 105),
            "/streams/a%20b?override=true&max_len=105&desc=left%20%26%20right&meta=%7B%22fps%22%3A30%7D"
        );
        assert_eq!(
            put("a", &json!({"metadata": {}}), 1),
            "/streams/a?override=true&max_len=1"
        );
        assert_eq!(put("a", &Value::Null, 1), "/streams/a?override=true&max_len=1");
    }
}
