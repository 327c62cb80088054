//! The request that gives a stream another `max_len`.

use super::encode;

/// The path of a stream's description.
pub fn path(stream: &str) -> String {
    format!("/streams/{}", encode(stream))
}

/// The path and query of a PUT that changes `max_len` alone: the store keeps what it does not say.
pub fn put(stream: &str, max_len: u64) -> String {
    format!("{}?override=true&max_len={max_len}", path(stream))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_else_is_said() {
        assert_eq!(put("a b", 105), "/streams/a%20b?override=true&max_len=105");
    }
}
