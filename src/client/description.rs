//! The requests about a stream's description: what the stream is, and how many entries it keeps.

use super::shell::quote;
use super::{Store, encode};

/// The path of a stream, its description and what Redis knows of it.
pub fn path(stream: &str) -> String {
    format!("/streams/{}", encode(stream))
}

/// The path and query of a PUT that changes these of `desc`, `meta` and `max_len` alone: the store keeps what it does not say,
/// also if somebody else changes it at the same time.
pub fn put(stream: &str, changes: &[(&str, &str)]) -> String {
    let changes: String = changes
        .iter()
        .map(|(name, value)| format!("&{name}={}", encode(value)))
        .collect();
    format!("{}?override=true{changes}", path(stream))
}

/// The same for `max_len`.
pub fn put_max_len(stream: &str, max_len: u64) -> String {
    put(stream, &[("max_len", &max_len.to_string())])
}

/// The command that has a stream keep so many entries, which can be given to a shell as it is.
pub fn command(store: &Store, stream: &str, max_len: u64) -> String {
    let (url, stream) = (store.url(), quote(stream));
    // A name may begin with a dash.
    format!(
        "ptg-store describe --max-len {max_len} --url {} -- {stream}",
        quote(&url)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_else_is_said() {
        assert_eq!(put_max_len("a b", 105), "/streams/a%20b?override=true&max_len=105");
        let changes = [("desc", "a & b"), ("meta", "{}")];
        assert_eq!(
            put("s", &changes),
            "/streams/s?override=true&desc=a%20%26%20b&meta=%7B%7D"
        );
    }
}
