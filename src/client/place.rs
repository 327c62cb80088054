//! Places in a stream as people type them (`last_entry_id`, `until`), made fast: what moves with time must not move on
//! because a connection broke.

use std::time::Duration;

use ptg_store::words::ids::EntryId;
use ptg_store::words::units::Span;
use serde_json::Value;

use super::{Failure, Store, encode};

/// How long after its beginning a pull still goes by what was typed: "thirty seconds ago" is not meant more exactly.
const SOON: Duration = Duration::from_secs(1);

/// The id that reading should begin behind, if it was typed as a word that means another one soon.
pub fn begin(store: &Store, stream: &str, typed: &str) -> Result<Option<EntryId>, Failure> {
    match typed {
        "$" => known(store, stream, "last-generated-id").map(Some),
        "*" | "latest" => known(store, stream, "last-entry-id").map(|newest| Some(newest.before())),
        _ => Ok(None),
    }
}

/// The id that reading should end with, likewise.
pub fn end(store: &Store, stream: &str, typed: &str) -> Result<Option<EntryId>, Failure> {
    match typed {
        "$" | "*" | "latest" => known(store, stream, "last-entry-id").map(Some),
        "first" => known(store, stream, "first-entry-id").map(Some),
        _ => Ok(None),
    }
}

/// The id of the oldest entry; the smallest that can come if there is none.
pub fn first(store: &Store, stream: &str) -> Result<EntryId, Failure> {
    let smallest = EntryId::default().after();
    known(store, stream, "first-entry-id").map(|first| first.max(smallest))
}

/// The id of the oldest entry, if others were there before it: Redis knows how many were ever added, from version 7 on.
pub fn first_if_trimmed(store: &Store, stream: &str) -> Result<Option<EntryId>, Failure> {
    let known = store.get(&format!("/streams/{}", encode(stream)))?;
    let info = &known["info"];
    let (added, length) = (info["entries-added"].as_u64(), info["length"].as_u64());
    match added.zip(length) {
        Some((added, length)) if added > length => id_in(&known, "first-entry-id").map(Some),
        _ => Ok(None),
    }
}

/// Whether a stream has no entries, or is none.
pub fn is_empty(store: &Store, stream: &str) -> Result<bool, Failure> {
    known(store, stream, "last-entry-id").map(|newest| newest == EntryId::default())
}

/// A span back from now, as it was typed so long ago, is a longer one by now.
pub fn shifted(typed: &str, since: Duration) -> String {
    let ago = typed.strip_prefix('-').and_then(|ago| ago.parse().ok());
    match ago {
        Some(Span(ago)) if since > SOON => format!("-{}ms", (ago + since).as_millis()),
        _ => typed.to_owned(),
    }
}

/// An id of what the store knows about the stream; 0-0 of one that has no entries.
fn known(store: &Store, stream: &str, field: &str) -> Result<EntryId, Failure> {
    id_in(&store.get(&format!("/streams/{}", encode(stream)))?, field)
}

fn id_in(known: &Value, field: &str) -> Result<EntryId, Failure> {
    match known["info"][field].as_str().map(str::parse) {
        Some(Ok(id)) => Ok(id),
        Some(Err(_)) => Err(Failure::Foreign(
            "what the store knows about the stream has no ids".into(),
        )),
        None => Ok(EntryId::default()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_back_from_now_grows_and_nothing_else_does() {
        let since = Duration::from_millis(2_500);
        for (typed, later) in [
            ("-30s", "-32500ms"),
            ("-1.5h", "-5402500ms"),
            ("5-0", "5-0"),
            ("first", "first"),
            ("-", "-"),
            ("-x", "-x"),
            ("2026-11-25", "2026-11-25"),
        ] {
            assert_eq!(shifted(typed, since), later);
            assert_eq!(shifted(typed, Duration::ZERO), typed);
        }
    }
}
